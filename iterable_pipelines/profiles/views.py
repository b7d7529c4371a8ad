"""The models that are views, in the warehouse beside what Spark has made: dbt, which takes seconds, makes them rarely.

A view changes with its model, the configuration, and the columns that it reads: no view has anything in its text that
was looked up in the data.
"""

import hashlib
import json

from iterable_pipelines.profiles.dbt import dbt_vars, read_manifest, run_dbt
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams.warehouse import Warehouse


def make_views(settings: Settings, warehouse: Warehouse) -> None:
    """Make them, unless they are in the warehouse as the last time, and would be made the same. Raises ModelsFailed."""
    noted = settings.data_dir / "dbt" / "views"
    if noted.exists() and noted.read_text() == _digest(settings, warehouse):
        return
    run_dbt(settings, ["run", "--select", "config.materialized:view"])
    noted.write_text(_digest(settings, warehouse))


def _digest(settings: Settings, warehouse: Warehouse) -> str:
    """Of the models and what they are told, of all columns in the warehouse, and of the views as they are there."""
    models = read_manifest(settings)
    views = [
        [node["schema"], node["name"]]
        for node in models["nodes"].values()
        if node["resource_type"] == "model" and node["config"]["materialized"] == "view"
    ]
    columns = warehouse.read(
        "select schema_name, table_name, column_name, data_type from duckdb_columns() "
        "where database_name = current_database() order by all"
    )
    there = warehouse.read(
        "select schema_name, view_name, sql from duckdb_views() where database_name = current_database() "
        "and [schema_name, view_name] in (select unnest($1::varchar[][])) order by all",
        [views],
    )
    sources = {kind: models[kind] for kind in ("nodes", "macros")}
    told = json.dumps([sources, dbt_vars(settings)], sort_keys=True)
    return hashlib.sha256(repr((told, columns, there)).encode()).hexdigest()
