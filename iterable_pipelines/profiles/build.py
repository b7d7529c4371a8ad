"""One build of all models, with the engine that the settings name."""

from collections.abc import Callable

from iterable_pipelines.lake.layout import Lake
from iterable_pipelines.profiles.dbt import GROWING, run_dbt
from iterable_pipelines.profiles.spark_build import after_spark, before_spark
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams.warehouse import Warehouse


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
                con.execute(f"drop table if exists {table}__next")
    run_dbt(settings, ["build", *(["--full-refresh"] if full_refresh else [])])


def _with_spark(settings: Settings, warehouse: Warehouse, lake: Lake, full_refresh: bool) -> None:
    arguments, environment = before_spark(settings, warehouse, lake, full_refresh)
    run_dbt(settings, ["build", *arguments], environment)
    after_spark(settings, warehouse, lake)
