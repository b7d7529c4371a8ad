"""What is complete: `streams.completeness`, a row per data type and hour since the start, with state and counts.

Rows exported = rows landed = rows loaded is proven in three places. `cut` counts the lines of a download and refuses a
window whose records do not add up to them; the manifest notes that number with the fetch, in one transaction with the
parts. Here the parts of each fetch are added up and held against it: a difference shows in every hour of the fetch,
because nobody can say which of them lacks it. What was landed without a fetch (accepted losses, data types that are
not offered) has no `rows_exported`. Rows loaded are counted in the stream's table; users, who merge across hours, in
the load log.
"""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from iterable_pipelines.data_types import STREAMS, USERS
from iterable_pipelines.file_store import FileStore
from iterable_pipelines.hours import HOUR, Window, hour_key, hour_of
from iterable_pipelines.landing.expired import ExpiredHours
from iterable_pipelines.landing.manifest import Manifest
from iterable_pipelines.landing.scratch import scratch_folder
from iterable_pipelines.settings import Settings

STATES = ("missing", "fresh", "settled", "audited", "expired", "quarantined")
MISSING, QUARANTINED, FILE_GONE, LINES_LOST, NOT_LOADED, SILENT = (
    "not landed",
    "in quarantine",
    "landing file gone",
    "lines of the download lost",
    "landed but not loaded",
    "silent",
)
# a type that fell silent is a suspicion only: with all others, something is not there
LACKS = (MISSING, QUARANTINED, FILE_GONE, LINES_LOST, NOT_LOADED)
# the hourly schedule comes for the newest two hours by itself
UNTOUCHED = 2 * HOUR
# damage done by hand is looked for this far back each time, and everywhere once a day
_LOOKED_AT_AGAIN = timedelta(days=8)
_WEEKS, _DAYS, _ENOUGH_WEEKS, _ENOUGH_DAYS = 8, 28, 4, 14
_PATHS_AT_ONCE = 10_000
_PART_COLUMNS = {
    "part_id": "BIGINT",
    "data_type": "VARCHAR",
    "hour": "TIMESTAMP",
    "fetched_at": "TIMESTAMPTZ",
    "pass": "VARCHAR",
    "rows": "BIGINT",
    "late_rows": "BIGINT",
    "digest": "VARCHAR",
    "path": "VARCHAR",
    "run_id": "VARCHAR",
}
_FETCH_COLUMNS = {"data_type": "VARCHAR", "fetched_at": "TIMESTAMPTZ", "run_id": "VARCHAR", "lines": "BIGINT"}


@dataclass(frozen=True)
class Progress:
    """One stream: the newest stretch of hours without a hole, None for none, and how many hours are in which state.

    An hour's state is that of its worst data type. `lacking` hours have something that is not there.
    """

    stream: str
    stretch: Window | None
    states: dict[str, int]
    lacking: int
    rows: int


@dataclass(frozen=True)
class Trouble:
    """What is wrong with one hour of some data types of a stream, all alike."""

    stream: str
    hour: datetime
    kind: str
    data_types: tuple[str, ...]

    def __str__(self) -> str:
        return f"{', '.join(self.data_types)} {hour_key(self.hour)}: {self.kind}. Next: {self.command}"

    @property
    def command(self) -> str:
        """The command that mends it."""
        if self.kind == QUARANTINED:
            return f"iterable-pipelines accept {self.data_types[0]} {hour_key(self.hour)}"
        only = f"--stream {self.stream}"
        span = f"--from {hour_key(self.hour)} --to {hour_key(self.hour + HOUR)} {only}"
        if self.kind == NOT_LOADED:
            # users are merged over all hours, and made anew as a whole
            return f"iterable-pipelines rebuild {only if self.stream == USERS else span}"
        return f"iterable-pipelines backfill {span}{'' if self.kind == MISSING else ' --refetch'}"


