"""Export jobs that are planned, started, ready to be fetched, or landed: one row each, in SQLite beside the manifest.

Nobody has to wait for a job: whoever comes by lets `advance` do what is due, a crash forgets nothing, and only jobs
that are noted here are ever asked about or cancelled (faults.md H26 to H31).
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from iterable_pipelines.api import Broken, Busy, IterableError, Refused
from iterable_pipelines.api import Iterable as Client
from iterable_pipelines.crashpoints import crashpoint
from iterable_pipelines.database import Connection
from iterable_pipelines.hours import HOUR, Window, hour_of
from iterable_pipelines.landing.manifest import Manifest, as_moment, as_text
from iterable_pipelines.landing.question import asked_window, fields_of
from iterable_pipelines.settings import Settings

# Iterable runs four at a time for the whole organization and queues the rest (api.md 2.1): more of ours at once would
# only stand in the way of other people's
SLOTS = 4
_ATTEMPTS = 3
_FIRST_LOOK, _LONGEST_LOOK = 1.0, 60.0
# a process that claimed a row and was killed gives it back after this long: more than its request may have to wait
_CLAIM_SECONDS = 1800.0
# a job that is not done after a day is not going to be (api.md 3.5: others give up then too)
_LONGEST_JOB = 86400.0
_FORGOTTEN_AFTER = 7 * 86400.0

_SCHEMA = """
create table if not exists exports (
    id integer primary key autoincrement,
    parent integer,
    data_type text not null,
    window_start text not null,
    window_end text not null,
    state text not null,
    job_id integer,
    attempts integer not null default 0,
    looks integer not null default 0,
    asked_by text not null,
    asked_at real not null,
    started_at real,
    ready_at real,
    look_at real not null default 0,
    claimed_until real not null default 0,
    note text,
    status integer
)
"""
# what another process has changed meanwhile is not changed again
_AS_SEEN = "id = ? and state = ? and coalesce(job_id, 0) = coalesce(?, 0)"
_LIVE = "('planned', 'started', 'ready')"


@dataclass(frozen=True)
class Export:
    """One export job, or the plan of one.

    state: planned, started, ready, landed; failed or refused, of which `note` and the HTTP `status` say why; halved;
    reported, once somebody was told of the failure; forgotten. `started_at` is when Iterable was asked for it.
    """

    id: int
    parent: int | None
    data_type: str
    window: Window
    state: str
    job_id: int | None
    attempts: int
    asked_by: str
    started_at: datetime | None
    note: str | None
    status: int | None

    @property
    def lands(self) -> Window:
        """The hours that its records belong to: pieces of an hour land together, or not at all."""
        return Window(hour_of(self.window.start), max(self.window.end, hour_of(self.window.start) + HOUR))


class Exports:
    """Every export job of this project."""

    def __init__(self, manifest: Manifest, clock: Callable[[], float] = time.time) -> None:
        """Open, or make, the table beside the manifest's own. `clock` tells seconds since 1970."""
        self._manifest, self._clock = manifest, clock
        manifest.database.make([_SCHEMA])

    def plan(self, data_type: str, window: Window, asked_by: str) -> int:
        """Note that a window is wanted; the job starts when a slot is free. Returns the id of its row.

        Where a live job has some of these hours already, that one is returned: no hour is ever in two of them.
        """
        with self._manifest.transaction() as con:
            there = con.execute(
                f"select id from exports where state in {_LIVE} and data_type = ? "
                "and window_start < ? and window_end > ?",
                (data_type, as_text(window.end), as_text(window.start)),
            ).fetchone()
            return int(there[0]) if there else _insert(con, data_type, window, asked_by, None, self._clock())

    def live(self, data_type: str | None = None) -> list[Export]:
        """Every job that is planned, started or ready, oldest first."""
        where = "and data_type = ?" if data_type else ""
        return self._select(f"state in {_LIVE} {where}", (data_type,) if data_type else ())

    def of(self, ids: Iterable[int]) -> list[Export]:
        """The jobs with these ids; one that was halved is followed by its halves."""
        listed = ", ".join(str(int(each)) for each in ids)
        return self._select(
            "id in (with recursive family(id) as (select id from exports where id in "
            f"({listed}) union select exports.id from exports join family on exports.parent = family.id) "
            "select id from family)",
            (),
        )

    def pending(self, ids: Iterable[int]) -> list[Export]:
        """Those of these jobs that Iterable has not finished yet."""
        return [each for each in self.of(ids) if each.state in ("planned", "started")]

    def minutes_each(self) -> float | None:
        """How long the newest twenty jobs took on average, from their start to when we saw them ready."""
        with self._manifest.connection() as con:
            (seconds,) = con.execute(
                "select avg(ready_at - started_at) from (select * from exports where ready_at > started_at "
                "order by id desc limit 20) as newest"
            ).fetchone()
        return None if seconds is None else float(seconds) / 60

    def failed(self, data_type: str, asked_by: str) -> list[Export]:
        """The jobs that a run asked for, of which nothing will come, and which nobody was told of yet."""
        return self._select("state in ('failed', 'refused') and data_type = ? and asked_by = ?", (data_type, asked_by))

    def close(self, exports: Iterable[Export], state: str = "landed") -> None:
        """Note that these need no more attention, unless somebody else has done something about them meanwhile."""
        with self._manifest.transaction() as con:
            con.executemany(
                f"update exports set state = ?, claimed_until = 0 where {_AS_SEEN}",
                [(state, each.id, each.state, each.job_id) for each in exports],
            )

    def again(self, export: Export, why: str) -> None:
        """Have a job that turned out to be useless started anew, three times at most; then it is failed."""
        with self._manifest.transaction() as con:
            con.execute(
                "update exports set state = case when attempts + 1 < ? then 'planned' else 'failed' end, "
                "job_id = null, attempts = attempts + 1, looks = 0, look_at = ?, claimed_until = 0, note = ? "
                f"where {_AS_SEEN}",
                (_ATTEMPTS, self._clock() + _FIRST_LOOK * (4**export.attempts - 1), why, *_as_seen(export)),
            )

    def halve(self, export: Export) -> None:
        """Replace a job whose answer is too large by two of half its window; failed when that is one second long."""
        second = (export.window.end - export.window.start).total_seconds() <= 1
        note = f"export job {export.job_id} is truncated even for one second" if second else None
        with self._manifest.transaction() as con:
            changed = con.execute(
                f"update exports set state = ?, claimed_until = 0, note = ? where {_AS_SEEN}",
                ("failed" if second else "halved", note, *_as_seen(export)),
            )
            if changed.rowcount and not second:
                for half in export.window.halves():
                    _insert(con, export.data_type, half, export.asked_by, export.id, self._clock())

    def advance(self, client: Client, settings: Settings, log: Callable[[str], None]) -> int:
        """Start what is planned while a slot is free, and look after what is started and due. Returns what it did.

        One request per job at most; processes that do this at once never take the same job. What Iterable refuses
        fails its job; when it is busy or broken all of them are left for later. Raises Refused for a wrong key.
        """
        done = 0
        for export in self._due():
            if export.state == "planned" and len(self._started()) >= SLOTS:
                continue
            claim = self._claim(export)
            if not claim:
                continue
            done += 1
            try:
                if export.state == "planned":
                    self._start(client, settings, export, claim, log)
                else:
                    self._look(client, export, log)
            except (Busy, Broken) as error:
                log(f"export job of {export.data_type} {export.window}: {error}; tried again later")
                if export.state == "planned" and isinstance(error, Broken):
                    self.again(export, str(error))
                else:
                    self._put_off(export, str(error))
                return done
            except Refused as error:
                if error.status == 401:
                    # a wrong key says nothing about any job
                    self._put_off(export, str(error))
                    raise
                self._fail(export, error)
                log(f"export job of {export.data_type} {export.window}: {error}")
        return done

    def forget_abandoned(self, client: Client, wanted: set[int], log: Callable[[str], None]) -> None:
        """Close jobs that nobody has come for within a week, and for which none waits (`wanted`, ids of rows).

        One that still runs is cancelled, for its slot.
        """
        kept = {each.id for each in self.of(wanted)}
        for export in self._select(f"state in {_LIVE} and asked_at < ?", (self._clock() - _FORGOTTEN_AFTER,)):
            if export.id in kept:
                continue
            if export.state == "started" and export.job_id:
                try:
                    client.cancel_export(export.job_id)
                except IterableError as error:
                    log(f"export job {export.job_id} could not be cancelled: {error}")
            self.close([export], "forgotten")
            log(f"export job of {export.data_type} {export.window}: nobody came for it within a week")

    def _start(
        self, client: Client, settings: Settings, export: Export, claim: float, log: Callable[[str], None]
    ) -> None:
        asked = asked_window(settings, export.data_type, export.window)
        begun, label = self._clock(), f"{self._manifest.name}/{export.id}/{export.attempts}"
        job_id = client.start_export(export.data_type, asked, fields_of(settings, export.data_type), label=label)
        crashpoint("job_started")
        if client.server_date:
            if client.server_date < export.window.end:
                client.cancel_export(job_id)
                raise Refused(
                    f"Iterable's clock says {client.server_date:%Y-%m-%d %H:%M:%S} UTC, so {export.window} is not "
                    "over: set this machine's clock right"
                )
            begun = min(begun, client.server_date.timestamp())
        with self._manifest.transaction() as con:
            changed = con.execute(
                "update exports set state = 'started', job_id = ?, started_at = ?, look_at = ?, looks = 0, "
                "claimed_until = 0 where id = ? and state = 'planned' and claimed_until = ?",
                (job_id, begun, self._clock() + _FIRST_LOOK, export.id, claim),
            )
        if changed.rowcount:
            log(f"export job {job_id} of {export.data_type} {export.window} is asked for")

    def _look(self, client: Client, export: Export, log: Callable[[str], None]) -> None:
        assert export.job_id is not None and export.started_at is not None
        page = client.export_page(export.job_id)
        if page.truncated:
            log(f"export job {page.job_id} of {export.data_type} {export.window} is too large: halved")
            self.halve(export)
        elif page.state == "completed":
            log(f"export job {page.job_id} of {export.data_type} {export.window} is ready")
            self._set(export, state="ready", ready_at=self._clock())
        elif page.state in ("failed", "cancelled", "cancelling"):
            log(f"export job {page.job_id} of {export.data_type} {export.window} {page.state}")
            self.again(export, f"export job {page.job_id} {page.state}")
        elif page.state == "running" and self._clock() - export.started_at.timestamp() > _LONGEST_JOB:
            log(f"export job {page.job_id} of {export.data_type} {export.window} is not done after a day")
            client.cancel_export(export.job_id)
            self.again(export, f"export job {page.job_id} was not done after a day")
        else:
            # running may become enqueued again, and new states may come: all of them mean waiting
            self._put_off(export, None)

    def _put_off(self, export: Export, note: str | None) -> None:
        with self._manifest.transaction() as con:
            (looks,) = con.execute("select looks from exports where id = ?", (export.id,)).fetchone()
            wait = min(_FIRST_LOOK * 2**looks, _LONGEST_LOOK)
            con.execute(
                "update exports set looks = looks + 1, look_at = ?, claimed_until = 0, note = coalesce(?, note) "
                "where id = ?",
                (self._clock() + wait, note, export.id),
            )

    def _fail(self, export: Export, error: Refused) -> None:
        if error.status == 404 and export.job_id:
            # Iterable knows the job no more: its files are gone, the records are not
            self.again(export, str(error))
        else:
            self._set(export, state="refused", note=str(error), status=error.status)

    def _set(self, export: Export, **values: object) -> None:
        names = ", ".join(f"{name} = ?" for name in values)
        with self._manifest.transaction() as con:
            con.execute(
                f"update exports set {names}, claimed_until = 0 where {_AS_SEEN}",
                (*values.values(), *_as_seen(export)),
            )

    def _due(self) -> list[Export]:
        now = self._clock()
        return self._select(
            "state in ('planned', 'started') and look_at <= ? and claimed_until <= ?", (now, now), "state desc, id"
        )

    def _started(self) -> list[Export]:
        return self._select("state = 'started' or (state = 'planned' and claimed_until > ?)", (self._clock(),))

    def _claim(self, export: Export) -> float | None:
        now = self._clock()
        with self._manifest.transaction() as con:
            changed = con.execute(
                f"update exports set claimed_until = ? where {_AS_SEEN} and claimed_until <= ?",
                (now + _CLAIM_SECONDS, *_as_seen(export), now),
            )
            return now + _CLAIM_SECONDS if changed.rowcount == 1 else None

    def _select(self, where: str, values: tuple[object, ...], order: str = "id") -> list[Export]:
        with self._manifest.connection() as con:
            found = con.execute(
                "select id, parent, data_type, window_start, window_end, state, job_id, attempts, asked_by, "
                f"started_at, note, status from exports where {where} order by {order}",
                values,
            ).fetchall()
        return [_export(row) for row in found]


def _insert(con: Connection, data_type: str, window: Window, asked_by: str, parent: int | None, now: float) -> int:
    cursor = con.execute(
        "insert into exports (parent, data_type, window_start, window_end, state, asked_by, asked_at) "
        "values (?, ?, ?, ?, 'planned', ?, ?) returning id",
        (parent, data_type, as_text(window.start), as_text(window.end), asked_by, now),
    )
    return int(cursor.fetchall()[0][0])


def _as_seen(export: Export) -> tuple[object, ...]:
    return export.id, export.state, export.job_id


def _export(row: tuple) -> Export:  # type: ignore[type-arg]
    number, parent, data_type, start, end, state, job_id, attempts, asked_by, started, *failure = row
    window = Window(as_moment(start), as_moment(end))
    began = datetime.fromtimestamp(started, UTC) if started else None
    return Export(number, parent, data_type, window, state, job_id, attempts, asked_by, began, *failure)
