"""Load landed webhooks into the tables of streams: what came since the last time, all streams in one transaction."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from iterable_pipelines.crashpoints import crashpoint
from iterable_pipelines.data_types import ACTIVITY_STREAMS, STREAM, Stream
from iterable_pipelines.erasure.gate import Gate
from iterable_pipelines.erasure.tombstones import Tombstones
from iterable_pipelines.landing.manifest import Manifest
from iterable_pipelines.landing.nearby import Nearby, landed_here
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams.batches import batches
from iterable_pipelines.streams.lake import events_table
from iterable_pipelines.streams.tables import next_load_id
from iterable_pipelines.streams.warehouse import Warehouse
from iterable_pipelines.streams.webhook_record import named_in_sql
from iterable_pipelines.streams.webhook_rows import landed_bodies_sql, tell_arrived, tell_hours, told_sql
from iterable_pipelines.webhooks.parts import WebhookPart, WebhookParts

# bounds the size of one transaction, and with it memory
_ROWS_PER_TRANSACTION = 250_000
# up to which part all is loaded
_MARK = "select coalesce(arg_max(part_id, load_id), 0) from streams.webhook_loads where stream is null"


@dataclass
class Told:
    """What one call of `load_webhooks` did.

    `hours` are those changed, by stream; `exported` those among them that the export had loaded before.
    """

    bodies: int = 0
    matched: int = 0
    unknown: int = 0
    hours: dict[str, set[datetime]] = field(default_factory=dict)
    exported: dict[str, set[datetime]] = field(default_factory=dict)


def load_webhooks(
    warehouse: Warehouse, manifest: Manifest, settings: Settings, run_id: str, log: Callable[[str], None] = print
) -> Told:
    """Bring every landed part of webhooks that is new into the tables. Raises WarehouseFailed, FileNotFoundError."""
    loaded, parts = Told(), WebhookParts(manifest)
    while True:
        with landed_here(settings) as near:
            _bring_next(warehouse, near, parts)
            with warehouse.transaction() as con:
                batch = _next_batch(parts, con.execute(_MARK).fetchone())
                if not batch:
                    return loaded
                _load(con, settings, manifest, near, parts, batch, run_id, loaded)
                crashpoint("before_commit")
        crashpoint("after_commit")
        log(f"streams/webhooks: {sum(part.rows for part in batch):,} bodies of {len(batch)} files loaded")


def waiting_and_unknown(warehouse: Warehouse) -> tuple[int, int]:
    """How many rows wait for the export to bring them too, and how many bodies no stream takes."""
    newest = "(select max(hour) - interval 168 hour from streams.webhook_loads)"
    waiting = " + ".join(
        f"(select count(*) from streams.{stream.name} where _source = 'webhook' and _hour >= {newest})"
        for stream in ACTIVITY_STREAMS
    )
    return warehouse.read(f"select {waiting}, (select count(*) from streams.unknown_webhooks)")[0]


def bring_webhooks(near: Nearby, manifest: Manifest, hours: Iterable[datetime]) -> None:
    """Copy all webhooks of hours to this machine, before the warehouse is held; where they lie here, do nothing."""
    if near.store.folder is None:
        _webhook_files(near, WebhookParts(manifest).of_hours(hours))


def _webhook_files(near: Nearby, parts: Iterable[WebhookPart]) -> list[Path]:
    names = [part.path for part in parts]
    gone = near.store.missing(name for name in names if not near.path(name).exists())
    if gone:
        raise FileNotFoundError(
            f"{len(gone)} landed file(s) of webhooks are gone, the first is {near.store.url(gone[0])}. Stored data is "
            "safe. Next: put them back; what they held cannot be asked of Iterable again, except as the export has it"
        )
    return near.files(names)


def tell_batch(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    manifest: Manifest,
    near: Nearby,
    stream: Stream,
    load_id: int,
    run_id: str,
) -> None:
    """Put all webhooks beside the rows of the hours in the temporary table `batch`, which were just replaced."""
    hours = [hour.replace(tzinfo=UTC) for (hour,) in con.execute("select distinct hour from batch").fetchall()]
    parts = WebhookParts(manifest).of_hours(hours)
    tell_hours(con, settings, stream, _webhook_files(near, parts), load_id)
    con.execute(
        "delete from streams.webhook_loads as loads using batch "
        "where loads.data_type = batch.data_type and loads.hour = batch.hour"
    )
    if parts:
        _note(con, near, stream, parts, load_id, run_id)


def reload_untouched(
    warehouse: Warehouse, manifest: Manifest, settings: Settings, stream: str, hours: Sequence[datetime]
) -> None:
    """Make the webhooks' rows of hours anew, for the data types of which no export of the hour was loaded."""
    with ExitStack() as stack:
        near = stack.enter_context(landed_here(settings))
        bring_webhooks(near, manifest, hours)
        con = stack.enter_context(warehouse.transaction())
        con.execute(
            "create or replace temp table batch as select data_type, hour, null::timestamp as fetched_at from "
            "(select unnest($1::VARCHAR[]) as data_type) cross join (select unnest($2::TIMESTAMP[]) as hour) "
            "anti join streams.loads using (data_type, hour)",
            [list(settings.enabled_data_types(stream)), [hour.replace(tzinfo=None) for hour in hours]],
        )
        with events_table(con, settings, STREAM[stream], "from batch"):
            con.execute(
                f"delete from streams.{stream} using batch where {stream}.data_type = batch.data_type "
                f"and _hour = batch.hour and _source = 'webhook'"
            )
            tell_batch(con, settings, manifest, near, STREAM[stream], next_load_id(con), "rebuild")


