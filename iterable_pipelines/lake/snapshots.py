"""Copies, in the lake, of the small tables of the warehouse that Spark's models read beside the events."""

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


def write_snapshots(con: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    """Copy all of them as they are on this connection; each replaces its copy of before. JSON becomes text."""
    with lake.scratch() as folder:
        files = []
        for schema, table in SNAPSHOTS:
            file = folder / f"{schema}.{table}"
            source = f"{quoted(schema)}.{quoted(table)}"
            columns = ", ".join(
                f"{quoted(name)}::varchar as {quoted(name)}" if kind == "JSON" else quoted(name)
                for name, kind, *_ in con.execute(f"describe {source}").fetchall()
            )
            con.execute(
                f"copy (select {columns} from {source}) to {literal(str(file))} (format parquet, compression zstd)"
            )
            files.append((file, lake.snapshot(schema, table)))
        lake.files.put_all(files)
