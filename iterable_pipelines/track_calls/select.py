"""What is new in the streams since a destination looked last: the rows of later loads, turned into calls.

An hour that was loaded again comes again as a whole; its events are told from new ones by the ledger (batches.py).
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from iterable_pipelines.hours import now
from iterable_pipelines.landing.scratch import scratch_folder, sweep
from iterable_pipelines.quoting import literal
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams.load import naive
from iterable_pipelines.streams.warehouse import Warehouse
from iterable_pipelines.track_calls.calls import AT, calls_sql
from iterable_pipelines.track_calls.declaration import Destination
from iterable_pipelines.track_calls.events import TRACK_EVENT
from iterable_pipelines.track_calls.ledger import LookedAt

# bounds what is written at once; one load may hold more
_ROWS_PER_SLICE = 300_000
# each thread holds so many calls while it writes them
_ROWS_IN_MEMORY = 10_240
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)

Progress = dict[str, LookedAt]


@dataclass(frozen=True)
class Slice:
    """Rows of some loads: a Parquet file of what `calls_sql` selects, and how far that reaches."""

    file: Path
    looked_at: Progress


def begin(destination: Destination, looked_at: Progress) -> Progress:
    """Where to go on for each data type: from the beginning for one that is new, or is wanted from earlier on."""
    found = {}
    for name in destination.events:
        before, since = looked_at.get(name), destination.since
        if before is None or (since and since < before.since):
            found[name] = LookedAt(since or now().replace(microsecond=0), 0, _BEGINNING)
        else:
            found[name] = replace(before, since=max(before.since, since or before.since))
    return found


def slices(settings: Settings, warehouse: Warehouse, destination: Destination, looked_at: Progress) -> Iterator[Slice]:
    """What is new, the oldest loads first. The warehouse is closed whenever a slice is handed out."""
    sweep(settings.landing_dir)
    is_first = True
    while True:
        with scratch_folder(settings.landing_dir) as scratch:
            with warehouse.transaction() as con:
                if is_first and _is_made_anew(con, looked_at):
                    looked_at = {name: replace(at, load_id=0) for name, at in looked_at.items()}
                is_first, moment = False, now()
                found = _next_loads(con, looked_at)
                if found is None:
                    return
                load_id, types = found
                each = (
                    calls_sql(
                        TRACK_EVENT[name],
                        destination.email_as,
                        f"_load_id > {looked_at[name].load_id} and _load_id <= {load_id} "
                        f"and {AT} >= {_timestamp(looked_at[name].since)}",
                    )
                    for name in types
                )
                file = scratch / "calls.parquet"
                con.execute(
                    f"copy ({' union all '.join(each)}) to {literal(str(file))} "
                    f"(compression zstd, row_group_size {_ROWS_IN_MEMORY})"
                )
            looked_at = {
                name: replace(at, load_id=max(at.load_id, load_id), moment=moment) for name, at in looked_at.items()
            }
            yield Slice(file, looked_at)


def _is_made_anew(con: duckdb.DuckDBPyConnection, looked_at: Progress) -> bool:
    """Whether this is another warehouse than at the last look: loads of old numbers are younger than that."""
    younger = (
        f"select 1 from streams.{TRACK_EVENT[name].stream} where data_type = {literal(name)} "
        f"and _load_id <= {at.load_id} and _loaded_at > {_timestamp(at.moment)}"
        for name, at in looked_at.items()
    )
    return bool(con.execute(f"select 1 from ({' union all '.join(younger)}) limit 1").fetchone())


def _next_loads(con: duckdb.DuckDBPyConnection, looked_at: Progress) -> tuple[int, list[str]] | None:
    """The load up to which the next slice reaches, and the data types that have rows in it."""
    looked = ", ".join(
        f"({literal(name)}, {at.load_id}, {_timestamp(at.since)})" for name, at in sorted(looked_at.items())
    )
    each = (
        "select data_type, _load_id, count(*) as rows "
        f"from streams.{stream} join (values {looked}) as looked (data_type, load_id, since) using (data_type) "
        # a plain number first: it lets whole blocks of older rows be passed over
        f"where _load_id > {min(looked_at[name].load_id for name in types)} and _load_id > load_id and {AT} >= since "
        "group by all"
        for stream, types in _by_stream(looked_at).items()
    )
    con.execute(f"create or replace temp table found as {' union all '.join(each)}")
    (load_id,) = con.execute(
        f"select coalesce(min(_load_id) filter (total >= {_ROWS_PER_SLICE}), max(_load_id)) from "
        "(select _load_id, sum(rows) over (order by _load_id) as total from found)"
    ).fetchone() or (None,)
    if load_id is None:
        return None
    types = con.execute(
        "select distinct data_type from found where _load_id <= ? order by data_type", [load_id]
    ).fetchall()
    return load_id, [name for (name,) in types]


def _by_stream(names: Collection[str]) -> dict[str, list[str]]:
    streams: dict[str, list[str]] = {}
    for name in names:
        streams.setdefault(TRACK_EVENT[name].stream, []).append(name)
    return streams


def _timestamp(moment: datetime) -> str:
    return f"timestamp {literal(str(naive(moment)))}"