def _load(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    manifest: Manifest,
    near: Nearby,
    parts: WebhookParts,
    batch: list[WebhookPart],
    run_id: str,
    loaded: Told,
) -> None:
    files, load_id = _webhook_files(near, batch), next_load_id(con)
    present = {name for (name,) in con.execute(f"select distinct data_type from {landed_bodies_sql(files)}").fetchall()}
    for stream in ACTIVITY_STREAMS:
        if present.isdisjoint(settings.enabled_data_types(stream.name)):
            continue
        con.execute(f"create or replace temp table told as {told_sql(con, settings, stream, files)}")
        first, last = con.execute("select min(hour), max(hour) from told").fetchone() or (None, None)
        if first is None:
            continue
        if settings.engine == "duckdb":
            con.execute(
                f"delete from told where digest in (select _webhook_id from streams.{stream.name} "
                f"where _hour between timestamp '{first}' and timestamp '{last}' and _webhook_id is not null)"
            )
        hours = {hour.replace(tzinfo=UTC) for (hour,) in con.execute("select distinct hour from told").fetchall()}
        if not hours:
            continue
        exported = _hear_exports(con, manifest)
        before = _webhook_files(near, parts.of_hours(exported))
        with events_table(con, settings, stream, "from told"):
            if settings.engine == "spark":
                # the lake may hold them of a load that was killed, and is in no log: they are told anew
                con.execute(
                    f"delete from streams.{stream.name} where _source = 'webhook' "
                    "and _webhook_id in (select digest from told)"
                )
            tell_arrived(con, settings, stream, files, before, load_id)
        loaded.matched += _note(con, near, stream, batch, load_id, run_id)
        loaded.hours.setdefault(stream.name, set()).update(hours)
        loaded.exported.setdefault(stream.name, set()).update(exported)
    loaded.bodies += sum(part.rows for part in batch)
    loaded.unknown += _keep_unknown(con, settings, files)
    # says up to which part all is loaded
    con.execute(
        "insert into streams.webhook_loads (load_id, part_id, rows, loaded_at, run_id) "
        "values (?, ?, ?, now() at time zone 'UTC', ?)",
        [load_id, max(part.id for part in batch), sum(part.rows for part in batch), run_id],
    )


