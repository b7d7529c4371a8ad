"""What the sandbox was asked, and when: the evidence for tests of budgets, retries and secrets."""

import threading
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import Any


def fingerprint(key: str) -> str:
    """A key as the log shows it: never the key itself."""
    return sha256(key.encode()).hexdigest()[:12] if key else ""


@dataclass
class LoggedRequest:
    """One request. `wall` is epoch seconds and `monotonic` a clock that never jumps, both taken at arrival."""

    method: str
    path: str
    params: list[tuple[str, str]]
    key: str
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    wall: float = field(default_factory=time.time)
    monotonic: float = field(default_factory=time.monotonic)
    status: int | None = None
    fault: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The request as GET /_sandbox/requests shows it."""
        return asdict(self)


class RequestLog:
    """All requests in order of arrival, the sandbox's own /_sandbox paths left out.

    kept: how many characters of bodies stay; of older requests everything else does. A million users written in bulk
    would take more memory here than in the world.
    """

    def __init__(self, kept: int = 64_000_000) -> None:
        self._entries: list[LoggedRequest] = []
        self._kept, self._held, self._with_body = kept, 0, deque[LoggedRequest]()
        self._lock = threading.Lock()

    def add(self, entry: LoggedRequest) -> None:
        """Append one request at its arrival; its status is filled in later."""
        with self._lock:
            self._entries.append(entry)
            if entry.body:
                self._with_body.append(entry)
                self._held += len(entry.body)
            while self._held > self._kept:
                oldest = self._with_body.popleft()
                self._held -= len(oldest.body)
                oldest.body = ""

    def entries(self, path: str = "") -> list[LoggedRequest]:
        """The requests whose path begins with `path`."""
        with self._lock:
            return [each for each in self._entries if each.path.startswith(path)]

    def clear(self) -> None:
        """Forget everything logged so far."""
        with self._lock:
            self._entries.clear()
            self._with_body.clear()
            self._held = 0
