"""The warehouse follows landed files that were written anew: load log and completeness say what the manifest does."""

from datetime import datetime

import duckdb

from iterable_pipelines.data_types import DATA_TYPE, USERS
from iterable_pipelines.erasure.machine import machine_of
from iterable_pipelines.erasure.rewritten import Rewritten, RewrittenFiles
from iterable_pipelines.erasure.store import Log
from iterable_pipelines.landing.manifest import as_moment
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams.load import load_hours
from iterable_pipelines.streams.warehouse import Warehouse

_SAME_HOUR = "told.data_type = {0}.data_type and told.hour = {0}.hour"


def follow(warehouse: Warehouse, settings: Settings, files: RewrittenFiles, log: Log) -> list[int]:
    """Tell the warehouse of all that it has not learned of yet, and load anew the hours in which others named somebody:
    what an event is called follows from its record. Hours that were never loaded here are left to imports. Returns the
    numbers that `RewrittenFiles.followed` takes.
    """
    waiting = files.to_follow(machine_of(settings))
    if not waiting:
        return []
    with warehouse.transaction() as con:
        _tell(con, [each for _, each in waiting])
        loaded = set(con.execute("select distinct data_type, hour from streams.loads").fetchall())
    named: dict[str, set[datetime]] = {}
    for _, each in waiting:
        if (each.data_type, as_moment(each.hour).replace(tzinfo=None)) not in loaded:
            continue
        if each.mentions and DATA_TYPE[each.data_type].stream != USERS:
            named.setdefault(DATA_TYPE[each.data_type].stream, set()).add(as_moment(each.hour))
    for stream, hours in named.items():
        load_hours(warehouse, files.manifest, settings, stream, sorted(hours), "erasure", again=True, log=log)
    return [number for number, _ in waiting]


def _tell(con: duckdb.DuckDBPyConnection, files: list[Rewritten]) -> None:
    columns = ("data_type", "hour", "digest_before", "digest", "path", "rows", "rows_before")
    con.execute(
        "create or replace temp table rewritten_files as select *, rows_before - rows as lost, "
        "row_number() over (partition by data_type, hour order by place) as turn from (select "
        "unnest($1::varchar[]) as data_type, unnest($2::timestamp[]) as hour, unnest($3::varchar[]) as digest_before, "
        "unnest($4::varchar[]) as digest, unnest($5::varchar[]) as path, unnest($6::bigint[]) as rows, "
        "unnest($7::bigint[]) as rows_before, generate_subscripts($1::varchar[], 1) as place)",
        [[getattr(each, name) for each in files] for name in columns],
    )
    (turns,) = con.execute("select max(turn) from rewritten_files").fetchone() or (0,)
    # an hour that was written anew twice is told of twice, in that order: the second is known by what the first made
    for turn in range(1, turns + 1):
        told = f"(from rewritten_files where turn = {turn}) as told"
        con.execute(
            "update streams.completeness set rows_exported = rows_exported - lost, rows_landed = rows_landed - lost, "
            f"rows_loaded = rows_loaded - lost from {told} join streams.landed on {_SAME_HOUR.format('landed')} "
            f"and landed.digest = digest_before where {_SAME_HOUR.format('completeness')}"
        )
        con.execute(
            "update streams.landed set rows = told.rows, exported = exported - lost, digest = told.digest, "
            f"path = told.path, late_rows = least(late_rows, told.rows) from {told} "
            f"where {_SAME_HOUR.format('landed')} and landed.digest = digest_before"
        )
        con.execute(
            f"update streams.loads set rows = told.rows, digest = told.digest from {told} "
            f"where {_SAME_HOUR.format('loads')} and loads.digest = digest_before"
        )
