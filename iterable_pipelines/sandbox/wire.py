"""Answers that are wrong on the wire itself: cut, reset, misframed, dripping. They need the socket uvicorn hides."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any, cast

from starlette.types import ASGIApp, Receive
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from iterable_pipelines.sandbox.faults import Fault

TRANSPORT = "sandbox.transport"


class OpenProtocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """uvicorn's protocol, which hands its transport to the application as scope["extensions"]["sandbox.transport"]."""

    app: ASGIApp

    def connection_made(self, transport: asyncio.Transport) -> None:
        """asyncio calls this once per connection."""
        super().connection_made(transport)
        application = self.app

        async def with_transport(scope: Any, receive: Any, send: Any) -> None:
            scope.setdefault("extensions", {})[TRANSPORT] = {"transport": transport}
            await application(scope, receive, send)

        self.app = with_transport


@dataclass(frozen=True)
class Answer:
    """A whole answer of the application, held back so that it can be spoilt."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def head(self, *framing: bytes) -> bytes:
        """The head with the given framing headers in place of its own."""
        kept = [
            (name, value)
            for name, value in self.headers
            if name.lower() not in (b"content-length", b"transfer-encoding")
        ]
        date = b"Date: " + formatdate(usegmt=True).encode()
        lines = [
            f"HTTP/1.1 {self.status} Sandbox".encode(),
            date,
            *(name + b": " + value for name, value in kept),
            *framing,
        ]
        return b"\r\n".join(lines) + b"\r\n\r\n"


def _chunk(part: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(part), part) if part else b""


CHUNKED = b"Transfer-Encoding: chunked"


async def break_wire(fault: Fault, answer: Answer, transport: asyncio.Transport, receive: Receive) -> None:
    """Send `answer` over `transport` as the fault's kind says, then wait until the connection is gone."""
    await WAYS[fault.kind](answer, transport, fault.options)
    while (await receive())["type"] != "http.disconnect":
        pass


async def _reset(answer: Answer, transport: asyncio.Transport, options: dict[str, Any]) -> None:
    """Some bytes, then RST."""
    part = answer.body[: options.get("bytes", len(answer.body) // 2)]
    transport.write(answer.head(CHUNKED) + _chunk(part))
    while transport.get_write_buffer_size():
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)  # the client must have read what was sent: RST throws away the rest
    sock = cast(socket.socket, transport.get_extra_info("socket"))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


async def _cut(answer: Answer, transport: asyncio.Transport, options: dict[str, Any]) -> None:
    """Chunked, ended inside a record without the last chunk."""
    at = options.get("bytes", len(answer.body) // 2)
    if answer.body[at - 1 : at] == b"\n":
        at -= 1
    transport.write(answer.head(CHUNKED) + _chunk(answer.body[:at]))
    transport.close()


async def _cut_at_record(answer: Answer, transport: asyncio.Transport, options: dict[str, Any]) -> None:
    """Chunked, ended exactly after a record without the last chunk."""
    at = answer.body.rfind(b"\n", 0, options.get("bytes", int(len(answer.body) * options.get("share", 0.5)))) + 1
    transport.write(answer.head(CHUNKED) + _chunk(answer.body[:at]))
    transport.close()


async def _short(answer: Answer, transport: asyncio.Transport, options: dict[str, Any]) -> None:
    """Content-Length promises more than comes."""
    length = b"Content-Length: %d" % (len(answer.body) + options.get("bytes", 1000))
    transport.write(answer.head(length) + answer.body)
    transport.close()


async def _eof_framed(answer: Answer, transport: asyncio.Transport, options: dict[str, Any]) -> None:
    """Neither length nor chunks: the connection's end is the answer's end. `bytes` cuts it short, silently."""
    transport.write(answer.head(b"Connection: close") + answer.body[: options.get("bytes", len(answer.body))])
    transport.close()


async def _drip(answer: Answer, transport: asyncio.Transport, options: dict[str, Any]) -> None:
    """The true answer, `bytes` at a time with `pause` seconds between."""
    size, pause = options.get("bytes", 1), options.get("pause", 1.0)
    transport.write(answer.head(CHUNKED))
    for at in range(0, len(answer.body), size):
        if transport.is_closing():
            return
        transport.write(_chunk(answer.body[at : at + size]))
        await asyncio.sleep(pause)
    transport.write(b"0\r\n\r\n")
    transport.close()


async def _stall(answer: Answer, transport: asyncio.Transport, options: dict[str, Any]) -> None:
    """Half of the answer, then silence for `seconds` with the socket open."""
    transport.write(answer.head(CHUNKED) + _chunk(answer.body[: options.get("bytes", len(answer.body) // 2)]))
    await _silence(transport, options)


async def _hang(answer: Answer, transport: asyncio.Transport, options: dict[str, Any]) -> None:
    """The request is carried out, but no answer ever comes."""
    await _silence(transport, options)


async def _lost_answer(answer: Answer, transport: asyncio.Transport, options: dict[str, Any]) -> None:
    """The request is carried out, and the connection closed without a byte of an answer."""
    transport.abort()


async def _silence(transport: asyncio.Transport, options: dict[str, Any]) -> None:
    for _ in range(int(options.get("seconds", 3600) * 10)):
        if transport.is_closing():
            return
        await asyncio.sleep(0.1)
    transport.abort()


WAYS: dict[str, Callable[[Answer, asyncio.Transport, dict[str, Any]], Awaitable[None]]] = {
    "reset": _reset,
    "cut": _cut,
    "cut_at_record": _cut_at_record,
    "short": _short,
    "eof_framed": _eof_framed,
    "drip": _drip,
    "stall": _stall,
    "hang": _hang,
    "lost_answer": _lost_answer,
}
