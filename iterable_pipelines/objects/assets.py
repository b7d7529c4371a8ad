"""One asset per object: its table, refreshed as a whole."""

from collections.abc import Iterator

import dagster as dg

from iterable_pipelines.failures import explained
from iterable_pipelines.objects.declarations import OBJECT_TYPES
from iterable_pipelines.objects.io_manager import stored_metadata
from iterable_pipelines.objects.object_type import ObjectType
from iterable_pipelines.objects.refresh import NotOffered, read_object, refresh_object
from iterable_pipelines.objects.tables import stored_columns
from iterable_pipelines.resources import IterableResource, open_project


def object_assets() -> list[dg.AssetsDefinition]:
    """One unpartitioned asset per declaration."""
    return [_object_asset(kind) for kind in OBJECT_TYPES]


def _object_asset(kind: ObjectType) -> dg.AssetsDefinition:
    @dg.asset(
        key=["objects", kind.name],
        deps=[["objects", name] for name in kind.parents],
        group_name="objects",
        kinds={"iterable", "duckdb"},
        owners=["team:data"],
        # an asset of yours that takes one of these as an input gets a DataFrame
        io_manager_key="warehouse_frames",
        # what a project does not offer is not materialized, and does not fail either
        output_required=False,
        metadata={
            "dagster/column_schema": _column_schema(kind),
            "dagster/table_name": f"iterable.objects.{kind.name}",
        },
        description=_description(kind),
    )
    def refresh(
        context: dg.AssetExecutionContext, iterable: IterableResource
    ) -> Iterator[dg.Output[object] | dg.MaterializeResult[None] | dg.AssetObservation]:
        with explained(context):
            project, _, warehouse = open_project(context.log.info)
            warehouse.prepare()
            client = iterable.client(context.log.info)
            try:
                if kind.in_one_answer:
                    yield dg.Output(read_object(client, warehouse, project, kind.name))
                    return
                refreshed = refresh_object(client, warehouse, project, kind.name, context.run.run_id, context.log.info)
            except NotOffered as absent:
                context.log.warning(str(absent))
                yield dg.AssetObservation(context.asset_key, metadata={"not_offered": str(absent)})
                return
        yield dg.MaterializeResult(
            metadata=stored_metadata(refreshed.stored)
            | {"requests": refreshed.requests, "notes": "; ".join(refreshed.notes)}
        )

    return refresh


def _description(kind: ObjectType) -> str:
    text = (
        f"{kind.title}, all of them: the table `objects.{kind.name}`, refreshed every {kind.every}. One that is not "
        "there any more stays, with `_gone_at` saying since when."
    )
    return text + (f" Every version of each is in `objects.{kind.history}`." if kind.history else "")


def _column_schema(kind: ObjectType) -> dg.TableSchema:
    described = {column.name: column.description for column in kind.columns}
    described["record"] = "the whole object as it was answered, keys sorted"
    own = [
        dg.TableColumn(name, sql_type, description=described[name] or None)
        for name, sql_type in stored_columns(kind).items()
    ]
    return dg.TableSchema(
        [
            *own,
            dg.TableColumn("_loaded_at", "TIMESTAMP", description="when the row last changed here, UTC"),
            dg.TableColumn("_load_id", "BIGINT", description="grows whenever the row changes"),
            dg.TableColumn("_gone_at", "TIMESTAMP", description="when it was first missing from the listing, UTC"),
        ]
    )