def refresh(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    manifest: Manifest,
    moment: datetime,
    streams: Sequence[str] = (),
    since: datetime | None = None,
) -> datetime:
    """Bring the rows of `streams` (none means all) up to `moment`; returns the hour from which on they were counted.

    That is the first hour in which something was landed, loaded or put aside since the last time, or `since` if that is
    earlier; without it, eight days back. Only new rows of the manifest are read.
    """
    enabled = [(each.name, name) for each in STREAMS for name in settings.enabled_data_types(each.name)]
    types = [each for each in enabled if not streams or each[0] in streams]
    con.execute("create or replace temp table types (stream VARCHAR, data_type VARCHAR)")
    con.executemany("insert into types values (?, ?)", types)
    held = [(each.data_type, _naive(each.hour)) for each in manifest.quarantined()]
    con.execute("create or replace temp table held (data_type VARCHAR, hour TIMESTAMP)")
    if held:
        con.executemany("insert into held values (?, ?)", held)
    _bring_parts(con, settings, manifest)
    _bring_expired(con, manifest)
    start, last = _naive(settings.start_date), _naive(hour_of(moment) - HOUR)
    # what is switched off, and what a later start leaves behind, is nobody's lack any more
    names = [name for _, name in enabled]
    con.execute("delete from streams.completeness where data_type <> all($1) or hour < $2", [names, start])
    earliest = _naive(since) if since else last - _LOOKED_AT_AGAIN
    begin = max(start, min(earliest, _oldest_change(con, start, last)))
    if begin <= last:
        _find_gone_files(con, settings, begin)
        _count(con, sorted({name for name, _ in types}), begin, last)
        _judge(con, begin)
    return begin.replace(tzinfo=UTC)


def progress(con: duckdb.DuckDBPyConnection) -> list[Progress]:
    """How far each stream is, as of the last refresh."""
    lacks = f"trouble is not null and trouble <> '{SILENT}'"
    worst = f"list_position({['quarantined', *STATES[:-1]]}, state)"
    con.execute(
        f"create or replace temp table stream_hours as select stream, hour, bool_or({lacks}) as lacking, "
        f"arg_min(state, {worst}) as state, sum(rows_landed)::bigint as rows from streams.completeness group by all"
    )
    found = con.execute(
        "select stream, min(hour), max(hour) filter (not lacking) as newest, count(*) filter (lacking), "
        "coalesce(sum(rows) filter (state <> 'expired'), 0)::bigint, "
        "(select max(hour) from stream_hours as earlier where earlier.stream = stream_hours.stream "
        "and lacking and hour < (select max(hour) from stream_hours as those where those.stream = "
        "stream_hours.stream and not lacking)) from stream_hours group by stream"
    ).fetchall()
    states: dict[str, dict[str, int]] = {}
    for stream, state, hours in con.execute("select stream, state, count(*) from stream_hours group by all").fetchall():
        states.setdefault(stream, dict.fromkeys(STATES, 0))[state] = hours
    by_name = {
        stream: Progress(stream, _stretch(first, newest, hole), states[stream], lacking, rows)
        for stream, first, newest, lacking, rows, hole in found
    }
    return [by_name[each.name] for each in STREAMS if each.name in by_name]


def troubles(
    con: duckdb.DuckDBPyConnection,
    streams: Sequence[str] = (),
    window: Window | None = None,
    kinds: Sequence[str] = (),
) -> list[Trouble]:
    """What is wrong as of the last refresh, oldest first; empty `streams` and `kinds` mean all."""
    first, last = (_naive(window.start), _naive(window.end - HOUR)) if window else (None, None)
    found = con.execute(
        "select stream, hour, trouble, list(data_type order by data_type) from streams.completeness "
        "where trouble is not null and ($1 is null or hour between $1 and $2) "
        "and (len($3) = 0 or list_contains($3, stream)) and (len($4) = 0 or list_contains($4, trouble)) "
        "group by all order by hour, stream, trouble",
        [first, last, list(streams), list(kinds)],
    ).fetchall()
    return [Trouble(stream, hour.replace(tzinfo=UTC), kind, tuple(names)) for stream, hour, kind, names in found]


