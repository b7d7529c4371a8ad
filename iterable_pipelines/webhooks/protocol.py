"""HTTP on the wire, with an end to everything that a request may bring besides its body."""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# beyond this, what has no end yet is not waited for; what came at once is measured by the receiver
_HEAD_BYTES = 32 * 1024
_HEAD_SECONDS = 10.0
# uvicorn's own limit lets silent ones in, and says not when to come again
CONNECTIONS = 1000


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol over llhttp, which alone would keep headers without end, and wait for them for ever."""

    def __init__(self, *given: Any, refused: Callable[[int], None], **named: Any) -> None:
        super().__init__(*given, **named)
        self._refused = refused
        self._unread = 0
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """One connection too many is told so; one on which nothing is asked does not stay."""
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS:
            self._refuse(503)
        else:
            self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """The deadline ends with the connection."""
        self._head_came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what came since the last thing that was understood: a head, or a piece of a body."""
        self._unread += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._unread > _HEAD_BYTES:
            self._refuse(414 if not self.headers and len(self.url) > _HEAD_BYTES // 2 else 431)
        elif self._deadline is None and (self.cycle is None or self.cycle.response_complete):
            self._wait_for_head()

    def on_url(self, url: bytes) -> None:
        """Keep as much as tells that it is too long: beyond 64 KiB the parser would call it malformed."""
        self.url = (self.url + url)[:_HEAD_BYTES]

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._unread = 0
        self._head_came()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of the body came."""
        self._unread = 0
        super().on_body(body)

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP counts as refused too."""
        self._refused(400)
        super().send_400_response(msg)

    def _wait_for_head(self) -> None:
        self._deadline = self.loop.call_later(_HEAD_SECONDS, self._refuse, 408)

    def _head_came(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self, status: int) -> None:
        self._refused(status)
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", "Content-Length: 0", "Connection: close"]
        lines += ["Retry-After: 1"] if status == 503 else []
        self.transport.write("\r\n".join([*lines, "", ""]).encode())
        self.transport.close()
