"""Copies, in the lake, of the small tables of the warehouse that Spark's models read beside the events.

A table that is as it was is not copied again. What it was is told by a sum over all of its values, which stands in the
copy itself: a copy that an erasure has written anew has none, and is made again. The sum takes a fifth of the time.
"""

from collections.abc import Iterable, Mapping

import duckdb

from iterable_pipelines.data_types import USERS
from iterable_pipelines.lake.layout import Lake
from iterable_pipelines.quoting import literal, quoted

# the sources of the models that are no streams of events (dbt_models/models/sources.yml)
SNAPSHOTS = (
    *(("streams", name) for name in (USERS, "loads", "webhook_loads", "expired_hours", "expired_activity")),
    *(
        ("objects", name)
        for name in ("campaigns", "templates", "channels", "message_types", "journeys", "lists", "list_members")
    ),
)
_SUM = "iterable_pipelines_sum"


def write_snapshots(con: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    """Copy those that changed, as they are on this connection; each replaces its copy of before. JSON becomes text."""
    copied = _sums_of_copies(con, lake)
    with lake.scratch() as folder:
        files = []
        for schema, table in SNAPSHOTS:
            file, name = folder / f"{schema}.{table}", lake.snapshot(schema, table)
            source = f"{quoted(schema)}.{quoted(table)}"
            columns = {name: kind for name, kind, *_ in con.execute(f"describe {source}").fetchall()}
            total = _sum_of(con, source, columns)
            if copied.get(lake.files.url(name)) == total:
                continue
            select = ", ".join(
                f"{quoted(name)}::varchar as {quoted(name)}" if kind == "JSON" else quoted(name)
                for name, kind in columns.items()
            )
            con.execute(
                f"copy (select {select} from {source}) to {literal(str(file))} "
                f"(format parquet, compression zstd, kv_metadata {{{_SUM}: {literal(total)}}})"
            )
            files.append((file, name))
        lake.files.put_all(files)


def _sum_of(con: duckdb.DuckDBPyConnection, source: str, columns: Mapping[str, str]) -> str:
    """What differs if a row, a value, or a column does; the order of rows does not matter."""
    hashed = f"hash({', '.join(map(quoted, columns))})"
    counted = con.execute(f"select count(*), sum({hashed}::hugeint) from {source}").fetchone()
    return f"{counted} {duckdb.__version__} {list(columns.items())}"


def _sums_of_copies(con: duckdb.DuckDBPyConnection, lake: Lake) -> dict[str, str]:
    """By address; without those that are missing. A copy that cannot be read is made again, and so are all others."""
    names = [lake.snapshot(schema, table) for schema, table in SNAPSHOTS]
    there = set(names).difference(lake.files.missing(names))
    return _told(con, [lake.files.url(name) for name in there]) if there else {}


def _told(con: duckdb.DuckDBPyConnection, addresses: Iterable[str]) -> dict[str, str]:
    listed = ", ".join(map(literal, addresses))
    asked = f"select file_name, decode(value) from parquet_kv_metadata([{listed}]) where decode(key) = '{_SUM}'"
    try:
        # on a connection of its own: an error would end the transaction of `con`
        with con.cursor() as own:
            return dict(own.execute(asked).fetchall())
    except (duckdb.Error, OSError):
        return {}
