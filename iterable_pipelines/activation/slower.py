"""The pace after a 429: slower for the rest of the run, whatever the limit allows (R11)."""

import threading
import time

from iterable_pipelines.api.limits import limits_of


class Slower:
    """After a 429, requests of that path keep a distance: a quarter less of the budget each time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spacing: dict[str, float] = {}
        self._next: dict[str, float] = {}

    def after_429(self, method: str, path: str) -> None:
        """Once more there was one."""
        limit = limits_of(method, path)[0]
        with self._lock:
            spacing = self._spacing.get(path, limit.seconds / limit.calls)
            self._spacing[path] = min(spacing / 0.75, 10 * limit.seconds / limit.calls)

    def pause(self, path: str) -> None:
        """Sleep until the next request may go."""
        with self._lock:
            if path not in self._spacing:
                return
            due = max(time.monotonic(), self._next.get(path, 0.0))
            self._next[path] = due + self._spacing[path]
        time.sleep(max(0.0, due - time.monotonic()))
