"""One build of all models, with the engine that the settings name."""

from collections.abc import Callable

from iterable_pipelines.lake.layout import Lake
from iterable_pipelines.lake.publish import create_views, publish_tables, remove_older
from iterable_pipelines.lake.snapshots import write_snapshots
from iterable_pipelines.profiles.dbt import GROWING, read_manifest, run_dbt
from iterable_pipelines.profiles.spark import needs_java, spark_environment, sweep
from iterable_pipelines.profiles.views import make_views
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams.warehouse import Warehouse

# what only models read
_NOT_PUBLISHED = {("profiles", "user_activity_hourly"), ("profiles", "user_base")}


def run_models(
    settings: Settings, warehouse: Warehouse, full_refresh: bool = False, log: Callable[[str], None] = print
) -> None:
    """Build what changed since the last finished build, or everything. Raises ModelsFailed."""
    warehouse.prepare()
    with warehouse.locked():
        if warehouse.lake:
            _with_spark(settings, warehouse, warehouse.lake, full_refresh)
        else:
            _with_duckdb(settings, warehouse, full_refresh)
    log("profiles and marts are built")


def _with_duckdb(settings: Settings, warehouse: Warehouse, full_refresh: bool) -> None:
    if full_refresh:
        with warehouse.transaction() as con:
            # a full build that breaks off must leave nothing that the next one would take for its own
            for table in GROWING:
                con.execute(f"drop table if exists {table}")
    run_dbt(settings, ["build", *(["--full-refresh"] if full_refresh else [])])


def _with_spark(settings: Settings, warehouse: Warehouse, lake: Lake, full_refresh: bool) -> None:
    arguments, environment = before_spark(settings, warehouse, lake, full_refresh)
    run_dbt(settings, ["build", *arguments], environment)
    after_spark(settings, warehouse, lake)


def before_spark(
    settings: Settings, warehouse: Warehouse, lake: Lake, full_refresh: bool = False
) -> tuple[list[str], dict[str, str]]:
    """Make the lake ready for a build; what dbt is told beside its command, and its environment. Raises ModelsFailed.

    With the target `spark_session` Spark starts within dbt's process.
    """
    needs_java(settings.spark_target)
    sweep(settings, lake.url)
    # what the models read beside the events
    with warehouse.transaction() as con:
        write_snapshots(con, lake)
    refresh = ["--full-refresh"] if full_refresh or not is_built(lake) else []
    return ["--target", settings.spark_target, *refresh], spark_environment(settings, lake.url)


def after_spark(settings: Settings, warehouse: Warehouse, lake: Lake) -> None:
    """Let readers of the warehouse see what Spark has made; what is a view of the models is one there, too."""
    tables = sorted(spark_tables(settings) - _NOT_PUBLISHED)
    number = publish_tables(lake, tables)
    with warehouse.transaction() as con:
        create_views(con, lake, tables, number)
    make_views(settings, warehouse)
    remove_older(lake, number)


def is_built(lake: Lake) -> bool:
    """Whether Spark's tables are there: an erasure takes them away as a whole."""
    return bool(lake.files.names("profiles/user_profiles"))


def spark_tables(settings: Settings) -> set[tuple[str, str]]:
    """Schema and name of every model that is a table."""
    nodes = read_manifest(settings)["nodes"].values()
    return {
        (node["schema"], node["name"])
        for node in nodes
        if node["resource_type"] == "model" and node["config"]["materialized"] not in ("view", "ephemeral")
    }
