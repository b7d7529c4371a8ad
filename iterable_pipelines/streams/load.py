"""Load hours from landing into a stream's table: one transaction per batch, together with its row in the load log."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import duckdb

from iterable_pipelines.crashpoints import crashpoint
from iterable_pipelines.data_types import STREAM, USERS, Stream
from iterable_pipelines.file_store import FileStore
from iterable_pipelines.hours import hour_key, hour_of
from iterable_pipelines.landing.expired import without_expired
from iterable_pipelines.landing.manifest import Manifest, Part
from iterable_pipelines.landing.nearby import Nearby, landed_here
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams.batches import batches
from iterable_pipelines.streams.event_id import ways_to_tell_ids
from iterable_pipelines.streams.lake import events_table
from iterable_pipelines.streams.landed import landed_sql
from iterable_pipelines.streams.late import copy_lateness
from iterable_pipelines.streams.tables import columns_of, extraction_sql, next_load_id, user_key_sql
from iterable_pipelines.streams.users import merge_users
from iterable_pipelines.streams.warehouse import Warehouse
from iterable_pipelines.streams.webhooks import bring_webhooks, tell_batch

# bounds the size of one transaction, and with it memory and the write-ahead log
_ROWS_PER_TRANSACTION = 3_000_000


class StaleWriter(Exception):
    """A newer attempt at the same hours has been here already; this one must not write."""


@dataclass
class Loaded:
    """What one call of `load_hours` did: rows written, hours left alone because nothing in them changed."""

    rows: int = 0
    late_rows: int = 0
    hours: set[datetime] = field(default_factory=set)
    unchanged: int = 0
    not_landed: list[str] = field(default_factory=list)


def load_hours(
    warehouse: Warehouse,
    manifest: Manifest,
    settings: Settings,
    stream: str,
    hours: Iterable[datetime],
    run_id: str,
    *,
    again: bool = False,
    log: Callable[[str], None] = print,
) -> Loaded:
    """Bring the landed parts of `hours` into the stream's table; parts that are there already are left alone.

    With `again` they are loaded all the same.

    Events replace their hour, users merge by identity. Raises StaleWriter, WarehouseFailed, or FileNotFoundError when
    a landing file is gone. What has not landed is named in the result, not guessed.
    """
    load = _Load(warehouse, manifest, settings, STREAM[stream], run_id, manifest.next_token())
    wanted = without_expired(manifest, stream, (hour_of(hour) for hour in hours))
    loaded = Loaded()
    parts: list[Part] = []
    for data_type in settings.enabled_data_types(stream):
        landed = manifest.current(data_type, wanted)
        loaded.not_landed += [f"{data_type} {hour_key(hour)}" for hour in wanted if hour not in landed]
        parts += landed.values()
    changed = parts if again else _changed(warehouse, stream, parts)
    loaded.unchanged = len(parts) - len(changed)
    for batch in _by_hour(changed):
        load.bring(batch)
        crashpoint("after_commit")
        loaded.rows += sum(part.rows for part in batch)
        loaded.late_rows += sum(part.late_rows for part in batch)
        loaded.hours |= {part.hour for part in batch}
        log(f"streams/{stream}: {sum(part.rows for part in batch):,} rows of {len(batch)} parts loaded")
    if changed:
        copy_lateness(warehouse, manifest, settings.enabled_data_types(stream))
    return loaded


def _changed(warehouse: Warehouse, stream: str, parts: list[Part]) -> list[Part]:
    if not parts:
        return []
    span: list[object] = [stream, *(naive(edge(part.hour for part in parts)) for edge in (min, max))]
    # rows that somebody deleted by hand make a part changed again; merged users cannot be counted by the hour.
    # So do rows of webhooks that wait for the export's word
    counted = "rows, 0" if stream == USERS else "coalesce(stored.rows, 0), coalesce(stored.waiting, 0)"
    stored = (
        ""
        if stream == USERS
        else "left join (select data_type, _hour as hour, count(*) filter (_source = 'export') as rows, "
        f"count(*) filter (_source = 'webhook') as waiting from streams.{stream} where _hour between $2 and $3 "
        "group by all) as stored using (data_type, hour)"
    )
    there = {
        (data_type, hour): (digest, rows, waiting)
        for data_type, hour, digest, rows, waiting in warehouse.read(
            f"select data_type, hour, digest, {counted} from streams.loads {stored} "
            "where stream = $1 and hour between $2 and $3",
            span,
        )
    }
    return [part for part in parts if there.get((part.data_type, naive(part.hour))) != (part.digest, part.rows, 0)]


def _by_hour(parts: list[Part]) -> Iterator[list[Part]]:
    return batches(sorted(parts, key=lambda each: each.hour), _ROWS_PER_TRANSACTION)


def reload_users(warehouse: Warehouse, manifest: Manifest, settings: Settings, run_id: str) -> int:
    """Empty the table of users and merge every file of them that ever landed, in one transaction; returns the rows.

    The newest fetch of an hour lacks those who were updated since, or deleted: merging is over all versions there are.
    """
    token = manifest.next_token()
    current = list(manifest.current("user").values())
    _check_files(settings, current)
    superseded = manifest.superseded("user")
    gone = set(FileStore.of(settings).missing(str(part.path) for part in superseded))
    superseded = [part for part in superseded if part.path not in gone]
    with ExitStack() as stack:
        near = stack.enter_context(landed_here(settings))
        near.files(str(part.path) for part in (*superseded, *current) if part.path)
        con = stack.enter_context(warehouse.transaction())
        load_id = next_load_id(con)
        con.execute(f"delete from streams.{USERS} where _source = 'export'")
        for batch in _by_hour([*superseded, *current]):
            merge_users(con, settings, _stage(con, near, batch), load_id)
        _stage(con, near, current)
        _refuse_stale(con, USERS, token)
        con.execute("delete from streams.loads where stream = ?", [USERS])
        _log_loads(con, USERS, load_id, run_id, token)
        crashpoint("before_commit")
        found = con.execute(f"select count(*) from streams.{USERS}").fetchone()
    return int(found[0]) if found else 0


@dataclass(frozen=True)
class _Load:
    """The load of one stream by one run."""

    warehouse: Warehouse
    manifest: Manifest
    settings: Settings
    stream: Stream
    run_id: str
    token: int

    def bring(self, batch: list[Part]) -> None:
        """Check and copy the files of a batch, then put their rows in the place of what the table has of its hours."""
        _check_files(self.settings, batch)
        with landed_here(self.settings) as near:
            # before the warehouse is held: whoever waits for it should not wait for a network
            near.files(part.path for part in batch if part.path)
            bring_webhooks(near, self.manifest, {part.hour for part in batch})
            self._replace(batch, near)

    def _replace(self, batch: list[Part], near: Nearby) -> None:
        with self.warehouse.transaction() as con:
            files = _stage(con, near, batch)
            _refuse_stale(con, self.stream.name, self.token)
            load_id = next_load_id(con)
            if self.stream.name == USERS:
                merge_users(con, self.settings, files, load_id)
            else:
                with events_table(con, self.settings, self.stream, "from batch"):
                    _replace_events(con, self.settings, self.stream, files, load_id)
                    tell_batch(con, self.settings, self.manifest, near, self.stream, load_id, self.run_id)
            con.execute(
                "delete from streams.loads using batch "
                "where loads.data_type = batch.data_type and loads.hour = batch.hour"
            )
            _log_loads(con, self.stream.name, load_id, self.run_id, self.token)
            crashpoint("before_commit")


def _stage(con: duckdb.DuckDBPyConnection, near: Nearby, batch: list[Part]) -> list[Path]:
    # the parts of a batch as a temporary table, and their files
    con.execute(
        "create or replace temp table batch (data_type VARCHAR, hour TIMESTAMP, digest VARCHAR, rows BIGINT, "
        "late_rows BIGINT, fetched_at TIMESTAMP, path VARCHAR)"
    )
    files = [near.path(part.path) if part.path else None for part in batch]
    con.execute(
        "insert into batch select " + ", ".join(f"unnest(${n})" for n in range(1, 8)),
        [
            [part.data_type for part in batch],
            [naive(part.hour) for part in batch],
            [part.digest for part in batch],
            [part.rows for part in batch],
            [part.late_rows for part in batch],
            [naive(part.fetched_at) for part in batch],
            [str(file) if file else None for file in files],
        ],
    )
    return [file for file in files if file]


def _log_loads(con: duckdb.DuckDBPyConnection, stream: str, load_id: int, run_id: str, token: int) -> None:
    con.execute(
        "insert into streams.loads select ?, ?, data_type, hour, digest, rows, late_rows, "
        "now() at time zone 'UTC', ?, ? from batch",
        [load_id, stream, run_id, token],
    )


def _replace_events(
    con: duckdb.DuckDBPyConnection, settings: Settings, stream: Stream, files: list[Path], load_id: int
) -> None:
    table = f"streams.{stream.name}"
    con.execute(
        f"delete from {table} using batch where {table}.data_type = batch.data_type and {table}._hour = batch.hour"
    )
    if not files:
        return
    source = landed_sql(con, settings, files)
    columns = columns_of(stream)
    names = ", ".join(column.name for column in columns)
    before = sum(len(column.paths) for column in columns)
    for way in ways_to_tell_ids(con, source):
        event_id = way.digest(lambda n: f"texts[{before + n + 1}]")
        extracted = extraction_sql(
            columns,
            f"(select * from {source} where {way.condition})",
            f"data_type, record, hour, {event_id} as event_id",
            way.paths,
        )
        con.execute(
            f"insert into {table} by name select {names}, data_type, event_id, "
            f"{user_key_sql(settings.project_type)} as user_key, record, hour as _hour, 'export' as _source, "
            f"now() at time zone 'UTC' as _loaded_at, {load_id} as _load_id from ({extracted})"
        )
    # two clicks of one second are two events: the second of them says so in its id. Numbers find the few that may be
    # twins, because grouping millions of texts takes memory
    con.execute(
        f"update {table} set event_id = md5(event_id || '#' || twins.ordinal) from (select rowid as twin, "
        "row_number() over (partition by data_type, _hour, event_id order by record::varchar) as ordinal "
        f"from {table} where _load_id = {load_id} and hash(event_id) in (select hash(event_id) from {table} "
        f"where _load_id = {load_id} group by hash(event_id) having count(*) > 1)) as twins "
        f"where {table}.rowid = twins.twin and twins.ordinal > 1"
    )


def _refuse_stale(con: duckdb.DuckDBPyConnection, stream: str, token: int) -> None:
    expired = con.execute(
        "select min(hour) from batch join streams.expired_hours using (hour) where stream = ?", [stream]
    ).fetchone()
    if expired and expired[0]:
        raise StaleWriter(
            f"streams/{stream}, hour {expired[0]:%Y-%m-%dT%H}: its rows have left by the retention meanwhile. "
            "Counts are safe; there is nothing to do"
        )
    newer = con.execute(
        "select min(loads.hour) from streams.loads join batch using (data_type, hour) where loads.token > ?", [token]
    ).fetchone()
    if newer and newer[0]:
        raise StaleWriter(
            f"streams/{stream}, hour {newer[0]:%Y-%m-%dT%H}: a newer run has loaded it while this one was away. "
            "Stored data is safe; there is nothing to do"
        )


def _check_files(settings: Settings, parts: list[Part]) -> None:
    store = FileStore.of(settings)
    gone = store.missing(part.path for part in parts if part.path)
    if gone:
        raise FileNotFoundError(
            f"{len(gone)} landing file(s) of the manifest are gone, the first is {store.url(gone[0])}. "
            "Stored data is safe. Next: run the landing asset of that hour with `refetch`"
        )


def naive(moment: datetime) -> datetime:
    """An aware UTC moment as DuckDB's TIMESTAMP columns hold it."""
    return moment.replace(tzinfo=None)
