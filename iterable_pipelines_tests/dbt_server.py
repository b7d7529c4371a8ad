"""dbt for the tests: imported once and forked for each run, so that a run does not begin with seconds of imports.

The project starts a program, as ever: here it is one of a few lines, which hands its arguments, environment, folder and
output to a server and ends as its fork ends. Forks also share what dbt has parsed of the same models with the same
variables; dbt itself checks it file by file, as it does from one hourly build to the next.
"""

import hashlib
import json
import multiprocessing
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

_PROGRAM = """#!{python} -IS
import json, os, signal, socket, sys

with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    said = json.dumps([sys.argv[1:], dict(os.environ)]).encode()
    socket.send_fds(server, [len(said).to_bytes(4, "big")], [0, 1, 2, os.open(".", os.O_RDONLY)])
    server.sendall(said)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: server.send(bytes([number])))
    code = int(server.recv(16) or 1)
if code < 0:
    signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
sys.exit(code)
"""
_PARSED = "partial_parse.msgpack"
# the server has no threads that a fork could lose
_forks = multiprocessing.get_context("fork")


@contextmanager
def running_dbt() -> Iterator[Path]:
    """A program that does what `dbt` does, as long as the block lasts."""
    # a socket's address must be short
    with tempfile.TemporaryDirectory(prefix="dbt-") as folder, socket.socket(socket.AF_UNIX) as listener:
        program, address = Path(folder, "dbt"), Path(folder, "socket")
        program.write_text(_PROGRAM.format(python=sys.executable, address=str(address)))
        program.chmod(0o755)
        # who comes before the server is there waits
        listener.bind(str(address))
        listener.listen()
        command = [sys.executable, "-m", "iterable_pipelines_tests.dbt_server", str(listener.fileno()), folder]
        # it ends with its input, which is closed too when the tests are killed; Ctrl-C is for those who call it
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, pass_fds=[listener.fileno()], start_new_session=True
        ) as server:
            # of a server that has failed nobody shall wait
            listener.close()
            yield program
            server.communicate()


def serve(listener: socket.socket, folder: Path) -> None:
    """Run dbt for whoever connects, until the input is closed and all have ended."""
    parsed = None
    while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:
        connection, _ = listener.accept()
        parsed = parsed or _warm(folder)
        with connection:
            _forks.Process(target=_watch, args=(connection, parsed)).start()


def _warm(folder: Path) -> Path:
    """Import what a run needs, and parse once, for which dbt compiles hundreds of classes: tests without dbt do not."""
    from dbt.adapters.duckdb.credentials import DuckDBCredentials
    from dbt.cli.main import dbtRunner

    from iterable_pipelines.profiles.dbt import dbt_environment, dbt_vars
    from iterable_pipelines.settings import Settings

    # models are parsed alike wherever the warehouse lies and however much memory it has
    DuckDBCredentials._connection_keys = lambda credentials: ("database", "schema")
    settings = Settings(api_key="sandbox", data_dir=folder / "data")
    os.environ.update(dbt_environment(settings))
    dbtRunner().invoke(["--quiet", "parse", "--vars", dbt_vars(settings)])
    (folder / "parsed").mkdir()
    return folder / "parsed"


def _watch(connection: socket.socket, parsed: Path) -> None:
    """Run dbt as one caller asks for it, and say how it ended, once it has."""
    length, files, _, _ = socket.recv_fds(connection, 4, 4)
    asked = connection.recv(int.from_bytes(length, "big"), socket.MSG_WAITALL)
    dbt = _forks.Process(target=_run, args=(files, *json.loads(asked), parsed))
    dbt.start()
    for file in files:
        os.close(file)
    Thread(target=_pass_on, args=(connection, dbt.pid), daemon=True).start()
    dbt.join()
    connection.sendall(str(dbt.exitcode).encode())


def _pass_on(connection: socket.socket, dbt: int) -> None:
    """A signal to the caller is one to dbt, also the one that leaves the caller no time to pass it on."""
    while number := connection.recv(1):
        os.kill(dbt, number[0])
    os.kill(dbt, signal.SIGKILL)


def _run(files: list[int], arguments: list[str], environment: dict[str, str], parsed: Path) -> None:
    from dbt.cli.main import cli

    for number, file in enumerate(files[:3]):
        os.dup2(file, number)
    os.fchdir(files[3])
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["dbt", *arguments]
    variables = "".join(arguments[arguments.index("--vars") :][1:2]) if "--vars" in arguments else ""
    known = parsed / hashlib.sha256(variables.encode()).hexdigest()
    target = Path(environment["DBT_TARGET_PATH"], _PARSED)
    if known.exists() and not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(known, target)
    try:
        cli()
    finally:
        if target.exists() and not known.exists():
            shutil.copyfile(target, part := known.with_suffix(f".{os.getpid()}"))
            part.replace(known)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])), Path(sys.argv[2]))
