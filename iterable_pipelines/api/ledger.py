"""The ledger of what was asked: every process books its requests here, so that together they keep the limits.

A booking is a time at which to go, given out in one `begin immediate`; the sleeping happens outside. What counts in the
end is the claim, made on waking: it looks at what was really sent, so late wakers, stops and crashed processes (whose
bookings are never claimed) can neither break a limit nor hold anybody up.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from iterable_pipelines.api.limits import LIMITS, Limit

# requests do not all travel equally long: two booked exactly one span apart may arrive closer together
MARGIN = 0.25
# a request unanswered for this long was seen by the server all the same
_SEEN_WITHIN = 5.0
_LONGEST_STOP = 600.0
_WORTH_SAYING = 1.0
_KEPT_UNCLAIMED = 3600.0

_SCHEMA = (
    'create table if not exists calls (id integer primary key, "limit" text not null, scope text not null, '
    "at real not null, booked_at real not null, sent integer not null default 0)",
    'create index if not exists calls_in_time on calls ("limit", scope, at)',
    'create table if not exists stops ("limit" text, scope text, until real not null, primary key ("limit", scope))',
    "create table if not exists jobs (scope text, job_id integer, started_at real, primary key (scope, job_id))",
)
_OF = 'where "limit" = ? and scope = ?'

Log = Callable[[str], None]


class Ledger:
    """Books requests against limits, for all processes that use the same file (SQLite, WAL)."""

    def __init__(self, path: Path, relaxed: bool = False, limits: Mapping[str, Limit] = LIMITS) -> None:
        """Open, or make, the ledger at `path`. `relaxed` lifts the export limit, for clients of loopback only."""
        self.path, self.relaxed, self._limits = path, relaxed, limits
        path.parent.mkdir(parents=True, exist_ok=True)
        self._make()

    def book(self, limit: str, scope: str, log: Log | None = None) -> float:
        """Sleep until one more call may go. Returns the seconds waited; `log` is told of a wait once, before it."""
        return self._book(self._limits[limit], scope, log, free=False)[1]

    @contextmanager
    def turn(self, limit: str, scope: str, log: Log | None = None, free: bool = False) -> Iterator[float]:
        """`book`, then the call itself inside the block, which must end when the server has seen it.

        Later calls keep their distance from the end of the block, not from its beginning. `free` keeps to stops only.
        """
        call, waited = self._book(self._limits[limit], scope, log, free)
        try:
            yield waited
        finally:
            with self._transaction() as con:
                con.execute("update calls set at = min(?, at + ?) where id = ?", (time.time(), _SEEN_WITHIN, call))

    def delay(self, limit: str, scope: str) -> float:
        """Seconds until a call booked now would go."""
        with self._transaction() as con:
            now = _true_now(con, limit, scope)
            return max(0.0, _next(con, self._limits[limit], scope, now, sent_only=False, free=False) - now)

    def stop(self, limit: str, scope: str, seconds: float) -> None:
        """Hold everybody back for `seconds`, at most ten minutes: one 429 is for all. Booked calls keep their order."""
        with self._transaction() as con:
            now = _true_now(con, limit, scope)
            until = max(now + min(max(seconds, 0.0), _LONGEST_STOP), _stopped_until(con, limit, scope, now))
            con.execute("insert or replace into stops values (?, ?, ?)", (limit, scope, until))
            (first,) = con.execute(
                f"select min(at) from calls {_OF} and not sent and at > ?", (limit, scope, now)
            ).fetchone()
            if first is not None and first < until:
                shift = until - first
                con.execute(f"update calls set at = at + ? {_OF} and not sent and at > ?", (shift, limit, scope, now))

    def remember_job(self, scope: str, job_id: int) -> None:
        """Note that an export job was started from here, so that it may be cancelled later, after a crash too."""
        with self._transaction() as con:
            con.execute("insert or ignore into jobs values (?, ?, ?)", (scope, job_id, time.time()))

    def owns_job(self, scope: str, job_id: int) -> bool:
        """Whether an export job was started from here."""
        with self._transaction() as con:
            found = con.execute("select 1 from jobs where scope = ? and job_id = ?", (scope, job_id)).fetchone()
        return found is not None

    def _book(self, limit: Limit, scope: str, log: Log | None, free: bool) -> tuple[int, float]:
        begun = time.monotonic()
        with self._transaction() as con:
            now = _true_now(con, limit.name, scope)
            con.execute(
                f"delete from calls {_OF} and at < ? - case when sent then 0 else ? end",
                (limit.name, scope, now - limit.seconds - 2 * _SEEN_WITHIN, _KEPT_UNCLAIMED),
            )
            due = _next(con, limit, scope, now, sent_only=False, free=free)
            call = _insert(con, limit.name, scope, due, now)
        said = 0.0
        try:
            while (due := self._claim(limit, scope, call, free)) > (now := time.time()):
                if log and due - max(now, said) > _WORTH_SAYING:
                    pace = f"{limit.calls} in {limit.seconds:.0f} s"
                    log(f"waiting {due - now:.0f} s for Iterable's limit on {limit.name}, {pace}")
                    said = due
                time.sleep(due - now)
        except BaseException:
            # somebody else may have the place of one who leaves the queue
            with self._transaction() as con:
                con.execute("delete from calls where id = ? and not sent", (call,))
            raise
        return call, time.monotonic() - begun

    def _claim(self, limit: Limit, scope: str, call: int, free: bool) -> float:
        """Mark the call as sent if it may go now, else give it a later time. Returns its time: past means go."""
        with self._transaction() as con:
            now = _true_now(con, limit.name, scope)
            row = con.execute("select at from calls where id = ?", (call,)).fetchone()
            if row is None:  # asleep for so long that it was swept away
                _insert(con, limit.name, scope, now, now, call)
            elif row[0] > now:
                return float(row[0])
            due = _next(con, limit, scope, now, sent_only=True, free=free)
            con.execute("update calls set at = ?, sent = ? where id = ?", (due, due <= now, call))
            return due

    def _make(self) -> None:
        for attempt in range(100):
            try:
                with closing(sqlite3.connect(self.path, timeout=60, isolation_level=None)) as con:
                    con.execute("pragma journal_mode = wal")
                with self._transaction() as con:
                    for statement in _SCHEMA:
                        con.execute(statement)
                return
            except sqlite3.OperationalError as error:
                # two processes that make the file at once: switching to WAL does not wait by itself
                if "locked" not in str(error) or attempt == 99:
                    raise
                time.sleep(0.05)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.path, timeout=60, isolation_level=None)) as con:
            # losing the last bookings to a power cut costs at most one 429
            con.execute("pragma synchronous = normal")
            con.execute("begin immediate")
            yield con
            con.execute("commit")


def _next(con: sqlite3.Connection, limit: Limit, scope: str, now: float, sent_only: bool, free: bool) -> float:
    """The first moment from `now` at which one more call keeps the limit and every stop."""
    until = max(now, _stopped_until(con, limit.name, scope, now))
    if free:
        return until
    row = con.execute(
        f"select at from calls {_OF} and sent >= ? order by at desc limit 1 offset ?",
        (limit.name, scope, int(sent_only), limit.calls - 1),
    ).fetchone()
    return max(until, row[0] + limit.seconds + MARGIN) if row else until


def _stopped_until(con: sqlite3.Connection, limit: str, scope: str, now: float) -> float:
    row = con.execute(f"select until from stops {_OF}", (limit, scope)).fetchone()
    return min(float(row[0]), now + _LONGEST_STOP) if row else 0.0


def _insert(con: sqlite3.Connection, limit: str, scope: str, at: float, now: float, call: int | None = None) -> int:
    values = (call, limit, scope, at, now)
    cursor = con.execute('insert into calls (id, "limit", scope, at, booked_at) values (?, ?, ?, ?, ?)', values)
    return int(cursor.lastrowid or 0)


def _true_now(con: sqlite3.Connection, limit: str, scope: str) -> float:
    """The wall clock. If it was set back, so are the bookings: else everybody would wait until it has caught up."""
    now = time.time()
    (latest,) = con.execute(f"select max(booked_at) from calls {_OF}", (limit, scope)).fetchone()
    if latest is not None and latest > now + 1.0:
        back = latest - now
        con.execute(
            f"update calls set at = at - ?, booked_at = booked_at - ? {_OF}",
            (back, back, limit, scope),
        )
    return now
