"""The retention as an asset: once a day, with what left and what had to stay."""

from collections.abc import Iterator

import dagster as dg

from iterable_pipelines.failures import explained
from iterable_pipelines.hours import now
from iterable_pipelines.resources import open_project
from iterable_pipelines.retention.run import let_go


def retention_assets() -> list[dg.AssetsDefinition]:
    """One step with both tables, without partitions."""

    @dg.multi_asset(
        name="let_old_hours_go",
        specs=[
            dg.AssetSpec(
                ["retention", "expired_hours"],
                group_name="retention",
                kinds={"duckdb", "parquet"},
                owners=["team:data"],
                description="The hours whose rows and landed files left, because they are older than the retention.",
            ),
            dg.AssetSpec(
                ["retention", "expired_activity"],
                group_name="retention",
                kinds={"duckdb"},
                owners=["team:data"],
                description="What the rows that left add to the counts of people and campaigns.",
            ),
        ],
        pool="warehouse",
    )
    def retention(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        with explained(context):
            project, manifest, warehouse = open_project(context.log.info)
            left = let_go(warehouse, manifest, project, now(), context.log.info)
            (hours,) = warehouse.read("select count(*) from streams.expired_hours")[0]
            (activity,) = warehouse.read("select count(*) from streams.expired_activity")[0]
        held = [f"{stream}: {hours} hours {why}" for stream, each in left.held.items() for why, hours in each.items()]
        yield dg.MaterializeResult(
            asset_key=["retention", "expired_hours"],
            metadata={
                "dagster/row_count": hours,
                "hours_left": sum(left.hours.values()),
                "rows_left": sum(left.rows.values()),
                "files_removed": left.files,
                "landing_bytes_freed": left.landing_bytes,
                "warehouse_bytes_freed": left.warehouse_bytes,
                "held": "; ".join(held) or "none",
                "retention_days": dg.MetadataValue.json(project.retention),
            },
        )
        yield dg.MaterializeResult(
            asset_key=["retention", "expired_activity"], metadata={"dagster/row_count": activity}
        )

    return [retention]