def _bring_parts(con: duckdb.DuckDBPyConnection, settings: Settings, manifest: Manifest) -> None:
    """Copy what the manifest has grown by; a manifest that was begun anew is copied whole."""
    (mark,) = con.execute("select coalesce(max(part_id), 0) from streams.landed").fetchone() or (0,)
    with manifest.connection() as source:
        (newest,) = source.execute("select coalesce(max(id), 0) from parts").fetchone()
        if newest < mark:
            con.execute("delete from streams.landed")
            mark = 0
        if newest == mark:
            return
        # parts and their fetch are written in one transaction, so none of them lies on the other side of the mark
        parts = source.execute(
            "select id, data_type, hour, fetched_at, pass, rows, late_rows, digest, path, run_id from parts "
            "where id > ?",
            (mark,),
        )
        with scratch_folder(settings.landing_dir, "completeness-") as folder:
            _copy(con, "arrived", _PART_COLUMNS, parts, folder / "parts.csv")
            (oldest,) = source.execute("select min(fetched_at) from parts where id > ?", (mark,)).fetchone()
            fetches = source.execute(
                "select data_type, fetched_at, run_id, lines from fetches where fetched_at >= ?", (oldest,)
            )
            _copy(con, "asked", _FETCH_COLUMNS, fetches, folder / "fetches.csv")
    con.execute(
        "create or replace temp table newest as "
        "with came as (select data_type, fetched_at, run_id, sum(rows) as rows from arrived group by all), "
        "lines as (select data_type, fetched_at, run_id, sum(lines) as lines from asked group by all) "
        "select arrived.* exclude (run_id) replace (fetched_at at time zone 'UTC' as fetched_at), "
        "(arrived.rows + lines - came.rows)::bigint as exported "
        "from arrived join came using (data_type, fetched_at, run_id) "
        "left join lines using (data_type, fetched_at, run_id) "
        "qualify row_number() over (partition by data_type, hour order by fetched_at desc, part_id desc) = 1"
    )
    same = "newest.data_type = landed.data_type and newest.hour = landed.hour"
    con.execute(f"delete from newest using streams.landed where {same} and landed.fetched_at > newest.fetched_at")
    con.execute(f"delete from streams.landed using newest where {same}")
    con.execute("insert into streams.landed by name select * from newest")


def _bring_expired(con: duckdb.DuckDBPyConnection, manifest: Manifest) -> None:
    spans = [(stream, each) for stream, windows in ExpiredHours(manifest).spans().items() for each in windows]
    con.execute(
        "create or replace temp table expired as select stream as expired_stream, "
        "unnest(generate_series(first, last, interval 1 hour)) as expired_hour from (select "
        "unnest($1::VARCHAR[]) as stream, unnest($2::TIMESTAMP[]) as first, unnest($3::TIMESTAMP[]) as last)",
        [
            [stream for stream, _ in spans],
            [_naive(each.start) for _, each in spans],
            [_naive(each.end - HOUR) for _, each in spans],
        ],
    )


def _copy(
    con: duckdb.DuckDBPyConnection, table: str, columns: dict[str, str], rows: Iterable[object], file: Path
) -> None:
    # through a file: handing over half a million rows one by one takes minutes
    with file.open("w", newline="") as text:
        csv.writer(text).writerows(rows)  # type: ignore[arg-type]
    con.execute(
        f"create or replace temp table {table} as select * from "
        f"read_csv($1, header = false, auto_detect = false, nullstr = '', columns = {columns})",
        [str(file)],
    )


def _oldest_change(con: duckdb.DuckDBPyConnection, start: datetime, last: datetime) -> datetime:
    """The first hour whose row is not there, or counts another part or load than the ones there are now."""
    (changed,) = con.execute(
        "with hours as (select stream, data_type, hour, _part_id, _load_id, state from streams.completeness "
        "join types using (stream, data_type)), "
        "there as (select data_type, part_id, load_id, hour from types join streams.landed using (data_type) "
        "left join streams.loads using (data_type, hour)) "
        "select min(hour) from (select hour from hours full join there using (data_type, hour) "
        "where (_part_id is distinct from part_id or _load_id is distinct from load_id) and hour between $1 and $2 "
        "union all select min(hour) from held "
        "union all select min(hour) from hours where state = 'quarantined' "
        "union all select coalesce(max(hour) + interval 1 hour, $1) from types left join hours using (data_type) "
        "group by types.data_type "
        "union all select $1 from hours group by data_type having min(hour) > $1)",
        [start, last],
    ).fetchone() or (None,)
    return changed or last


def _find_gone_files(con: duckdb.DuckDBPyConnection, settings: Settings, begin: datetime) -> None:
    # listing a folder for each hour and type takes ten times as long as asking for the files that should be there
    con.execute("create or replace temp table gone (path VARCHAR)")
    con.execute(
        "select path from types join streams.landed using (data_type) where path is not null and hour >= $1", [begin]
    )
    store, gone = FileStore.of(settings), list[str]()
    while some := con.fetchmany(_PATHS_AT_ONCE):
        gone += store.missing(path for (path,) in some)
    con.execute("insert into gone select unnest($1::VARCHAR[])", [gone])