def _hear_exports(con: duckdb.DuckDBPyConnection, manifest: Manifest) -> set[datetime]:
    """Make the temporary table `word`: the hours in `told` that an export was loaded of, and of when that is."""
    con.execute("create or replace temp table word (data_type VARCHAR, hour TIMESTAMP, fetched_at TIMESTAMP)")
    hours: dict[str, dict[datetime, str]] = {}
    for data_type, hour, digest in con.execute(
        "select data_type, hour, loads.digest from streams.loads semi join told using (data_type, hour)"
    ).fetchall():
        hours.setdefault(data_type, {})[hour.replace(tzinfo=UTC)] = digest
    for data_type, digests in hours.items():
        landed = manifest.current(data_type, digests)
        for hour, digest in digests.items():
            # what is landed and not loaded yet has not spoken: its load will judge
            part = landed.get(hour)
            fetched_at = part.fetched_at.replace(tzinfo=None) if part and part.digest == digest else None
            con.execute("insert into word values (?, ?, ?)", [data_type, hour.replace(tzinfo=None), fetched_at])
    return {hour for digests in hours.values() for hour in digests}


def _note(
    con: duckdb.DuckDBPyConnection,
    near: Nearby,
    stream: Stream,
    parts: Sequence[WebhookPart],
    load_id: int,
    run_id: str,
) -> int:
    """Log what was told by these parts; returns how many of it the export has, too."""
    con.execute("create or replace temp table files (part_id BIGINT, path VARCHAR)")
    con.execute(
        "insert into files select unnest($1::BIGINT[]), unnest($2::VARCHAR[])",
        [[part.id for part in parts], [str(near.path(part.path)) for part in parts]],
    )
    con.execute(
        "create or replace temp table counted as select part_id, data_type, hour, count(*) as rows, "
        "count(pairs.digest) as matched, (data_type, hour) not in (select data_type, hour from word) as only_added "
        "from told join files using (path) left join pairs using (digest) group by all"
    )
    con.execute(
        "delete from streams.webhook_loads as loads using counted where loads.part_id = counted.part_id "
        "and loads.data_type = counted.data_type and loads.hour = counted.hour"
    )
    con.execute(
        "insert into streams.webhook_loads by name select *, ? as load_id, ? as stream, "
        "now() at time zone 'UTC' as loaded_at, ? as run_id from counted",
        [load_id, stream.name, run_id],
    )
    found = con.execute("select coalesce(sum(matched), 0)::bigint from counted").fetchone()
    return int(found[0]) if found else 0


def _keep_unknown(con: duckdb.DuckDBPyConnection, settings: Settings, files: Sequence[Path]) -> int:
    """What no stream takes, with the reason; each body once. Returns how many are new."""
    names = [name for stream in ACTIVITY_STREAMS for name in stream.data_types]
    refused = Gate(con, Tombstones(settings)).refuses(*named_in_sql("body::json"))
    found = con.execute(
        "insert into streams.unknown_webhooks by name select data_type as event_name, received_at, digest, "
        "case when data_type is null then 'no event name' "
        "when not list_contains($1, data_type) then 'unknown event name' "
        "when created_at is null then 'no readable time' else 'before the start date' end as reason, body "
        f"from {landed_bodies_sql(files)} where (data_type is null or not list_contains($1, data_type) "
        "or created_at is null or created_at < $2::timestamp) "
        f"and digest not in (select digest from streams.unknown_webhooks) and not {refused} "
        "qualify row_number() over (partition by digest order by received_at) = 1",
        [names, settings.start_date.replace(tzinfo=None)],
    ).fetchone()
    return int(found[0]) if found else 0


def _bring_next(warehouse: Warehouse, near: Nearby, parts: WebhookParts) -> None:
    # the hours' earlier files too: whoever is told of now may be paired with them
    if near.store.folder is None:
        batch = _next_batch(parts, warehouse.read(_MARK)[0])
        _webhook_files(near, [*batch, *parts.of_hours(part.hour for part in batch)])


def _next_batch(parts: WebhookParts, found: tuple[int] | None) -> list[WebhookPart]:
    # what the newest load says, not the largest number: a manifest that was begun anew counts from one again
    mark = found[0] if found else 0
    return next(batches(parts.after(mark if mark <= parts.newest() else 0), _ROWS_PER_TRANSACTION), [])
