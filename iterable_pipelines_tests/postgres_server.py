"""A real PostgreSQL server for the tests: in a folder of its own, on a free port of this machine, gone afterwards."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

PASSWORD = "p@ss/w:rd?#%"
_ENCODED = "p%40ss%2Fw%3Ard%3F%23%25"
_PATIENCE = 60.0
# no locale of the machine's: tests read what the server says
_CLUSTER = ("-U", "postgres", "-N", "-E", "UTF8", "--locale=C", "--auth=scram-sha-256")
_INSTALL = "PostgreSQL's server is not installed, and these tests need it: apt-get install -y postgresql"


@dataclass(frozen=True)
class Server:
    """A running server. Every URL has a password in it."""

    port: int
    pid: int

    @property
    def url(self) -> str:
        return self.url_of("postgres")

    def url_of(self, database: str, user: str = "postgres", password: str = _ENCODED) -> str:
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    @contextmanager
    def database(self, name: str, options: str = "") -> Iterator[str]:
        """The URL of an empty database that is dropped at the end."""
        with psycopg.connect(self.url, autocommit=True) as con:
            con.execute(f'create database "{name}" {options}')
        try:
            yield self.url_of(name)
        finally:
            with psycopg.connect(self.url, autocommit=True) as con:
                con.execute(f'drop database "{name}" with (force)')


@contextmanager
def running_postgres() -> Iterator[Server]:
    """Start a server and stop it; it dies with this process, however that ends. Fails where none is installed."""
    binaries = _binaries()
    folder = Path(tempfile.mkdtemp(prefix="postgres-", dir="/tmp"))
    as_user = _as_user(folder)
    try:
        secret = folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        data = folder / "data"
        made = subprocess.run(
            [*as_user, binaries / "initdb", "-D", data, *_CLUSTER, f"--pwfile={secret}"],
            capture_output=True,
            text=True,
            cwd=folder,
            timeout=_PATIENCE,
        )
        assert made.returncode == 0, made.stderr
        port = _free_port()
        options = {
            "port": port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": folder,
            "fsync": "off",
            "max_connections": 20,
            "shared_buffers": "64MB",
        }
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [*as_user, binaries / "postgres", "-D", data, *settings], stdout=log, stderr=log, cwd=folder
            )
        server = Server(port, process.pid)
        try:
            _wait_until_ready(server, process, folder / "log")
            yield server
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _binaries() -> Path:
    # Debian keeps the server out of the PATH, by version
    found = shutil.which("initdb")
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda each: int(each.parts[-3]))
    folder = folders[-1].parent if folders else Path(found).resolve().parent if found else None
    assert folder is not None, _INSTALL
    return folder


def _as_user(folder: Path) -> list[str]:
    """The words before a command: the server refuses root, and is to die with whoever started it."""
    assert shutil.which("setpriv"), "setpriv is needed to start PostgreSQL: apt-get install -y util-linux"
    if os.geteuid() != 0:
        return ["setpriv", "--pdeathsig=INT"]
    user = pwd.getpwnam("postgres")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--pdeathsig=INT"]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _wait_until_ready(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        assert process.poll() is None, log.read_text(errors="replace")
        try:
            psycopg.connect(server.url, connect_timeout=5).close()
            return
        except psycopg.OperationalError:
            assert time.monotonic() < deadline, log.read_text(errors="replace")
            time.sleep(0.05)
