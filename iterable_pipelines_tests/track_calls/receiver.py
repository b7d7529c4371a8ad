"""A receiver of track calls on a real socket: it keeps what it took, and can be told to fail in several ways."""

import base64
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

KEY = "write-key-0123456789"


@dataclass
class Receiver:
    """What came, and how the next requests are answered: `faults` are used up one by one, then all is well.

    A fault is a status, or `cut` (the request is taken, its answer breaks off). Calls whose properties hold `bad` are
    refused with 400, like a batch that has one; more than `most` calls or `largest` bytes at once are refused with 413.
    """

    url: str = ""
    faults: list[int | str] = field(default_factory=list)
    most: int = 2500
    largest: int = 500_000
    headers: dict[str, str] = field(default_factory=dict)
    taken: list[dict[str, Any]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    @property
    def messages(self) -> list[str]:
        """The messageId of every call that was taken, in order, those sent twice twice."""
        return [each["messageId"] for each in self.taken]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = await request.body()
        self.bodies.append(body)
        fault = self.faults.pop(0) if self.faults else None
        if fault == "cut":
            self.taken += _calls(body)
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"100")]})
            await send({"type": "http.response.body", "body": b"{", "more_body": True})
            raise ConnectionError("cut off, as it was asked for")
        await self._answer(request, body, fault)(scope, receive, send)

    def _answer(self, request: Request, body: bytes, fault: int | str | None) -> Response:
        if request.headers.get("authorization") != "Basic " + base64.b64encode(f"{KEY}:".encode()).decode():
            return JSONResponse({"success": False}, 401)
        if isinstance(fault, int):
            return JSONResponse({"message": "not now, ada@example.com"}, fault, self.headers)
        calls = _calls(body)
        if len(calls) > self.most or len(body) > self.largest:
            return JSONResponse({}, 413)
        if any("bad" in json.dumps(each["properties"]) for each in calls):
            return JSONResponse({"message": "bad event of ada@example.com"}, 400)
        self.taken += calls
        return JSONResponse({"success": True})


def _calls(body: bytes) -> list[dict[str, Any]]:
    given = json.loads(body)
    calls: list[dict[str, Any]] = given.get("batch", [given])
    return calls


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver on a free port of 127.0.0.1, stopped when the block ends."""
    receiver = Receiver()
    server = uvicorn.Server(
        uvicorn.Config(receiver, log_level="critical", access_log=False, lifespan="off", timeout_graceful_shutdown=1)
    )
    listening = socket.create_server(("127.0.0.1", 0), backlog=128)
    receiver.url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1/batch"
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        listening.close()
