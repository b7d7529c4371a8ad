"""The sandbox as a server: one application, run in the foreground for people or in a thread for tests."""

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import uvicorn
from rich.console import Console
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from iterable_pipelines.sandbox.errors import bad_params, unknown_route
from iterable_pipelines.sandbox.exports import export_routes
from iterable_pipelines.sandbox.faults import Fault, Faults
from iterable_pipelines.sandbox.front import Front
from iterable_pipelines.sandbox.in_app_reads import in_app_read_routes
from iterable_pipelines.sandbox.jobs import JobBoard, job_routes
from iterable_pipelines.sandbox.limits import Limits
from iterable_pipelines.sandbox.lookups import lookup_routes
from iterable_pipelines.sandbox.metrics import metric_routes
from iterable_pipelines.sandbox.request_log import LoggedRequest, RequestLog
from iterable_pipelines.sandbox.rules import Rules
from iterable_pipelines.sandbox.shelves import shelf_routes
from iterable_pipelines.sandbox.template_reads import template_routes
from iterable_pipelines.sandbox.user_reads import user_read_routes
from iterable_pipelines.sandbox.webhook_sender import AS_USUAL, Delivery, WebhookSender
from iterable_pipelines.sandbox.webhooks import Hook, Hooks, webhook_routes
from iterable_pipelines.sandbox.wire import OpenProtocol
from iterable_pipelines.sandbox.world import World
from iterable_pipelines.sandbox.writing import write_routes
from iterable_pipelines.sandbox.written import Dropped, Send

KEY = "sandbox"
READ_ONLY_KEY = "sandbox-read-only"


@dataclass(frozen=True)
class Sandbox:
    """A running sandbox: where it listens, what opens it, its world, what it was asked, and the webhooks it sends."""

    url: str
    key: str
    read_only_key: str
    world: World
    log: RequestLog
    faults: Faults
    sender: WebhookSender

    def requests(self, path: str = "") -> list[LoggedRequest]:
        """The requests so far whose path begins with `path`, in order of arrival."""
        return self.log.entries(path)

    @property
    def dropped(self) -> list[Dropped]:
        """What the fault `lie` left out, in order: where it was sent, whom it names, and its id if it has one."""
        return self.world.written.dropped

    @property
    def sends(self) -> list[Send]:
        """What was really sent through the API so far, in order; what is scheduled is not."""
        self.world.settle()
        return list(self.world.written.sends)

    def edit_item(self, catalog: str, item_id: str, value: dict[str, Any]) -> None:
        """Somebody makes `value` all there is of a catalog's item in Iterable's UI."""
        with self.world.written.lock:
            self.world.catalogs.write(catalog, item_id, value)

    def remove_item(self, catalog: str, item_id: str) -> None:
        """Somebody deletes a catalog's item in the UI."""
        with self.world.written.lock:
            self.world.catalogs.write(catalog, item_id, None)

    def edit_template(self, template_id: int, **fields: Any) -> None:
        """Somebody changes these fields of a template in the UI. Raises KeyError for one that is not there."""
        with self.world.written.lock:
            template = self.world.templates.find(template_id)
            if template is None:
                raise KeyError(template_id)
            self.world.templates.change(template, fields)

    def remove_template(self, template_id: int) -> None:
        """Somebody deletes a template in the UI."""
        with self.world.written.lock:
            self.world.templates.remove(template_id)

    def fault(
        self,
        kind: str,
        path: str = "/api/export/data.json",
        match: dict[str, str] | None = None,
        times: int | None = 1,
        after: int = 0,
        **options: Any,
    ) -> None:
        """Script a fault (sandbox.faults.Fault says what each part means). Raises ValueError for an unknown kind."""
        self.faults.add(Fault(kind, path, match or {}, times, after, options))


def make_routes(
    world: World,
    gzip: bool = False,
    job_seconds: float = 0.2,
    file_bytes: int = 10_000_000,
    url_seconds: float = 1800,
    **rules: Any,
) -> list[Route]:
    """Every route of Iterable's that the sandbox has.

    gzip: compresses exports for clients that accept it. job_seconds: how long an export job runs. file_bytes: largest
    file of a job. url_seconds: life of a file's URL. rules: those of sandbox.rules.Rules, by name.
    """
    world.play_by(Rules(**rules))
    return [
        *export_routes(world, gzip),
        *job_routes(JobBoard(world, job_seconds, file_bytes, url_seconds)),
        *metric_routes(world),
        *template_routes(world),
        *lookup_routes(world),
        *shelf_routes(world),
        *webhook_routes(world.hooks),
        *write_routes(world),
        *user_read_routes(world),
        *in_app_read_routes(world),
    ]


