"""`dev` and `sandbox`: they come up, they answer, and they leave nothing behind."""

import json
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from iterable_pipelines_tests.cli.command import Command

_PATIENCE_SECONDS = 180


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def answer(url: str, process: subprocess.Popen[str], body: bytes | None = None) -> bytes:
    """What `url` answers as soon as it does."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        try:
            headers = {"Api-Key": "sandbox", "Content-Type": "application/json"}
            with urllib.request.urlopen(urllib.request.Request(url, body, headers)) as response:
                return bytes(response.read())
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.2)
    raise AssertionError(f"{url} does not answer")


@contextmanager
def ctrl_c_ignored() -> Iterator[None]:
    """As in what a script starts in the background; a child inherits it."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_sandbox_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    port = free_port()
    options = ("--users", "0", "--project-type", "hybrid", "--settle-seconds", "60")
    with Command(tmp_path).start("sandbox", "--port", str(port), *options) as process:
        assert json.loads(answer(f"http://127.0.0.1:{port}/api/channels", process))["channels"]
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert "4 exports a minute" in out and "0 users, hybrid project" in out
    assert "Traceback" not in err


def test_dev_without_a_key_shows_the_sandbox(tmp_path: Path) -> None:
    port = free_port()
    with ctrl_c_ignored(), Command(tmp_path).start("dev", "--port", str(port)) as process:
        url = f"http://127.0.0.1:{port}"
        query = json.dumps({"query": "{ assetNodes { assetKey { path } groupName } }"}).encode()
        nodes = json.loads(answer(f"{url}/graphql", process, query))["data"]["assetNodes"]
        assert {each["groupName"] for each in nodes} >= {"landing", "streams", "objects", "profiles"}
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=120)
    assert url in out
    assert "Sandbox of Iterable at http://127.0.0.1:" in out
    assert (tmp_path / "data" / "demo" / "dagster" / "dagster.yaml").read_bytes()
    assert not (tmp_path / "data" / "iterable.duckdb").exists()
    with socket.create_server(("127.0.0.1", port)):
        """The port is free again: nothing of it is left running."""
