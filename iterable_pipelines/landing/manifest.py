"""The manifest: which file holds which hour of which data type, in SQLite beside the files or in PostgreSQL."""

from collections.abc import Iterable as Many
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from iterable_pipelines.database import Connection, Database, SQLiteFile, database_of
from iterable_pipelines.hours import HOUR, Window
from iterable_pipelines.landing.passes import Pass
from iterable_pipelines.settings import Settings

_COLUMNS = (
    "data_type, hour, window_start, window_end, fetched_at, pass, rows, late_rows, outside_rows, bytes, digest, "
    "sha256, path, run_id, erased"
)
_SCHEMA = """
create table if not exists parts (
    id integer primary key autoincrement,
    data_type text not null,
    hour text not null,
    window_start text not null,
    window_end text not null,
    fetched_at text not null,
    pass text not null,
    rows integer not null,
    late_rows integer not null,
    outside_rows integer not null,
    bytes integer not null,
    digest text not null,
    sha256 text,
    path text,
    run_id text not null,
    erased integer not null default 0
);
create index if not exists parts_by_hour on parts (data_type, hour, fetched_at);
create table if not exists quarantine (
    id integer primary key autoincrement,
    data_type text not null,
    window_start text not null,
    window_end text not null,
    found_at text not null,
    line integer not null,
    byte_offset integer not null,
    reason text not null,
    path text not null
);
create table if not exists acceptances (
    quarantine_id integer primary key,
    accepted_at text not null,
    lines_lost integer not null
);
create table if not exists tokens (token integer primary key autoincrement);
create table if not exists fetches (
    id integer primary key autoincrement,
    data_type text not null,
    window_start text not null,
    window_end text not null,
    door text not null,
    fetched_at text not null,
    lines integer not null,
    bytes integer not null,
    requests integer not null,
    seconds real not null,
    waited real not null,
    run_id text not null
);
create index if not exists fetches_by_type on fetches (data_type, fetched_at);
create table if not exists lateness (
    data_type text not null,
    from_age integer not null,
    to_age integer not null,
    rows integer not null,
    rows_before integer not null,
    hours integer not null,
    primary key (data_type, from_age, to_age)
);
create table if not exists settling (data_type text primary key, hours integer not null);
"""
_STATEMENTS = [each for each in _SCHEMA.split(";\n") if each.strip()]


@dataclass(frozen=True)
class Part:
    """One landed hour of one data type. `path` is relative to the landing folder, None when the hour is empty.

    `digest` names the rows whatever their order; `late_rows` counts what an earlier pass of the same hour lacked;
    `outside_rows` counts records whose createdAt lies outside the window they came in; `erased` those that came of the
    forgotten, and are in no file.
    """

    data_type: str
    hour: datetime
    window_start: datetime
    window_end: datetime
    fetched_at: datetime
    passed: Pass
    rows: int
    late_rows: int
    outside_rows: int
    bytes: int
    digest: str
    sha256: str | None
    path: str | None
    run_id: str
    erased: int = 0


@dataclass(frozen=True)
class Fetch:
    """One window asked of Iterable through one door. `bytes` and `lines` are what came, but for lines of the forgotten;
    times are in seconds.
    """

    data_type: str
    window: Window
    door: str
    fetched_at: datetime
    lines: int
    bytes: int
    requests: int
    seconds: float
    waited: float
    run_id: str


@dataclass(frozen=True)
class Quarantine:
    """An hour's download with a line that cannot be read: where, why, and the file's path below the landing folder."""

    id: int
    data_type: str
    hour: datetime
    fetched_at: datetime
    line: int
    byte_offset: int
    reason: str
    path: str

    def __str__(self) -> str:
        return (
            f"{self.data_type} {self.hour:%Y-%m-%dT%H}, line {self.line:,}, byte {self.byte_offset:,}: {self.reason}. "
            f"To import all its other lines: iterable-pipelines accept {self.data_type} {self.hour:%Y-%m-%dT%H}"
        )


