"""`serve`: Dagster's processes are kept up, and end together."""

import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from iterable_pipelines.cli.serve import What, serve
from iterable_pipelines.dagster_home import Place, code_server_at
from iterable_pipelines.sandbox import running_sandbox
from iterable_pipelines.supervisor import Part, supervise
from iterable_pipelines_tests.cli.command import Command
from iterable_pipelines_tests.cli.test_dev import answer, ctrl_c_ignored, free_port

_PATIENCE_SECONDS = 180.0


def until(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not met():
        assert time.monotonic() < deadline, "it does not come about"
        time.sleep(0.05)


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_what_ends_is_started_again_and_all_end_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Signals are this process's own: a thread kills a part, then tells the supervisor to end."""
    noted = tmp_path / "pids"
    noted.touch()
    note = f"import os, time; open({str(noted)!r}, 'a').write(f'{{os.getpid()}}\\n'); time.sleep(600)"
    parts = [Part("steady", [sys.executable, "-c", note]), Part("killed", [sys.executable, "-c", note])]
    said: list[str] = []

    def pids() -> list[int]:
        return [int(line) for line in noted.read_text().splitlines()]

    def kill_then_end() -> None:
        until(lambda: len(pids()) == 2)
        killed = parts[1].process
        assert killed is not None
        os.kill(killed.pid, signal.SIGKILL)
        until(lambda: len(pids()) == 3)
        os.kill(os.getpid(), signal.SIGTERM)

    before = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)}
    thread = threading.Thread(target=kill_then_end, daemon=True)
    thread.start()
    try:
        supervise(parts, said.append)
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    assert said == ["killed ended with -9; it is started again in 1 s"]
    assert [pid for pid in pids() if is_there(pid)] == []


def test_a_part_that_cannot_start_is_tried_more_and_more_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    moment = 0.0
    monkeypatch.setattr("iterable_pipelines.supervisor.time.monotonic", lambda: moment)
    part, said = Part("broken", [sys.executable, "-S", "-c", "raise SystemExit(3)"]), list[str]()
    for _ in range(4):
        part.keep_up(said.append)
        assert part.process is not None
        part.process.wait()
        part.keep_up(said.append)
        assert part.process is None
        moment += 60
    assert [text.rpartition(" in ")[2] for text in said] == ["1 s", "2 s", "4 s", "8 s"]


def test_serve_shows_the_project_and_leaves_nothing_behind(tmp_path: Path) -> None:
    port = free_port()
    with (
        running_sandbox(users=1) as sandbox,
        ctrl_c_ignored(),
        Command(tmp_path, api_key=sandbox.key, base_url=sandbox.url, keep_updated="false").start(
            "serve", "--port", str(port)
        ) as process,
    ):
        url = f"http://127.0.0.1:{port}"
        query = json.dumps({"query": "{ assetNodes { groupName } }"}).encode()

        shown = json.loads(answer(f"{url}/graphql", process, query))["data"]["assetNodes"]
        assert {each["groupName"] for each in shown} >= {"landing", "streams", "objects", "profiles"}
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=120)
    assert url in out
    assert "started again" not in err
    workspace = (tmp_path / "data" / "dagster" / "workspace.yaml").read_text()
    assert "location_name: iterable_pipelines" in workspace
    with socket.create_server(("127.0.0.1", port)):
        """The port is free again: nothing of it is left running."""


def test_parts_in_containers_keep_to_their_own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They share Dagster's home and may have the same process id; a code server that starts again tells nobody else."""
    monkeypatch.setenv("ITERABLE_PROJECT_ROOT", str(tmp_path))
    monkeypatch.setenv("ITERABLE_API_KEY", "sandbox")
    # set by serve, and gone with the test
    monkeypatch.setenv("DAGSTER_HOME", "")
    begun: list[list[str]] = []

    def replaced(program: str, command: list[str]) -> NoReturn:
        begun.append(command)
        raise SystemExit

    monkeypatch.setattr("iterable_pipelines.cli.serve.os.execv", replaced)
    monkeypatch.setattr("iterable_pipelines.cli.serve.make_storage", lambda home: None)
    home = tmp_path / "data" / "dagster"
    for part in (What.DAEMON, What.WEBSERVER):
        with pytest.raises(SystemExit):
            serve(part, host="127.0.0.1", port=None, code="code:4000")
    told = {each.name: each.read_text() for each in home.iterdir()}
    with pytest.raises(SystemExit):
        serve(What.CODE, host="127.0.0.1", port=None, code="127.0.0.1:4000")
    assert {each.name: each.read_text() for each in home.iterdir()} == told
    assert set(told) == {"dagster.yaml", "workspace-daemon.yaml", "workspace-webserver.yaml"}
    assert all("host: code" in text for name, text in told.items() if name.startswith("workspace"))
    assert [command[-1] for command in begun[:2]] == [
        str(home / f"workspace-{part}.yaml") for part in ("daemon", "webserver")
    ]
    assert "-w" not in begun[2]


def test_what_is_written_at_once_does_not_collide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two containers, in which the same process id writes another text at the same time."""
    written: list[Path] = []
    kept = Path.write_text

    def noted(path: Path, text: str) -> int:
        written.append(path)
        return kept(path, text)

    monkeypatch.setattr(Path, "write_text", noted)
    for host in ("code", "other"):
        code_server_at(tmp_path, Place(host=host, port=4000), "daemon")
    assert len(set(written)) == 2
    assert [each.name for each in tmp_path.iterdir()] == ["workspace-daemon.yaml"]


def test_serve_needs_a_key(tmp_path: Path) -> None:
    said = Command(tmp_path)("serve")
    assert said.code == 1
    assert "ITERABLE_API_KEY is not set" in said.err


def test_a_worker_has_nothing_to_do_where_runs_do_their_steps_themselves(tmp_path: Path) -> None:
    said = Command(tmp_path)("worker")
    assert said.code == 1
    assert "ITERABLE_EXECUTOR is in_process" in said.err and "ITERABLE_EXECUTOR=celery" in said.err
