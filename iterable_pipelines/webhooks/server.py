"""The receiver as a process: one socket, one event loop, one thread that writes."""

import resource
import signal
import socket
from contextlib import suppress
from functools import partial

import uvicorn

from iterable_pipelines.webhooks.protocol import CONNECTIONS, BoundedProtocol
from iterable_pipelines.webhooks.receiver import Receiver

# longer than nginx keeps a connection to an upstream: who closes first must be the one who asks
_KEEP_ALIVE = 75
_STOP_WITHIN = 30


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises OSError for an address that is taken, or none of this machine's."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, port), family=family, backlog=1024)
    # asyncio does this only for sockets that name their protocol; without it an answer may wait 40 ms for an ACK
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def make_server(receiver: Receiver) -> uvicorn.Server:
    """The server of a receiver, for the sockets that its `run` is given."""
    return uvicorn.Server(
        uvicorn.Config(
            receiver.application(),
            http=partial(BoundedProtocol, refused=receiver.metrics.refused),  # type: ignore[arg-type]
            ws="none",
            lifespan="on",
            # a warning for each malformed request would fill the log; they are counted
            log_config=None,
            log_level="error",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=_KEEP_ALIVE,
            timeout_graceful_shutdown=_STOP_WITHIN,
        )
    )


def serve(receiver: Receiver, listening: socket.socket) -> None:
    """Serve until SIGTERM or Ctrl-C; then answer what is under way, write what waits, and return."""
    _allow_files(2 * CONNECTIONS)
    server = make_server(receiver)

    def stop(*_: object) -> None:
        server.should_exit = True

    # also before uvicorn takes over, and when it raises the signal once more at the end: a stop is no failure
    before = signal.signal(signal.SIGTERM, stop)
    try:
        with suppress(KeyboardInterrupt):
            server.run(sockets=[listening])
    finally:
        signal.signal(signal.SIGTERM, before)


def _allow_files(wanted: int) -> None:
    """Let this process open so many files, if it may: each connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