class Manifest:
    """The record of every landed part. Rows are only ever added; the newest fetch of an hour is the one that counts."""

    def __init__(self, root: Path, database: Database | None = None) -> None:
        """Open, or make, the manifest in `database`, else in the landing folder `root`."""
        self.root = root
        self.database: Database = database or SQLiteFile(root / "manifest.db")
        self.database.make(_STATEMENTS)
        if isinstance(self.database, SQLiteFile):
            with self.transaction() as con:
                _accept_audits(con)
                _count_erased(con)

    @classmethod
    def of(cls, settings: Settings) -> "Manifest":
        """The manifest of a project."""
        return cls(settings.landing_dir, database_of(settings, "manifest", settings.landing_dir / "manifest.db"))

    @property
    def name(self) -> str:
        """What tells it from the manifests of other projects that share a ledger with it."""
        return "shared" if self.database.shared else str(self.root)

    def connection(self) -> AbstractContextManager[Connection]:
        """A connection without a transaction of its own; closed at the end."""
        return self.database.connection()

    def transaction(self) -> AbstractContextManager[Connection]:
        """A connection within one transaction that no other writer comes between; undone by any error."""
        return self.database.transaction()

    def add(
        self,
        parts: Many[Part],
        fetch: Fetch | None = None,
        accepting: Quarantine | None = None,
        lines_lost: int = 0,
    ) -> None:
        """Record parts whose files are already durable, all or none, with the fetch or acceptance they are of."""
        rows = [
            (
                each.data_type,
                as_text(each.hour),
                as_text(each.window_start),
                as_text(each.window_end),
                each.fetched_at.astimezone(UTC).isoformat(timespec="microseconds"),
                each.passed,
                each.rows,
                each.late_rows,
                each.outside_rows,
                each.bytes,
                each.digest,
                each.sha256,
                each.path,
                each.run_id,
                each.erased,
            )
            for each in parts
        ]
        with self.transaction() as con:
            con.executemany(
                f"insert into parts ({_COLUMNS}) values (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                rows,
            )
            if fetch:
                con.execute(
                    "insert into fetches (data_type, window_start, window_end, door, fetched_at, lines, bytes, "
                    "requests, seconds, waited, run_id) values (?,?,?,?,?,?,?,?,?,?,?)",
                    (
                        fetch.data_type,
                        as_text(fetch.window.start),
                        as_text(fetch.window.end),
                        fetch.door,
                        fetch.fetched_at.astimezone(UTC).isoformat(timespec="microseconds"),
                        fetch.lines,
                        fetch.bytes,
                        fetch.requests,
                        fetch.seconds,
                        fetch.waited,
                        fetch.run_id,
                    ),
                )
            if accepting:
                con.execute(
                    "insert into acceptances values (?, ?, ?)", (accepting.id, as_text(datetime.now(UTC)), lines_lost)
                )

    def current(self, data_type: str, hours: Many[datetime] | None = None) -> dict[datetime, Part]:
        """The part that counts for each landed hour of a data type: the newest fetch. None for hours means all."""
        wanted = None if hours is None else set(hours)
        clause = ""
        span: tuple[str, ...] = ()
        if wanted is not None:
            if not wanted:
                return {}
            clause, span = "and hour between ? and ?", (as_text(min(wanted)), as_text(max(wanted)))
        with self.connection() as con:
            found = con.execute(
                f"select {_COLUMNS} from (select *, row_number() over (partition by hour "
                f"order by fetched_at desc, id desc) as newest from parts where data_type = ? {clause}) as ranked "
                "where newest = 1 order by hour",
                (data_type, *span),
            ).fetchall()
        parts = (_part(row) for row in found)
        return {each.hour: each for each in parts if wanted is None or each.hour in wanted}

    def superseded(self, data_type: str) -> list[Part]:
        """Of each file that no hour of a data type counts any more, its last fetch; the oldest first."""
        current = {each.path for each in self.current(data_type).values()}
        with self.connection() as con:
            found = con.execute(
                f"select {_COLUMNS} from parts where id in (select max(id) from parts where data_type = ? "
                "and path is not null group by path) order by fetched_at, id",
                (data_type,),
            ).fetchall()
        return [part for row in found if (part := _part(row)).path not in current]

    def landed_by(self, run_id: str, data_type: str) -> set[datetime]:
        """The hours of a data type that a run, or the run it retries, has landed already."""
        with self.connection() as con:
            found = con.execute("select hour from parts where run_id = ? and data_type = ?", (run_id, data_type))
            return {as_moment(hour) for (hour,) in found}

    def seen(self, data_type: str) -> tuple[float | None, float | None]:
        """Rows and bytes an hour of a data type, on average of its newest fetches; None before there were any."""
        with self.connection() as con:
            found = con.execute(
                "select lines, bytes, hours from (select id, lines, bytes, (julianday(window_end) - "
                "julianday(window_start)) * 24 as hours from fetches where data_type = ?) as asked "
                "where hours between 0.99 and 2400 order by id desc limit 50",
                (data_type,),
            ).fetchall()
        lines, size, hours = (sum(column) for column in zip(*found, strict=True)) if found else (0, 0, 0)
        return (lines / hours, size / hours) if hours else (None, None)

    def quarantine(
        self, data_type: str, window: Window, fetched_at: datetime, fault: tuple[int, int, str], path: str
    ) -> None:
        """Record a file, `path` below the landing folder, with a line that cannot be read.

        `fault` is (line from 1, byte offset from 0, reason).
        """
        with self.connection() as con:
            con.execute(
                "insert into quarantine (data_type, window_start, window_end, found_at, line, byte_offset, reason, "
                "path) values (?,?,?,?,?,?,?,?)",
                (
                    data_type,
                    as_text(window.start),
                    as_text(window.end),
                    fetched_at.astimezone(UTC).isoformat(timespec="microseconds"),
                    *fault,
                    path,
                ),
            )

    def quarantined(self) -> list[Quarantine]:
        """What waits in quarantine: the newest of each hour that no later fetch and no acceptance has settled."""
        with self.connection() as con:
            found = con.execute(
                "select id, data_type, window_start, window_end, found_at, line, byte_offset, reason, path "
                "from quarantine as held where id = (select max(id) from quarantine where data_type = held.data_type "
                "and window_start = held.window_start) and not exists (select * from parts where "
                "data_type = held.data_type and hour = held.window_start and fetched_at >= held.found_at) "
                "order by data_type, window_start"
            ).fetchall()
        return [
            Quarantine(number, data_type, as_moment(hour), datetime.fromisoformat(fetched_at).astimezone(UTC), *fault)
            for number, data_type, hour, end, fetched_at, *fault in found
            if as_moment(end) - as_moment(hour) == HOUR
        ]

    def newest_part(self) -> int:
        """The largest id of any landed part; 0 for none."""
        with self.connection() as con:
            return int(con.execute("select coalesce(max(id), 0) from parts").fetchone()[0])

    def next_token(self) -> int:
        """A number larger than every one given before, to any process: a writer with an older one is stale."""
        with self.connection() as con:
            return int(con.execute("insert into tokens default values returning token").fetchall()[0][0])


def _accept_audits(con: Connection) -> None:
    # manifests of before there were audits allow two passes only
    (made,) = con.execute("select sql from sqlite_master where name = 'parts'").fetchone()
    if "check" in made:
        con.execute("alter table parts rename to parts_before")
        con.execute("drop index parts_by_hour")
        for statement in _STATEMENTS[:2]:
            con.execute(statement)
        con.execute("insert into parts select *, 0 from parts_before")
        con.execute("drop table parts_before")


def _count_erased(con: Connection) -> None:
    # manifests of before there were erasures
    if "erased" not in {name for _, name, *_ in con.execute("pragma table_info(parts)")}:
        con.execute("alter table parts add column erased integer not null default 0")


def as_text(moment: datetime) -> str:
    """A moment as the tables beside the files hold it: UTC, whole seconds, texts in the order of time."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")


def as_moment(text: str) -> datetime:
    """The moment that `as_text` wrote."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _part(row: tuple) -> Part:  # type: ignore[type-arg]
    data_type, hour, start, end, fetched_at, kind, *rest = row
    moments = (as_moment(hour), as_moment(start), as_moment(end), datetime.fromisoformat(fetched_at))
    return Part(data_type, *moments, Pass(kind), *rest)
