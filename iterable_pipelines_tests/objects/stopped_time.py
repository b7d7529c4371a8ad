"""A clock for simulated days: it stands still while anybody is at work, so that a slow machine changes nothing."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime


class StoppedTime:
    """Stands in for the module `time`. It moves on to the next waking when everybody at work sleeps."""

    def __init__(self, start: datetime) -> None:
        self._now = start.timestamp()
        self._changed = threading.Condition()
        self._at_work = 0
        self._wakings: list[float] = []

    def time(self) -> float:
        return self._now

    monotonic = time

    def now(self, _: datetime | None = None) -> datetime:
        """The moment it shows, whatever the machine's own clock says."""
        return datetime.fromtimestamp(self._now, UTC)

    def go_to(self, moment: datetime) -> None:
        """Let it be `moment`, if it is not later already; nobody may be at work."""
        with self._changed:
            self._now = max(self._now, moment.timestamp())

    def sleep(self, seconds: float) -> None:
        with self._changed:
            waking = self._now + max(seconds, 0.001)
            self._wakings.append(waking)
            self._move_on()
            self._changed.wait_for(lambda: self._now >= waking)

    @contextmanager
    def working(self) -> Iterator[None]:
        """Whoever sleeps inside is waited for."""
        with self._changed:
            self._at_work += 1
        try:
            yield
        finally:
            with self._changed:
                self._at_work -= 1
                self._move_on()

    def _move_on(self) -> None:
        if self._wakings and len(self._wakings) >= self._at_work:
            self._now = max(self._now, min(self._wakings))
            self._wakings = [waking for waking in self._wakings if waking > self._now]
            self._changed.notify_all()
