"""Which engine a warehouse was written for: its events are tables with one, views over the lake with the other."""

import duckdb

from iterable_pipelines.data_types import ACTIVITY_STREAMS, USERS
from iterable_pipelines.lake.layout import OF_SPARK

_STREAMS = ", ".join(f"'{stream.name}'" for stream in ACTIVITY_STREAMS)


def other_engine(con: duckdb.DuckDBPyConnection, engine: str) -> bool:
    """Whether the warehouse of this connection holds events as the other engine does."""
    there = con.execute(
        "select 1 from information_schema.tables where table_catalog = current_database() and table_schema = 'streams' "
        f"and table_name in ({_STREAMS}) and table_type = $1 limit 1",
        ["BASE TABLE" if engine == "spark" else "VIEW"],
    )
    return there.fetchone() is not None


def change_engine(con: duckdb.DuckDBPyConnection, engine: str) -> None:
    """Take out, in the transaction of `con`, what follows from landing and the other engine has made.

    Users, objects and everything else stay; what has landed of events counts as not loaded.
    """
    kind = "table" if engine == "spark" else "view"
    for stream in ACTIVITY_STREAMS:
        con.execute(f"drop {kind} if exists streams.{stream.name}")
    for schema in OF_SPARK:
        con.execute(f"drop schema if exists {schema} cascade")
    con.execute(f"delete from streams.loads where stream <> '{USERS}'")
    con.execute("delete from streams.webhook_loads")
