"""Two assets that follow what the receiver has received: into landing, and into the tables of streams."""

import sqlite3

import dagster as dg
import duckdb

from iterable_pipelines.failures import explained
from iterable_pipelines.hours import HOUR, hour_key, hour_of
from iterable_pipelines.resources import open_project
from iterable_pipelines.streams.webhook_loss import loss_table, webhook_loss
from iterable_pipelines.streams.webhooks import load_webhooks, waiting_and_unknown
from iterable_pipelines.webhooks.errors import WebhooksNotLanded
from iterable_pipelines.webhooks.land import Moved, land
from iterable_pipelines.webhooks.parts import WebhookParts
from iterable_pipelines.webhooks.spool import Spool


def webhook_assets() -> list[dg.AssetsDefinition]:
    """Both, in the order of the flow. Where no webhook was ever received they come to nothing."""
    return [_landing_asset(), _streams_asset()]


def _landing_asset() -> dg.AssetsDefinition:
    @dg.asset(
        key=["landing", "webhooks"],
        group_name="landing",
        kinds={"iterable", "parquet"},
        owners=["team:data"],
        description=(
            "Webhooks as they came: moved from the spool into one Parquet file per move and hour, and noted in the "
            "manifest. A body that cannot be read is tried five times, then put aside in the spool."
        ),
    )
    def landing_webhooks(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        with explained(context):
            project, manifest, _ = open_project(context.log.info)
            moved, aside = Moved(), 0
            if project.spool_path.exists():
                try:
                    spool = Spool(project.spool_path)
                    moved = land(spool, manifest, project, context.run.run_id, context.log.info)
                    aside = spool.level().aside
                except (OSError, sqlite3.Error, duckdb.Error) as error:
                    raise WebhooksNotLanded(error, project.spool_path) from None
        if moved.aside:
            context.log.warning(
                f"{moved.aside} bodies were put aside: they could not be read five times. They are safe in "
                f"{project.spool_path}. Next: iterable-pipelines webhooks spool"
            )
        return dg.MaterializeResult(
            metadata={
                "bodies": moved.bodies,
                "files": len(moved.parts),
                "bytes": moved.bytes,
                "failed": moved.failed,
                "put_aside": aside,
                "erased": moved.erased,
            }
        )

    return landing_webhooks


def _streams_asset() -> dg.AssetsDefinition:
    @dg.asset(
        key=["streams", "webhooks"],
        deps=[["landing", "webhooks"]],
        group_name="streams",
        kinds={"duckdb", "table"},
        owners=["team:data"],
        pool="warehouse",
        metadata={"dagster/table_name": "iterable.streams.webhook_loads"},
        description=(
            "Landed webhooks in the tables of streams. An event that the export has too is one row: the export's, with "
            "the names that only webhooks carry. What no stream takes is in `streams.unknown_webhooks`."
        ),
    )
    def streams_webhooks(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        with explained(context):
            project, manifest, warehouse = open_project(context.log.info)
            warehouse.prepare()
            told = load_webhooks(warehouse, manifest, project, context.run.run_id, context.log.info)
            waiting, unknown = waiting_and_unknown(warehouse)
            first = WebhookParts(manifest).first_received()
            # of the hour in which the receiver began, it cannot have all
            loss = webhook_loss(warehouse, hour_of(first) + HOUR) if first else []
        for stream, hours in told.exported.items():
            for hour in sorted(hours):
                # the hour has changed for everybody who follows the stream
                context.log_event(dg.AssetMaterialization(["streams", stream], partition=hour_key(hour)))
        exported = sum(each.exported for each in loss)
        return dg.MaterializeResult(
            metadata={
                "bodies": told.bodies,
                "streams": ", ".join(told.hours) or "none",
                "hours": len(set().union(*told.hours.values())),
                "matched": told.matched,
                "waiting": waiting,
                "unknown": unknown,
                "lost_share": 1 - sum(each.told for each in loss) / exported if exported else 0.0,
                "loss": dg.MetadataValue.md(loss_table(loss)),
            }
        )

    return streams_webhooks
