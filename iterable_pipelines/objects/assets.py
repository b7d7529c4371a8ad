"""One asset per object: its table, refreshed as a whole."""

import dagster as dg

from iterable_pipelines.failures import explained
from iterable_pipelines.objects.declarations import OBJECT_TYPES, ObjectType
from iterable_pipelines.objects.refresh import refresh_object
from iterable_pipelines.objects.tables import own_columns
from iterable_pipelines.resources import IterableResource, open_project


def object_assets() -> list[dg.AssetsDefinition]:
    """One unpartitioned asset per declaration."""
    return [_object_asset(kind) for kind in OBJECT_TYPES]


def _object_asset(kind: ObjectType) -> dg.AssetsDefinition:
    @dg.asset(
        key=["objects", kind.name],
        group_name="objects",
        kinds={"iterable", "duckdb"},
        owners=["team:data"],
        metadata={
            "dagster/column_schema": _column_schema(kind),
            "dagster/table_name": f"iterable.objects.{kind.name}",
        },
        description=(
            f"{kind.title}, all of them: the table `objects.{kind.name}`. One that is not listed any more stays, with "
            "`_gone_at` saying since when."
        ),
    )
    def refresh(context: dg.AssetExecutionContext, iterable: IterableResource) -> dg.MaterializeResult[None]:
        with explained(context):
            project, _, warehouse = open_project(context.log.info)
            warehouse.prepare()
            client = iterable.client(context.log.info)
            refreshed = refresh_object(client, warehouse, project, kind.name, context.run.run_id, context.log.info)
        return dg.MaterializeResult(
            metadata={
                "rows": refreshed.rows,
                "changed": refreshed.changed,
                "gone": refreshed.gone,
                "requests": refreshed.requests,
                "dagster/row_count": refreshed.rows,
            }
        )

    return refresh


def _column_schema(kind: ObjectType) -> dg.TableSchema:
    described = {column.name: column.description for column in kind.columns}
    described |= {name: f"as asked for: the listing does not say its {name}" for name in kind.asked}
    own = [
        dg.TableColumn(name, sql_type, description=described[name] or None)
        for name, sql_type in own_columns(kind).items()
    ]
    return dg.TableSchema(
        [
            dg.TableColumn("id", "BIGINT", description=f"Iterable's {kind.id_field}"),
            *own,
            dg.TableColumn("record", "JSON", description="the whole object as it was answered, keys sorted"),
            dg.TableColumn("_loaded_at", "TIMESTAMP", description="when the row last changed here, UTC"),
            dg.TableColumn("_load_id", "BIGINT", description="grows whenever the row changes"),
            dg.TableColumn("_gone_at", "TIMESTAMP", description="when it was first missing from the listing, UTC"),
        ]
    )
