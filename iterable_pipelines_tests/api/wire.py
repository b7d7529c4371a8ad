"""A server on 127.0.0.1 that sends exactly the bytes it is told to, so that answers can be wrong in any way."""

import gzip
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

Script = bytes | Callable[[socket.socket], None]


@dataclass
class Request:
    """A request as it arrived: method, target with its query, headers by lower-case name, and when."""

    method: str
    target: str
    headers: dict[str, str]
    at: float


@dataclass
class Wire:
    """A running server: its address and what it was asked."""

    url: str
    requests: list[Request] = field(default_factory=list)


@contextmanager
def serving(*scripts: Script) -> Iterator[Wire]:
    """Serve one script per connection, in order, the last one repeated. A script is an answer's bytes, or sends it."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    wire = Wire(f"http://127.0.0.1:{listener.getsockname()[1]}")
    ending = threading.Event()

    def serve() -> None:
        turn = 0
        while not ending.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            script = scripts[min(turn, len(scripts) - 1)]
            turn += 1
            threading.Thread(target=answer, args=(connection, script), daemon=True).start()

    def answer(connection: socket.socket, script: Script) -> None:
        with connection:
            try:
                wire.requests.append(read_request(connection))
                if callable(script):
                    script(connection)
                else:
                    connection.sendall(script)
            except OSError:
                pass  # the client hung up, which many tests are about

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield wire
    finally:
        ending.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def read_request(connection: socket.socket) -> Request:
    """Read a request's head; bodies are left alone."""
    head = b""
    while b"\r\n\r\n" not in head:
        part = connection.recv(65536)
        if not part:
            raise OSError("no request came")
        head += part
    first, *lines = head.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    pairs = (line.partition(": ") for line in lines)
    return Request(method, target, {name.lower(): value for name, _, value in pairs}, time.time())


def head(status: int = 200, kind: str = "application/x-json-stream", **headers: Any) -> bytes:
    """A status line and headers; `Retry_After=7` becomes `Retry-After: 7`."""
    lines = [f"HTTP/1.1 {status} Said", f"Content-Type: {kind}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "Connection: close"]).encode() + b"\r\n\r\n"


def sized(body: bytes, status: int = 200, kind: str = "application/x-json-stream", **headers: Any) -> bytes:
    """A whole answer with Content-Length."""
    return head(status, kind, Content_Length=len(body), **headers) + body


def chunked(*parts: bytes, end: bytes = b"0\r\n\r\n", **headers: Any) -> bytes:
    """A chunked answer, one chunk per part; `end=b""` leaves the last chunk out."""
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    return head(Transfer_Encoding="chunked", **headers) + chunks + end


def as_json(value: Any, status: int = 200, **headers: Any) -> bytes:
    """A whole JSON answer."""
    return sized(json.dumps(value).encode(), status, "application/json", **headers)


def zipped(body: bytes) -> bytes:
    """The body as gzip."""
    return gzip.compress(body, mtime=0)


def reset_after(answer: bytes) -> Callable[[socket.socket], None]:
    """Send something, then RST."""

    def script(connection: socket.socket) -> None:
        connection.sendall(answer)
        time.sleep(0.05)  # RST throws away what the client has not read yet
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return script


def drip(start: bytes, piece: bytes, pause: float) -> Callable[[socket.socket], None]:
    """Send `start`, then `piece` for ever with pauses."""

    def script(connection: socket.socket) -> None:
        connection.sendall(start)
        while True:
            connection.sendall(piece)
            time.sleep(pause)

    return script


def hush(start: bytes, seconds: float = 30) -> Callable[[socket.socket], None]:
    """Send `start`, then keep the connection open in silence until the client leaves."""

    def script(connection: socket.socket) -> None:
        connection.sendall(start)
        connection.settimeout(seconds)
        connection.recv(1)

    return script
