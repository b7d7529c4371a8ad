"""A real Redis server for the tests: in a folder of its own, on a free port of this machine, gone afterwards."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

PASSWORD = "r3dis-s3cret-of-the-tests"
_INSTALL = "Redis is not installed, and these tests need it: apt-get install -y redis-server"
_PATIENCE = 30.0


@contextmanager
def running_redis() -> Iterator[str]:
    """Start a server and stop it; yields its URL. It dies with this process. Fails where none is installed."""
    program = shutil.which("redis-server")
    assert program, _INSTALL
    folder = Path(tempfile.mkdtemp(prefix="redis-", dir="/tmp"))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    settings = {"port": port, "bind": "127.0.0.1", "dir": folder, "requirepass": PASSWORD, "save": '""'}
    (folder / "redis.conf").write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
    process = subprocess.Popen(
        ["setpriv", "--pdeathsig=TERM", program, folder / "redis.conf"], stdout=subprocess.DEVNULL
    )
    try:
        url = f"redis://:{PASSWORD}@127.0.0.1:{port}/0"
        _wait_until_ready(url, process)
        yield url
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _PATIENCE
    with redis.Redis.from_url(url) as client:
        while True:
            assert process.poll() is None, "redis-server ended"
            try:
                client.ping()
                return
            except redis.ConnectionError:
                assert time.monotonic() < deadline, "redis-server does not answer"
                time.sleep(0.05)