def make_app(
    world: World,
    log: RequestLog,
    faults: Faults,
    relaxed: bool = False,
    key: str = KEY,
    read_only_key: str = READ_ONLY_KEY,
    pace: float = 1.0,
    **options: Any,
) -> ASGIApp:
    """The whole application as ASGI. `relaxed` lifts the export limit, `pace` is how long a second of a limit lasts.

    `options` are those of `make_routes`.
    """
    routes = [*make_routes(world, **options), *_control_routes(log, faults)]
    starlette = Starlette(routes=routes, exception_handlers={404: _unknown})
    return Front(starlette, log, faults, Limits(relaxed, pace, world.now), key, read_only_key)


async def _unknown(request: Request, error: Exception) -> Response:
    return unknown_route()


def _control_routes(log: RequestLog, faults: Faults) -> list[Route]:
    async def script(request: Request) -> Response:
        asked = await request.json()
        try:
            known = {name: asked.pop(name) for name in ("kind", "path", "match", "times", "after") if name in asked}
            fault = Fault(**known, options=asked)
        except (TypeError, ValueError) as wrong:
            return bad_params(str(wrong))
        faults.add(fault)
        return JSONResponse(asdict(fault), 201)

    async def call_off(request: Request) -> Response:
        faults.clear()
        return Response(status_code=204)

    async def requests(request: Request) -> Response:
        return JSONResponse(
            {"requests": [each.as_json() for each in log.entries(request.query_params.get("path", ""))]}
        )

    return [
        Route("/_sandbox/faults", script, methods=["POST"]),
        Route("/_sandbox/faults", call_off, methods=["DELETE"]),
        Route("/_sandbox/requests", requests),
    ]


def _server(app: ASGIApp) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=OpenProtocol,
            # faults on the wire behave the same whatever else is installed
            loop="asyncio",
            log_level="warning",
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=1,
        )
    )


def _listen(port: int) -> socket.socket:
    listening = socket.create_server(("127.0.0.1", port), backlog=128)
    # asyncio does this only for sockets that name their protocol; without it each answer waits 40 ms for an ACK
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


@contextmanager
def running_sandbox(
    seed: int = 1,
    users: int = 300,
    activity: float = 1.0,
    start: datetime | None = None,
    end: datetime | None = None,
    project_type: str = "email",
    world: World | None = None,
    relaxed: bool = False,
    webhooks: Sequence[Hook] | None = None,
    delivery: Delivery = AS_USUAL,
    kept_bodies: int = 64_000_000,
    **options: Any,
) -> Iterator[Sandbox]:
    """A sandbox on a free port of 127.0.0.1, in a thread, stopped when the block ends.

    The parameters are World's (or a ready `world`), then those of `make_app`, `make_routes` and `Rules`, by name in
    `options`. kept_bodies: how many characters of requests' bodies the log keeps.
    webhooks: those of the project, instead of two that lead nowhere. A world without an end posts to those on this
    machine, as `delivery` says.
    """
    world = world or World(seed, users, activity, start, end, project_type)
    if webhooks is not None:
        world.hooks = Hooks(webhooks)
    log, faults = RequestLog(kept_bodies), Faults()
    server = _server(make_app(world, log, faults, relaxed, **options))
    key, read_only_key = options.get("key", KEY), options.get("read_only_key", READ_ONLY_KEY)
    listening = _listen(0)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="sandbox", daemon=True)
    thread.start()
    sender = WebhookSender(world, delivery)
    try:
        with sender.running():
            url = f"http://127.0.0.1:{listening.getsockname()[1]}"
            yield Sandbox(url, key, read_only_key, world, log, faults, sender)
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        listening.close()


def run_sandbox(
    port: int = 8800,
    seed: int = 1,
    users: int = 300,
    activity: float = 1.0,
    relaxed: bool = False,
    project_type: str = "email",
    webhooks: Sequence[Hook] | None = None,
    delivery: Delivery = AS_USUAL,
    **options: Any,
) -> None:
    """Serve a living world on 127.0.0.1 until interrupted; says first where, with which keys, and what is relaxed.

    The parameters are those of `running_sandbox`.
    """
    world = World(seed, users, activity, project_type=project_type)
    if webhooks is not None:
        world.hooks = Hooks(webhooks)
    app = make_app(world, RequestLog(), Faults(), relaxed, **options)
    with _listen(port) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        say = Console(highlight=False).print
        say(f"Sandbox of Iterable at {url} (seed {seed}, {users} users, {project_type} project)")
        say(f"Keys: {KEY} (server-side), {READ_ONLY_KEY} (may not export)")
        say("Export limit relaxed: any number a minute" if relaxed else "Limits as documented: 4 exports a minute")
        for hook in filter(lambda each: each.reachable, world.hooks.all()):
            say(f"Webhook {hook.id} to {hook.endpoint}: each event as it becomes known, some twice, some never")
        with suppress(KeyboardInterrupt), WebhookSender(world, delivery).running():
            _server(app).run(sockets=[listening])
