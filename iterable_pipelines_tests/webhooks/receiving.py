"""A receiver on a free port of this machine, and requests to it byte by byte."""

import json
import re
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iterable_pipelines.webhooks.authentication import Authentication
from iterable_pipelines.webhooks.receiver import Bounds, Receiver
from iterable_pipelines.webhooks.server import listen, make_server
from iterable_pipelines.webhooks.spool import Spool
from iterable_pipelines_tests.cli.command import Command

TOKEN = "a-token-of-the-tests"
_PATIENCE = 60.0


@dataclass(frozen=True)
class Answer:
    """What came back: the status, headers by lower-case name, the body. Status 0: closed without a word."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Running:
    """A running receiver."""

    port: int
    spool: Spool

    def post(self, body: bytes, path: str = "/webhooks", **headers: str) -> Answer:
        """A webhook as Iterable sends it; `Content_Type="…"` becomes Content-Type."""
        given = {"Authorization": TOKEN, "Content_Length": str(len(body))} | headers
        return self.ask(head("POST", path, **given) + body)

    def get(self, path: str) -> Answer:
        return self.ask(head("GET", path))

    def metrics(self) -> dict[str, float]:
        """The metrics by name, with labels."""
        lines = self.get("/metrics").body.decode().splitlines()
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}

    def ask(self, request: bytes) -> Answer:
        """Send bytes on a connection of their own, and read the answer."""
        with self.connection() as connection:
            # who is refused early may find the connection closed while sending still
            with suppress_reset():
                connection.sendall(request)
            return answer(connection)

    def connection(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=_PATIENCE)

    def bodies(self) -> list[bytes]:
        """Every body in the spool, queued or put aside."""
        return [each.raw for each in (*self.spool.queued(100_000), *self.spool.set_aside())]


def suppress_reset() -> suppress:
    """A connection that the other side has closed is no error."""
    return suppress(ConnectionResetError, BrokenPipeError)


def head(method: str, path: str, **headers: str) -> bytes:
    """The head of a request."""
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in {"Host": "127.0.0.1", **headers}.items()]
    return "\r\n".join([f"{method} {path} HTTP/1.1", *lines]).encode("latin-1") + b"\r\n\r\n"


def answer(connection: socket.socket) -> Answer:
    """Read one answer."""
    read = b""
    with suppress_reset():
        while b"\r\n\r\n" not in read and (part := connection.recv(65536)):
            read += part
        first, *lines = read.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        body = read.partition(b"\r\n\r\n")[2]
        while len(body) < int(headers.get("content-length", 0)) and (part := connection.recv(65536)):
            body += part
        return Answer(int(first.split(" ")[1]) if first else 0, headers, body)
    return Answer(0, {}, b"")


@contextmanager
def running_receiver(
    folder: Path, tokens: tuple[str, ...] = (TOKEN,), header: str = "Authorization", **bounds: Any
) -> Iterator[Running]:
    """A receiver in a thread, stopped as by SIGTERM when the block ends.

    `bounds` are those of `Bounds`, and besides `port`, and `most_bytes` of the spool.
    """
    spool = Spool(folder / "spool.db", bounds.pop("most_bytes", 10**9))
    listening = listen("127.0.0.1", bounds.pop("port", 0))
    server = make_server(Receiver(spool, Authentication(tokens, header), Bounds(**bounds)))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    port = int(listening.getsockname()[1])
    thread.start()
    try:
        until(lambda: server.started)
        yield Running(port, spool)
    finally:
        server.should_exit = True
        thread.join(_PATIENCE)
        assert not thread.is_alive()


@contextmanager
def receiving(root: Path) -> Iterator[tuple[Running, subprocess.Popen[str]]]:
    """The command itself, as a process of its own, in the project folder `root`; the test ends it."""
    with Command(root, webhook_token=TOKEN).start("webhooks", "--port", "0") as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        found = re.fullmatch(r"Receiving webhooks at http://127\.0\.0\.1:(\d+)/webhooks, .*\n", said)
        assert found and TOKEN not in said, said
        yield Running(int(found[1]), Spool(root / "data" / "webhooks" / "spool.db")), process


def until(holds: Callable[[], bool]) -> None:
    """Wait for something that happens in another thread or process."""
    deadline = time.monotonic() + _PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def event(number: int = 0, **fields: Any) -> bytes:
    """The body of a webhook."""
    email = f"person{number}@example.com"
    created = {"createdAt": "2026-11-01 03:04:05 +00:00", "messageId": f"m{number}", "campaignId": 1, "email": email}
    return json.dumps({"email": email, "eventName": "emailOpen", "dataFields": created | fields}).encode()
