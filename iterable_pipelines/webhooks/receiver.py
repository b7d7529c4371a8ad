"""The receiver: takes what Iterable sends, and answers 2xx only once it is durable.

Who shows no token is refused before a byte of the body is asked for. How much a request may be, and how long it may
take, is bounded, and so is what all of them may hold together: memory stays flat under any flood.
"""

import asyncio
import logging
import math
import sqlite3
import time
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import NoReturn

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from iterable_pipelines.webhooks.authentication import Authentication
from iterable_pipelines.webhooks.body import read_body
from iterable_pipelines.webhooks.group_commit import GroupCommit, NotStored
from iterable_pipelines.webhooks.metrics import Metrics, age
from iterable_pipelines.webhooks.spool import Level, Spool

log = logging.getLogger(__name__)

# how old the level that is shown may be
_LEVEL_SECONDS = 1.0
_WARN_SECONDS = 60.0


@dataclass(frozen=True)
class Bounds:
    """What one request, and all of them together, may take."""

    body_bytes: int = 1024**2
    body_seconds: float = 10.0
    # of the path with its query: Iterable's merge tags put names of campaigns there (W18)
    target_bytes: int = 8 * 1024
    headers: int = 100
    header_bytes: int = 16 * 1024
    # requests under way, and the bytes of their bodies
    requests: int = 500
    bytes: int = 32 * 1024**2


class Receiver:
    """The application of one spool."""

    def __init__(self, spool: Spool, authentication: Authentication, bounds: Bounds | None = None) -> None:
        self.spool, self.bounds, self.metrics = spool, bounds or Bounds(), Metrics()
        self._authentication = authentication
        self._commit = GroupCommit(spool, self.metrics)
        self._requests = self._bytes = 0
        self._warned_at = -math.inf
        self._counting, self._counted_at = asyncio.Lock(), -math.inf
        self._level: Level | None = None

    def application(self) -> ASGIApp:
        """The application as ASGI; it writes between its start and its end."""
        application = Starlette(
            routes=[
                Route("/webhooks", self.receive, methods=["POST"]),
                Route("/", self.receive, methods=["POST"]),
                Route("/health", self.health),
                Route("/metrics", self.show_metrics),
            ],
            middleware=[Middleware(_Front, bounds=self.bounds, refused=self.metrics.refused)],
            lifespan=self._lifespan,
        )
        # who sends webhooks does not follow where it is sent
        application.router.redirect_slashes = False
        return application

    async def receive(self, request: Request) -> Response:
        """A webhook. The query is no data: hostile names of campaigns may stand there (W18)."""
        if not self._authentication.admits(request.headers):
            self._warn_of_tokens()
            _refuse(401, "the token is missing or wrong", {"WWW-Authenticate": "Bearer"})
        if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
            _refuse(415, "send the body as it is, not compressed")
        if self._requests >= self.bounds.requests:
            _refuse(503, "too many requests at once", {"Retry-After": "1"})
        self._requests += 1
        held = bytearray()
        try:
            await self._read(request, held)
            await self._commit.store(read_body(bytes(held)))
        except ClientDisconnect:
            return Response(status_code=400)
        except TimeoutError:
            _refuse(408, f"the body took more than {self.bounds.body_seconds:g} seconds")
        except NotStored:
            _refuse(503, "nothing can be stored at present", {"Retry-After": "30"})
        finally:
            self._requests -= 1
            self._bytes -= len(held)
        return Response()

    def _warn_of_tokens(self) -> None:
        # whoever has mistyped it is to see why nothing arrives, and no flood is to fill the disk
        if time.monotonic() - self._warned_at > _WARN_SECONDS:
            self._warned_at = time.monotonic()
            log.warning("requests are refused (401): their token is missing or wrong; said once a minute at most")

    async def _read(self, request: Request, held: bytearray) -> None:
        """Read the body into `held`, no further than it may go."""
        # the server has seen to it that it is a number; what comes in chunks has none
        too_large = int(request.headers.get("content-length", 0)) > self.bounds.body_bytes
        async with asyncio.timeout(self.bounds.body_seconds):
            parts = request.stream()
            while not too_large and (part := await anext(parts, b"")):
                held += part
                self._bytes += len(part)
                too_large = len(held) > self.bounds.body_bytes
                if self._bytes > self.bounds.bytes:
                    _refuse(503, "too many bytes at once", {"Retry-After": "1"})
        if too_large:
            _refuse(413, f"a body may have {self.bounds.body_bytes:,} bytes")

    async def health(self, request: Request) -> Response:
        """Whether webhooks are taken, as 200 or 503, and how full the spool is. No personal data."""
        trouble, level = self._commit.trouble, await self._level_now()
        well = trouble is None and level is not None
        told = {
            "status": "ok" if well else "refusing",
            "spool": level
            and {
                "queued": level.queued,
                "aside": level.aside,
                "bytes": level.bytes,
                "oldest_seconds": round(age(level), 1),
            },
            "error": trouble and {"why": trouble.why, "since": trouble.since.isoformat()},
        }
        return JSONResponse(told, 200 if well else 503)

    async def show_metrics(self, request: Request) -> Response:
        """Everything that is counted, for Prometheus."""
        level = await self._level_now()
        return PlainTextResponse(self.metrics.text(level, writable=self._commit.trouble is None))

    async def _level_now(self) -> Level | None:
        """The level of the spool, a second old at most; None for a spool that cannot be read."""
        # anybody may ask, and to count ten million bodies takes half a second
        async with self._counting:
            if time.monotonic() - self._counted_at > _LEVEL_SECONDS:
                try:
                    self._level = await run_in_threadpool(self.spool.level)
                except (sqlite3.Error, OSError):
                    # the writer finds the same, and tells
                    self._level = None
                self._counted_at = time.monotonic()
            return self._level

    @asynccontextmanager
    async def _lifespan(self, application: Starlette) -> AsyncIterator[None]:
        self._commit.start()
        yield
        await self._commit.stop()


class _Front:
    """Around the application: bounds of the head, the count of what was refused, and no traceback for anybody."""

    def __init__(self, app: ASGIApp, bounds: Bounds, refused: Callable[[int], None]) -> None:
        self._app, self._bounds, self._refused = app, bounds, refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                if message["status"] >= 400:
                    self._refused(message["status"])
                    # the body of what was refused is not read, so nothing can follow it
                    message["headers"] = [*message.get("headers", []), (b"connection", b"close")]
            await send(message)

        try:
            await (self._too_long(scope) or self._app)(scope, receive, watched)
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            # the text of an error may quote a body
            log.error("%s in %s, line %s: answered 500", type(error).__name__, where.filename, where.lineno)
            if not begun:
                await PlainTextResponse("this request could not be worked on", 500)(scope, receive, watched)

    def _too_long(self, scope: Scope) -> Response | None:
        if len(scope["raw_path"]) + len(scope["query_string"]) > self._bounds.target_bytes:
            return PlainTextResponse("the URL is too long", 414)
        size = sum(len(name) + len(value) for name, value in scope["headers"])
        if size > self._bounds.header_bytes or len(scope["headers"]) > self._bounds.headers:
            return PlainTextResponse("the headers are too large", 431)
        return None


def _refuse(status: int, why: str, headers: dict[str, str] | None = None) -> NoReturn:
    raise HTTPException(status, why, headers)
