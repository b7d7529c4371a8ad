"""Somebody whom webhooks are sent to: notes every request, and answers as the test says."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass(frozen=True)
class Received:
    """One request: its path, its headers by lower-case name, its body, and the port of the connection it came by."""

    path: str
    headers: dict[str, str]
    body: bytes
    port: int


@dataclass
class Inbox:
    """What came so far. `statuses` answers the first requests, 200 all others."""

    url: str
    statuses: list[int]
    received: list[Received] = field(default_factory=list)

    @property
    def bodies(self) -> list[bytes]:
        """The bodies in the order of arrival."""
        return [each.body for each in self.received]

    def wait_for(self, count: int) -> None:
        """Until so many requests have come; fails when they do not."""
        deadline = time.monotonic() + 60
        while len(self.received) < count:
            assert time.monotonic() < deadline, f"{len(self.received)} of {count} requests came"
            time.sleep(0.02)


@contextmanager
def open_inbox(statuses: Sequence[int] = ()) -> Iterator[Inbox]:
    """An inbox on a free port of 127.0.0.1, which keeps connections open."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            inbox.received.append(Received(self.path, headers, body, self.client_address[1]))
            self.send_response(inbox.statuses.pop(0) if inbox.statuses else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    inbox = Inbox(f"http://127.0.0.1:{server.server_port}/webhooks", list(statuses))
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield inbox
    finally:
        server.shutdown()
        server.server_close()
