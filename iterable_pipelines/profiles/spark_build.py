"""What a build on Spark needs beside dbt: the lake made ready before it, and afterwards its tables shown to readers."""

import json

import duckdb

from iterable_pipelines.lake.layout import Lake
from iterable_pipelines.lake.publish import (
    Table,
    create_views,
    files_of,
    next_number,
    publish_tables,
    published,
    remove_unread,
    tables_made,
)
from iterable_pipelines.lake.snapshots import write_snapshots
from iterable_pipelines.profiles.dbt import read_manifest, run_dbt
from iterable_pipelines.profiles.spark import spark_environment, sweep
from iterable_pipelines.profiles.views import make_views
from iterable_pipelines.quoting import literal
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams.warehouse import Warehouse

# what only models read
_NOT_PUBLISHED = {("profiles", "user_activity_hourly"), ("profiles", "user_base"), ("marts", "recent_activity")}


def before_spark(
    settings: Settings, warehouse: Warehouse, lake: Lake, full_refresh: bool = False
) -> tuple[list[str], dict[str, str]]:
    """Make the lake ready for a build; what dbt is told beside its command, and its environment. Raises ModelsFailed.

    With the target `spark_session` Spark starts within dbt's process.
    """
    sweep(settings)
    remove_unread(lake, views_of_readers(warehouse))
    with warehouse.transaction() as con:
        # what the models read beside the events
        write_snapshots(con, lake)
        refresh = ["--full-refresh"] if full_refresh or not is_built(con, lake) else []
    return ["--target", settings.spark_target, *refresh], spark_environment(settings, lake.url)


def views_of_readers(warehouse: Warehouse) -> list[str]:
    """The statements of all views in the warehouse and in its copy for readers."""
    asked = "select sql from duckdb_views() where not internal"
    found = warehouse.read(asked)
    if warehouse.published.exists():
        # attached: whoever reads it in this process has it locked to settings of its own
        with duckdb.connect() as con:
            con.execute(f"attach {literal(str(warehouse.published))} as copy (read_only)")
            found += con.execute(asked).fetchall()
    return [sql for (sql,) in found]


def after_spark(settings: Settings, warehouse: Warehouse, lake: Lake) -> None:
    """Let readers of the warehouse see what Spark has made; what is a view of the models is one there, too."""
    tables = tables_made(lake, sorted(spark_tables(settings) - _NOT_PUBLISHED))
    number = next_number(lake)
    if settings.spark_format == "parquet":
        publish_tables(lake, tables, number)
    else:
        _have_spark_publish(settings, lake, tables, number)
    with warehouse.transaction() as con:
        create_views(con, lake, tables, number)
    make_views(settings, warehouse)


def _have_spark_publish(settings: Settings, lake: Lake, tables: list[Table], number: int) -> None:
    # beside its newest files such a table keeps older ones, which only Spark can tell apart
    environment = spark_environment(settings, lake.url)
    root = environment["ITERABLE_LAKE_URL"]
    folders = {".".join(table): f"{root}/{published(number, table)}" for table in tables}
    arguments = ["--target", settings.spark_target, "--args", json.dumps({"folders": folders})]
    run_dbt(settings, ["run-operation", "write_published", *arguments], environment)


def is_built(con: duckdb.DuckDBPyConnection, lake: Lake) -> bool:
    """Whether Spark has finished a build of what this warehouse has loaded.

    An erasure takes its tables away. A warehouse that was made anew, or is an older one, counts its loads from before.
    """
    # the table that a build writes last
    files = files_of(lake, "marts/builds")
    if not files:
        return False
    listed = ", ".join(literal(lake.files.url(name)) for name in files)
    found = con.execute(
        "select coalesce(max(built_to), 0) <= "
        "(select coalesce(max(last_value), 0) from duckdb_sequences() where sequence_name = 'load_ids') "
        f"from read_parquet([{listed}])"
    ).fetchone()
    return bool(found and found[0])


def spark_tables(settings: Settings) -> set[tuple[str, str]]:
    """Schema and name of every model that is a table."""
    nodes = read_manifest(settings)["nodes"].values()
    return {
        (node["schema"], node["name"])
        for node in nodes
        if node["resource_type"] == "model" and node["config"]["materialized"] not in ("view", "ephemeral")
    }
