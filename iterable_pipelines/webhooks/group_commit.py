"""Group commit: one thread writes to the spool; what arrives while it does so is written together, in one fsync."""

import asyncio
import logging
import sqlite3
import threading
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import datetime

from iterable_pipelines.hours import now
from iterable_pipelines.webhooks.body import Body
from iterable_pipelines.webhooks.metrics import Metrics
from iterable_pipelines.webhooks.spool import Spool, SpoolFull

log = logging.getLogger(__name__)

# how often a spool that could not be written is tried out again
_TRY_AGAIN = 1.0
_STOP_WITHIN = 30.0


class NotStored(Exception):
    """The body is not durable: it must not be answered with a 2xx."""


@dataclass(frozen=True)
class Trouble:
    """Why nothing can be stored, and since when."""

    why: str
    since: datetime


@dataclass(frozen=True)
class _Waiting:
    body: Body
    received_at: datetime
    stored: asyncio.Future[None]


class GroupCommit:
    """The one writer of a receiver. `trouble` is None while the last attempt to write went well."""

    def __init__(self, spool: Spool, metrics: Metrics) -> None:
        self.trouble: Trouble | None = None
        self._spool, self._metrics = spool, metrics
        self._waiting: list[_Waiting] = []
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="group commit", daemon=True)

    def start(self) -> None:
        """Begin to write; to be called in the event loop that stores."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def stop(self) -> None:
        """Write what waits, and end."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        await asyncio.to_thread(self._thread.join, _STOP_WITHIN)

    async def store(self, body: Body) -> None:
        """Return when the body is durable. Raises NotStored when it is not."""
        waiting = _Waiting(body, now(), self._loop.create_future())
        with self._changed:
            self._waiting.append(waiting)
            self._changed.notify()
        await waiting.stored

    def _run(self) -> None:
        spool: Spool | None = None
        with ExitStack() as opened:
            while (batch := self._next()) is not None:
                began, new = time.perf_counter(), 0
                error: Exception | None = None
                try:
                    if spool is None:
                        spool = opened.enter_context(self._spool.kept_open())
                    if batch:
                        new = spool.add([(each.body, each.received_at) for each in batch])
                    else:
                        spool.try_out()
                except Exception as caught:
                    # whatever it is: if this thread ended, everybody would wait for ever
                    error, spool = caught, None
                    with suppress(sqlite3.Error):
                        opened.close()
                else:
                    self._count(batch, new, time.perf_counter() - began)
                self._note(error)
                self._loop.call_soon_threadsafe(_settle, batch, error)

    def _next(self) -> list[_Waiting] | None:
        """What waits; nothing, when it is time to try a spool in trouble; None at the end."""
        with self._changed:
            while not self._waiting and not self._stopping:
                if not self._changed.wait(_TRY_AGAIN if self.trouble else None) and self.trouble:
                    return []
            batch, self._waiting = self._waiting, []
            return batch or None

    def _count(self, batch: list[_Waiting], new: int, seconds: float) -> None:
        if not batch:
            return
        self._metrics.received.inc(len(batch))
        self._metrics.replayed.inc(len(batch) - new)
        self._metrics.unreadable.inc(sum(each.body.unreadable is not None for each in batch))
        self._metrics.commit_bodies.observe(len(batch))
        self._metrics.commit_seconds.observe(seconds)

    def _note(self, error: Exception | None) -> None:
        """Say once that nothing can be stored, and once that it can be again."""
        if error is None:
            if self.trouble:
                log.warning(
                    "The spool takes webhooks again; none were taken since %s UTC",
                    f"{self.trouble.since:%Y-%m-%d %H:%M:%S}",
                )
            self.trouble = None
            return
        if self.trouble is None:
            log.error(
                "Webhooks are refused with 503, because %s cannot be written: %s. What was answered with 200 is safe. "
                "Next: free space, move a broken file away, or see what keeps the job `webhooks` from running; "
                "this mends itself then",
                self._spool.path,
                _why(error),
            )
        self.trouble = Trouble(_why(error), self.trouble.since if self.trouble else now())


def _why(error: Exception) -> str:
    """What may be told to anybody who asks for the health: no path, and no text that might quote a body."""
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return str(error) if isinstance(error, sqlite3.Error | SpoolFull) else type(error).__name__


def _settle(batch: list[_Waiting], error: Exception | None) -> None:
    for each in batch:
        # cancelled, when a stop had to be forced
        if each.stored.done():
            continue
        if error is None:
            each.stored.set_result(None)
        else:
            each.stored.set_exception(NotStored())
