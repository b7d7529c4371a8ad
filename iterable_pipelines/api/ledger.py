"""The ledger of what was asked: every process books its requests here, so that together they keep the limits.

Who has to wait stands in the queue: a row that its process renews whenever it wakes. On waking it reckons, from the
calls that really went and from those ahead of it that still give signs of life, when its turn comes; if that is now,
it goes. Better priorities are ahead of worse ones, and within one, who came first. All of this is one
transaction, the sleeping happens outside; late wakers, stops and crashed processes can neither break a limit nor
hold anybody up for long.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING

from iterable_pipelines.api.errors import NotToday
from iterable_pipelines.api.limits import DAY, LIMITS, Limit
from iterable_pipelines.database import Connection, Database, SQLiteFile, database_of

if TYPE_CHECKING:
    from iterable_pipelines.settings import Settings

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
    """Books requests against limits, for all processes that use the same file (SQLite, WAL) or database."""

    def __init__(self, place: Path | Database, relaxed: bool = False, limits: Mapping[str, Limit] = LIMITS) -> None:
        """Open, or make, the ledger at a path or in a database. `relaxed` lifts the export limit, for clients of
        loopback only.
        """
        self.relaxed, self._limits = relaxed, limits
        # losing the last bookings to a power cut costs at most one 429
        self.database = SQLiteFile(place, durable=False) if isinstance(place, Path) else place
        self.database.make(_SCHEMA)
        if isinstance(self.database, SQLiteFile):
            _add_priorities(self.database)

    @classmethod
    def of(cls, settings: "Settings") -> "Ledger":
        """The ledger of a project."""
        return cls(
            database_of(settings, "ledger", settings.ledger_path, durable=False), relaxed=settings.requests_relaxed
        )

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
            self.database.run(lambda con: _end(con, call, self.database.now(con)))

    def delay(self, limit: str, scope: str, priority: Priority = Priority.HOURLY) -> float:
        """Seconds until a call booked now would go."""

        def reckon(con: Connection) -> float:
            now = self._true_now(con, limit, scope)
            ahead, _ = _ahead(con, self._limits[limit], scope, now, priority, _LAST)
            return _turn(con, self._limits[limit], scope, now, ahead) - now

        return self.database.run(reckon)

    def forecast(
        self, asked: Sequence[tuple[str, str]], calls: int, comes_again: Callable[[float], float]
    ) -> list[float]:
        """When so many calls would go if they keep all these limits, each with its scope, by what went so far."""
        limits = [(self._limits[limit], self._gone(limit, scope)) for limit, scope in asked]
        return forecast(limits, self.database.run(self.database.now), calls, comes_again)

    def _gone(self, limit: str, scope: str) -> list[float]:
        """The moments of the calls that count for the limit now, the oldest first."""

        def read(con: Connection) -> list[float]:
            oldest = self._true_now(con, limit, scope) - self._limits[limit].seconds
            rows = con.execute(f"select at from calls {_OF} and sent != {_WAITING} and at > ?", (limit, scope, oldest))
            return sorted(float(at) for (at,) in rows.fetchall())

        return self.database.run(read)

    def stop(self, limit: str, scope: str, seconds: float) -> None:
        """Hold everybody back for `seconds`, at most ten minutes: one 429 is for all. The queue keeps its order."""

        def write(con: Connection) -> None:
            now = self._true_now(con, limit, scope)
            until = max(now + min(max(seconds, 0.0), _LONGEST_STOP), _stopped_until(con, limit, scope, now))
            con.execute(
                'insert into stops values (?, ?, ?) on conflict ("limit", scope) do update set until = excluded.until',
                (limit, scope, until),
            )

        self.database.run(write)

    def remember_job(self, scope: str, job_id: int, label: str | None = None) -> None:
        """Note that an export job was started from here, so that it may be cancelled later, after a crash too.

        By its `label` whoever started it finds it again.
        """

        def write(con: Connection) -> None:
            now = self.database.now(con)
            con.execute("insert into jobs values (?, ?, ?) on conflict do nothing", (scope, job_id, now))
            if label:
                con.execute(
                    "insert into job_labels values (?, ?, ?) on conflict (scope, label) do update set "
                    "job_id = excluded.job_id",
                    (scope, label, job_id),
                )

        self.database.run(write)

    def job_labelled(self, scope: str, label: str) -> int | None:
        """The id of the export job that was started from here under `label`."""
        asked = "select job_id from job_labels where scope = ? and label = ?"
        found = self.database.run(lambda con: con.execute(asked, (scope, label)).fetchone())
        return int(found[0]) if found else None

    def owns_job(self, scope: str, job_id: int) -> bool:
        """Whether an export job was started from here."""
        asked = "select 1 from jobs where scope = ? and job_id = ?"
        return self.database.run(lambda con: con.execute(asked, (scope, job_id)).fetchone()) is not None

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
            left = "delete from calls where id = ? and sent = ?"
            self.database.run(lambda con: con.execute(left, (call, _WAITING)))
            raise

    def _step(
        self, limit: Limit, scope: str, free: bool, priority: Priority, call: int | None
    ) -> tuple[int, float, int]:
        """Go if it is the call's turn, else stay in the queue; without an id, join it.

        Returns the id, the seconds until its turn, 0 if it goes, and how many more urgent ones are ahead of it.
        """

        def step(con: Connection) -> tuple[int, float, int]:
            now = self._true_now(con, limit.name, scope)
            ahead, urgent = (0, 0) if free else _ahead(con, limit, scope, now, priority, call or _LAST)
            due = _stopped_until(con, limit.name, scope, now) if free else _turn(con, limit, scope, now, ahead)
            state = _WAITING if due > now else _UNDER_WAY
            number = _stand(con, call, (limit.name, scope, max(due, now), now, state, int(priority)))
            if call is None:
                con.execute(
                    f"delete from calls {_OF} and case sent when {_WAITING} then booked_at < ? else at < ? end",
                    (limit.name, scope, now - _KEPT_UNCLAIMED, now - limit.seconds - 2 * SEEN_WITHIN),
                )
            return number, max(due - now, 0.0), urgent

        return self.database.run(step)

    def _true_now(self, con: Connection, limit: str, scope: str) -> float:
        """The clock. If it was set back, so are the bookings: else everybody would wait until it has caught up."""
        now = self.database.now(con)
        (latest,) = con.execute(f"select max(booked_at) from calls {_OF}", (limit, scope)).fetchone()
        if latest is not None and latest > now + 1.0:
            back = latest - now
            con.execute(
                f"update calls set at = at - ?, booked_at = booked_at - ? {_OF}",
                (back, back, limit, scope),
            )
        return now


def _add_priorities(database: SQLiteFile) -> None:
    # ledgers of before there were priorities
    with database.transaction() as con:
        if not con.execute("select 1 from pragma_table_info('calls') where name = 'priority'").fetchone():
            con.execute("alter table calls add column priority integer not null default 0")


def _stand(con: Connection, call: int | None, row: tuple[object, ...]) -> int:
    """Write the row of a call in the queue, under its id if it has one; returns the id."""
    names = '"limit", scope, at, booked_at, sent, priority'
    if call is None:
        placed = con.execute(f"insert into calls ({names}) values (?, ?, ?, ?, ?, ?) returning id", row)
    else:
        placed = con.execute(
            f"insert into calls (id, {names}) values (?, ?, ?, ?, ?, ?, ?) on conflict (id) do update set "
            "at = excluded.at, booked_at = excluded.booked_at, sent = excluded.sent returning id",
            (call, *row),
        )
    return int(placed.fetchall()[0][0])


def _end(con: Connection, call: int, now: float) -> None:
    # the server has seen it
    con.execute(
        f"update calls set at = case when at + {SEEN_WITHIN} < ? then at + {SEEN_WITHIN} else ? end, sent = ? "
        "where id = ? and sent = ?",
        (now, now, _SEEN, call, _UNDER_WAY),
    )


def _alive_within(limit: Limit) -> float:
    """How long after its last sign of life somebody counts as waiting; one who sleeps gives three in that time."""
    # a busy machine may keep a healthy process from running for a second
    return min(30.0, max(2.0, limit.seconds / 2))


def _ahead(con: Connection, limit: Limit, scope: str, now: float, priority: Priority, call: int) -> tuple[int, int]:
    """How many living ones wait ahead of this call, and how many of these because they are more urgent."""
    ahead, urgent = con.execute(
        f"select count(*), count(case when priority < ? then 1 end) from calls {_OF} and sent = {_WAITING} "
        "and booked_at > ? and (priority, id) < (?, ?)",
        (int(priority), limit.name, scope, now - _alive_within(limit), int(priority), call),
    ).fetchone()
    return int(ahead), int(urgent)


def _turn(con: Connection, limit: Limit, scope: str, now: float, ahead: int) -> float:
    """The first moment from `now` for a call behind `ahead` others. One under way may reach the server only now."""
    rows = con.execute(
        f"select case when sent = {_UNDER_WAY} and at + {SEEN_WITHIN} > ? then ? "
        f"when sent = {_UNDER_WAY} then at + {SEEN_WITHIN} else at end as seen from calls {_OF} "
        f"and sent != {_WAITING} and at > ? order by seen desc limit ?",
        (now, now, limit.name, scope, now - limit.seconds - limit.margin - SEEN_WITHIN, limit.calls),
    ).fetchall()
    start = max(now, _stopped_until(con, limit.name, scope, now))
    return next_turn(limit, [seen for (seen,) in reversed(rows)], start, ahead)


def _reason(limit: Limit, urgent: int) -> str:
    others = "request goes" if urgent == 1 else "requests go"
    first = f"; {urgent} more urgent {others} first" if urgent else ""
    return f"{limit.name}, {limit.calls} in {limit.seconds:.0f} s{first}"


def _stopped_until(con: Connection, limit: str, scope: str, now: float) -> float:
    row = con.execute(f"select until from stops {_OF}", (limit, scope)).fetchone()
    return min(float(row[0]), now + _LONGEST_STOP) if row else 0.0
