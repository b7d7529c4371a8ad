"""The door of the sandbox: every request is logged, may meet a fault, must show a key and keep the limits."""

import asyncio
from urllib.parse import parse_qsl

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from iterable_pipelines.sandbox import errors
from iterable_pipelines.sandbox.faults import (
    AFTERWARDS,
    ANSWERS,
    BODIES,
    JOBS,
    LIES,
    SHIFTS,
    ZIPPED,
    Fault,
    Faults,
    status_answer,
)
from iterable_pipelines.sandbox.limits import Limits
from iterable_pipelines.sandbox.request_log import LoggedRequest, RequestLog, fingerprint
from iterable_pipelines.sandbox.wire import TRANSPORT, Answer, break_wire

READ_ONLY_PREFIXES = (
    "/api/campaigns", "/api/channels", "/api/experiments", "/api/journeys", "/api/messageTypes", "/api/metadata",
    "/api/snippets", "/api/templates", "/api/users/getFields",
)  # fmt: skip


def read_only_may(method: str, path: str) -> bool:
    """Whether a read-only key may ask for this (api.md 1.2)."""
    is_list = path == "/api/lists" or (path.startswith("/api/lists/") and path.endswith("/size"))
    return method == "GET" and (is_list or path.startswith(READ_ONLY_PREFIXES))


class Front:
    """The outermost application: log, faults, keys, limits; then the routes."""

    def __init__(self, routes: ASGIApp, log: RequestLog, faults: Faults, limits: Limits, key: str, read_only_key: str):
        self.routes, self.log, self.faults, self.limits = routes, log, faults, limits
        self.key, self.read_only_key = key, read_only_key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http" or scope["path"].startswith("/_sandbox"):
            await self.routes(scope, receive, send)
            return
        body = await _read_body(receive)
        headers = {name.decode().lower(): value.decode("latin-1") for name, value in scope["headers"]}
        key = headers.get("api-key") or headers.get("api_key") or ""
        params = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        shown = {name: value for name, value in headers.items() if name not in ("api-key", "api_key", "authorization")}
        entry = LoggedRequest(
            scope["method"],
            scope["path"],
            params,
            fingerprint(key),
            headers=shown,
            # the one request whose body holds a secret: the token of a webhook
            body="" if scope["path"] == "/api/webhooks" else body.decode("utf-8", "replace"),
        )
        self.log.add(entry)
        refusal = self._refusal(scope, key)
        # a request that is refused uses up no fault: a test scripts what happens to a call that would have worked
        fault = None if refusal else self.faults.take(scope["path"], params, body)
        entry.fault = fault.kind if fault else None
        replay = _replay(body, receive)

        async def logged(message: Message) -> None:
            if message["type"] == "http.response.start":
                entry.status = message["status"]
            await send(message)

        if refusal or fault is None:
            await (refusal or self.routes)(scope, replay, logged)
        elif fault.kind in JOBS | SHIFTS | LIES:
            scope.setdefault("state", {})["fault"] = fault
            await self.routes(scope, replay, logged)
        elif fault.kind in ANSWERS:
            await ANSWERS[fault.kind](fault.options)(scope, replay, logged)
        elif fault.kind in AFTERWARDS:
            answer = await _whole(self.routes, scope, replay)
            await asyncio.sleep(fault.options.get("seconds", 0))
            if fault.kind == "status_after":
                await status_answer(fault.options)(scope, replay, logged)
            else:
                await _sent(answer, logged)
        else:
            await _spoilt(self.routes, fault, scope, replay, logged, entry)

    def _refusal(self, scope: Scope, key: str) -> Response | None:
        """The answer to a request that may not pass, None for one that may."""
        method, path = scope["method"], scope["path"]
        if path.startswith("/files/"):
            return None  # pre-signed: no key (api.md 3.5)
        if key not in (self.key, self.read_only_key):
            return errors.bad_key(path)
        if key == self.read_only_key and not read_only_may(method, path):
            return errors.weak_key(path)
        if not self.limits.allow(key, method, path):
            return errors.too_many(self.limits.retry_after(key, method, path))
        return None


async def _spoilt(
    application: ASGIApp, fault: Fault, scope: Scope, receive: Receive, send: Send, entry: LoggedRequest
) -> None:
    scope["headers"] = [(name, value) for name, value in scope["headers"] if name.lower() != b"accept-encoding"]
    answer = await _whole(application, scope, receive)
    entry.status = answer.status
    if fault.kind not in BODIES:
        transport: asyncio.Transport = scope["extensions"][TRANSPORT]["transport"]
        await break_wire(fault, answer, transport, receive)
        return
    body = BODIES[fault.kind](answer.body, fault.options)
    kept = [(name, value) for name, value in answer.headers if name.lower() != b"content-length"]
    if fault.kind in ZIPPED:
        kept.append((b"content-encoding", b"gzip"))
    await _sent(Answer(answer.status, kept, body), send)


async def _sent(answer: Answer, send: Send) -> None:
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
    await send({"type": "http.response.body", "body": answer.body})


async def _whole(application: ASGIApp, scope: Scope, receive: Receive) -> Answer:
    """The application's answer, held back."""
    start: Message = {}
    parts: list[bytes] = []

    async def keep(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
        else:
            parts.append(message.get("body", b""))

    await application(scope, receive, keep)
    return Answer(start["status"], list(start["headers"]), b"".join(parts))


async def _read_body(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body once more and then what the connection brings."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again
