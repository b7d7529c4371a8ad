"""The ledger of what was asked: every process books its requests here, so that together they keep the limits.

Who has to wait stands in the queue: a row that its process renews whenever it wakes. On waking it reckons, from the
calls that really went and from those ahead of it that still give signs of life, when its turn comes; if that is now,
it goes. Better priorities are ahead of worse ones, and within one, who came first. All of this is one
`begin immediate`, the sleeping happens outside; late wakers, stops and crashed processes can neither break a limit nor
hold anybody up for long.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from enum import IntEnum
from pathlib import Path

from iterable_pipelines.api.errors import NotToday
from iterable_pipelines.api.limits import DAY, LIMITS, Limit

# a request unanswered for this long was seen by the server all the same
SEEN_WITHIN = 5.0
_LONGEST_STOP = 600.0
_WORTH_SAYING = 1.0
# whoever would wait longer for what is allowed in a day had better come another time
WAITS_TODAY = 60.0
_KEPT_UNCLAIMED = 3600.0
_LAST = 2**63 - 1

# the states of a call, in the column `sent`
_WAITING, _SEEN, _UNDER_WAY = 0, 1, 2

# at: when the server saw the call, or when its turn is expected; booked_at: the last sign of life of one who waits
_SCHEMA = (
    'create table if not exists calls (id integer primary key, "limit" text not null, scope text not null, '
    "at real not null, booked_at real not null, sent integer not null default 0, "
    "priority integer not null default 0)",
    'create index if not exists calls_in_time on calls ("limit", scope, at)',
    'create table if not exists stops ("limit" text, scope text, until real not null, primary key ("limit", scope))',
    "create table if not exists jobs (scope text, job_id integer, started_at real, primary key (scope, job_id))",
    "create table if not exists job_labels (scope text, label text, job_id integer, primary key (scope, label))",
)
_OF = 'where "limit" = ? and scope = ?'

Log = Callable[[str], None]


class Priority(IntEnum):
    """Who goes first when several wait for the same limit. Nobody moves up by waiting long."""

    HOURLY = 0
    SETTLED = 1
    BACKFILL = 2
    AUDIT = 3


def next_turn(limit: Limit, gone: Sequence[float], start: float, ahead: int = 0) -> float:
    """The first moment from `start` at which a call keeps the limit and lets `ahead` others go before it.

    `gone` holds the moments of the latest calls, in order: at least `limit.calls` of them if there were so many.
    """
    times = list(gone[-limit.calls :])
    for _ in range(ahead + 1):
        start = _after(limit, times, start)
        times.append(start)
    return start


def forecast(
    limits: Sequence[tuple[Limit, Sequence[float]]], start: float, calls: int, comes_again: Callable[[float], float]
) -> list[float]:
    """When so many calls from `start` on will go if they keep all `limits`, each with the moments of calls before.

    Who would have to wait for more than a minute goes away, and `comes_again`: the first such moment from one given.
    """
    times = [(limit, list(gone[-limit.calls :])) for limit, gone in limits]
    found: list[float] = []
    for _ in range(calls):
        due = max(_after(limit, gone, start) for limit, gone in times)
        # rather an hour too late than one too early: it is promised to people
        start = comes_again(due) if due - start > WAITS_TODAY else due
        found.append(start)
        for _, gone in times:
            gone.append(start)
    return found


def _after(limit: Limit, gone: Sequence[float], start: float) -> float:
    """The first moment from `start` for one more call."""
    if len(gone) < limit.calls:
        return start
    return max(start, gone[-limit.calls] + limit.seconds + limit.margin)


class Ledger:
    """Books requests against limits, for all processes that use the same file (SQLite, WAL)."""

    def __init__(self, path: Path, relaxed: bool = False, limits: Mapping[str, Limit] = LIMITS) -> None:
        """Open, or make, the ledger at `path`. `relaxed` lifts the export limit, for clients of loopback only."""
        self.path, self.relaxed, self._limits = path, relaxed, limits
        path.parent.mkdir(parents=True, exist_ok=True)
        self._make()

    def book(self, limit: str, scope: str, log: Log | None = None, priority: Priority = Priority.HOURLY) -> float:
        """Sleep until one more call may go. Returns the seconds waited; `log` is told of a wait once, before it."""
        with self.turn(limit, scope, log, priority=priority) as waited:
            return waited

    @contextmanager
    def turn(
        self,
        limit: str,
        scope: str,
        log: Log | None = None,
        free: bool = False,
        priority: Priority = Priority.HOURLY,
    ) -> Iterator[float]:
        """`book`, then the call itself inside the block, which must end when the server has seen it.

        Later calls keep their distance from the end of the block, not from its beginning. `free` keeps to stops only.
        Raises NotToday, and books nothing, where the limit of a day leaves room in more than a minute only.
        """
        begun = time.monotonic()
        call = self._wait(self._limits[limit], scope, log, free, priority)
        try:
            yield time.monotonic() - begun
        finally:
            with self._transaction() as con:
                con.execute(
                    "update calls set at = min(?, at + ?), sent = ? where id = ? and sent = ?",
                    (time.time(), SEEN_WITHIN, _SEEN, call, _UNDER_WAY),
                )

    def delay(self, limit: str, scope: str, priority: Priority = Priority.HOURLY) -> float:
        """Seconds until a call booked now would go."""
        with self._transaction() as con:
            now = _true_now(con, limit, scope)
            ahead, _ = _ahead(con, self._limits[limit], scope, now, priority, _LAST)
            return _turn(con, self._limits[limit], scope, now, ahead) - now

    def forecast(
        self, asked: Sequence[tuple[str, str]], calls: int, comes_again: Callable[[float], float]
    ) -> list[float]:
        """When so many calls would go if they keep all these limits, each with its scope, by what went so far."""
        now, limits = time.time(), [(self._limits[limit], self._gone(limit, scope)) for limit, scope in asked]
        return forecast(limits, now, calls, comes_again)

    def _gone(self, limit: str, scope: str) -> list[float]:
        """The moments of the calls that count for the limit now, the oldest first."""
        with self._transaction() as con:
            oldest = _true_now(con, limit, scope) - self._limits[limit].seconds
            rows = con.execute(f"select at from calls {_OF} and sent != {_WAITING} and at > ?", (limit, scope, oldest))
            return sorted(float(at) for (at,) in rows)

    def stop(self, limit: str, scope: str, seconds: float) -> None:
        """Hold everybody back for `seconds`, at most ten minutes: one 429 is for all. The queue keeps its order."""
        with self._transaction() as con:
            now = _true_now(con, limit, scope)
            until = max(now + min(max(seconds, 0.0), _LONGEST_STOP), _stopped_until(con, limit, scope, now))
            con.execute("insert or replace into stops values (?, ?, ?)", (limit, scope, until))

    def remember_job(self, scope: str, job_id: int, label: str | None = None) -> None:
        """Note that an export job was started from here, so that it may be cancelled later, after a crash too.

        By its `label` whoever started it finds it again.
        """
        with self._transaction() as con:
            con.execute("insert or ignore into jobs values (?, ?, ?)", (scope, job_id, time.time()))
            if label:
                con.execute("insert or replace into job_labels values (?, ?, ?)", (scope, label, job_id))

    def job_labelled(self, scope: str, label: str) -> int | None:
        """The id of the export job that was started from here under `label`."""
        with self._transaction() as con:
            found = con.execute(
                "select job_id from job_labels where scope = ? and label = ?", (scope, label)
            ).fetchone()
        return int(found[0]) if found else None

    def owns_job(self, scope: str, job_id: int) -> bool:
        """Whether an export job was started from here."""
        with self._transaction() as con:
            found = con.execute("select 1 from jobs where scope = ? and job_id = ?", (scope, job_id)).fetchone()
        return found is not None

    def _wait(self, limit: Limit, scope: str, log: Log | None, free: bool, priority: Priority) -> int:
        """Stand in the queue until the call may go. Returns its id; it counts as under way from now on."""
        call, said = None, 0.0
        try:
            while True:
                call, wait, urgent = self._step(limit, scope, free, priority, call)
                if wait <= 0:
                    return call
                if limit.seconds >= DAY and wait > WAITS_TODAY:
                    raise NotToday(f"{limit.name}: {limit.calls:,} are used up", retry_after=wait)
                now = time.time()
                if log and now + wait - max(now, said) > _WORTH_SAYING:
                    log(f"waiting {wait:.0f} s for Iterable's limit on {_reason(limit, urgent)}")
                    said = now + wait
                # those ahead may leave, and those behind must hear that this one has not
                time.sleep(min(wait, _alive_within(limit) / 3))
        except BaseException:
            # somebody else may have the place of one who leaves the queue
            with self._transaction() as con:
                con.execute("delete from calls where id = ? and sent = ?", (call, _WAITING))
            raise

    def _step(
        self, limit: Limit, scope: str, free: bool, priority: Priority, call: int | None
    ) -> tuple[int, float, int]:
        """Go if it is the call's turn, else stay in the queue; without an id, join it.

        Returns the id, the seconds until its turn, 0 if it goes, and how many more urgent ones are ahead of it.
        """
        with self._transaction() as con:
            now = _true_now(con, limit.name, scope)
            ahead, urgent = (0, 0) if free else _ahead(con, limit, scope, now, priority, call or _LAST)
            due = _stopped_until(con, limit.name, scope, now) if free else _turn(con, limit, scope, now, ahead)
            state = _WAITING if due > now else _UNDER_WAY
            cursor = con.execute(
                'insert or replace into calls (id, "limit", scope, at, booked_at, sent, priority) '
                "values (?, ?, ?, ?, ?, ?, ?)",
                (call, limit.name, scope, max(due, now), now, state, priority),
            )
            if call is None:
                con.execute(
                    f"delete from calls {_OF} and case sent when {_WAITING} then booked_at < ? else at < ? end",
                    (limit.name, scope, now - _KEPT_UNCLAIMED, now - limit.seconds - 2 * SEEN_WITHIN),
                )
            return int(cursor.lastrowid or 0), max(due - now, 0.0), urgent

    def _make(self) -> None:
        for attempt in range(100):
            try:
                with closing(sqlite3.connect(self.path, timeout=60, isolation_level=None)) as con:
                    con.execute("pragma journal_mode = wal")
                with self._transaction() as con:
                    for statement in _SCHEMA:
                        con.execute(statement)
                    if not con.execute("select 1 from pragma_table_info('calls') where name = 'priority'").fetchone():
                        con.execute("alter table calls add column priority integer not null default 0")
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


def _alive_within(limit: Limit) -> float:
    """How long after its last sign of life somebody counts as waiting; one who sleeps gives three in that time."""
    # a busy machine may keep a healthy process from running for a second
    return min(30.0, max(2.0, limit.seconds / 2))


def _ahead(
    con: sqlite3.Connection, limit: Limit, scope: str, now: float, priority: Priority, call: int
) -> tuple[int, int]:
    """How many living ones wait ahead of this call, and how many of these because they are more urgent."""
    ahead, urgent = con.execute(
        f"select count(*), coalesce(sum(priority < ?), 0) from calls {_OF} and sent = {_WAITING} and booked_at > ? "
        "and (priority, id) < (?, ?)",
        (priority, limit.name, scope, now - _alive_within(limit), priority, call),
    ).fetchone()
    return int(ahead), int(urgent)


def _turn(con: sqlite3.Connection, limit: Limit, scope: str, now: float, ahead: int) -> float:
    """The first moment from `now` for a call behind `ahead` others. One under way may reach the server only now."""
    rows = con.execute(
        f"select case sent when {_UNDER_WAY} then min(?, at + {SEEN_WITHIN}) else at end as seen from calls {_OF} "
        f"and sent != {_WAITING} and at > ? order by seen desc limit ?",
        (now, limit.name, scope, now - limit.seconds - limit.margin - SEEN_WITHIN, limit.calls),
    ).fetchall()
    start = max(now, _stopped_until(con, limit.name, scope, now))
    return next_turn(limit, [seen for (seen,) in reversed(rows)], start, ahead)


def _reason(limit: Limit, urgent: int) -> str:
    others = "request goes" if urgent == 1 else "requests go"
    first = f"; {urgent} more urgent {others} first" if urgent else ""
    return f"{limit.name}, {limit.calls} in {limit.seconds:.0f} s{first}"


def _stopped_until(con: sqlite3.Connection, limit: str, scope: str, now: float) -> float:
    row = con.execute(f"select until from stops {_OF}", (limit, scope)).fetchone()
    return min(float(row[0]), now + _LONGEST_STOP) if row else 0.0


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