def _count(con: duckdb.DuckDBPyConnection, streams: Iterable[str], begin: datetime, last: datetime) -> None:
    loaded = [
        f"select data_type, _hour as hour, count(*) as rows from streams.{name} where _hour >= $1 "
        "and _source = 'export' group by all"
        if name != USERS
        else f"select data_type, hour, rows from streams.loads where stream = '{USERS}' and hour >= $1"
        for name in streams
    ]
    con.execute(
        "create or replace temp table counted as "
        "with hours as (select unnest(generate_series($1, $2, interval 1 hour)) as hour), "
        f"loaded as ({' union all '.join(loaded)}) "
        "select types.stream, data_type, hour, "
        "case when expired_hour is not null then 'expired' when held.hour is not null then 'quarantined' "
        "else coalesce(landed.pass, 'missing') end as state, "
        "landed.exported as rows_exported, landed.rows as rows_landed, coalesce(loaded.rows, 0) as rows_loaded, "
        "case when landed.part_id is not null and expired_hour is null then landed.path is null or gone.path is null "
        "end as file_there, "
        "landed.fetched_at, landed.late_rows, "
        "case when expired_hour is not null then null "
        f"when held.hour is not null then '{QUARANTINED}' when landed.part_id is null then '{MISSING}' "
        f"when gone.path is not null then '{FILE_GONE}' when landed.exported <> landed.rows then '{LINES_LOST}' "
        "when rows_loaded <> landed.rows or loads.digest is distinct from landed.digest "
        f"then '{NOT_LOADED}' end as lack, landed.part_id as _part_id, loads.load_id as _load_id "
        "from types cross join hours left join streams.landed using (data_type, hour) "
        "left join streams.loads using (data_type, hour) left join loaded using (data_type, hour) "
        "left join held using (data_type, hour) left join gone using (path) "
        "left join expired on expired_stream = types.stream and expired_hour = hours.hour",
        [begin, last],
    )


def _judge(con: duckdb.DuckDBPyConnection, begin: datetime) -> None:
    """Put the counted rows in place, each with the band of the same hour of the week, and of the day while too young.

    Every hour has a row, so that a week ago is always 168 rows ago.
    """
    weekly = ", ".join(f"lag(rows, {168 * n}) over before" for n in range(1, _WEEKS + 1))
    daily = ", ".join(f"lag(rows, {24 * n}) over before" for n in range(1, _DAYS + 1))
    con.execute(
        "create or replace temp table judged as with known as ("
        "select data_type, hour, rows_landed as rows from streams.completeness join types using (stream, data_type) "
        f"where hour < $1 and hour >= $1::timestamp - interval {7 * _WEEKS} days "
        "union all select data_type, hour, rows_landed from counted), "
        f"sampled as (select data_type, hour, list_filter([{weekly}], lambda n: n is not null) as weekly, "
        f"list_filter([{daily}], lambda n: n is not null) as daily from known "
        "window before as (partition by data_type order by hour)), "
        f"chosen as (select data_type, hour, case when len(weekly) >= {_ENOUGH_WEEKS} then weekly "
        f"when len(daily) >= {_ENOUGH_DAYS} then daily end as samples from sampled where hour >= $1), "
        "measured as (select *, list_median(samples) as middle from chosen) "
        "select counted.* exclude (lack), "
        "least(list_min(samples), greatest(0, middle - 3 * sqrt(middle) - middle / 4)) as rows_low, "
        "greatest(list_max(samples), 2 * middle + 6 * sqrt(middle) + 10) as rows_high, "
        "coalesce(lack, case when rows_landed = 0 and rows_low > 0 and state <> 'expired' "
        f"then '{SILENT}' end) as trouble "
        "from counted join measured using (data_type, hour)",
        [begin],
    )
    con.execute("delete from streams.completeness using types where completeness.data_type = types.data_type "
                "and completeness.hour >= $1", [begin])  # fmt: skip
    con.execute("insert into streams.completeness by name select * from judged order by data_type, hour")


def _stretch(first: datetime, newest: datetime | None, hole: datetime | None) -> Window | None:
    if newest is None:
        return None
    start = first if hole is None else hole + HOUR
    return Window(start.replace(tzinfo=UTC), newest.replace(tzinfo=UTC) + HOUR)


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)
