"""One landing asset per stream: what Iterable sent, hour by hour, as it came."""

import dagster as dg

from iterable_pipelines.data_types import STREAMS, Stream
from iterable_pipelines.failures import explained
from iterable_pipelines.hours import hour_key
from iterable_pipelines.landing.fetch import LandingFailed, land_hours
from iterable_pipelines.partitions import HOURS_PER_RUN, hourly, hours_of_run
from iterable_pipelines.resources import IterableResource, open_project
from iterable_pipelines.settings import Settings


class LandingConfig(dg.Config):
    """What the launchpad offers for a landing asset."""

    # a settled hour is complete as far as Iterable goes: asking again costs budget and changes nothing, mostly
    refetch: bool = False


def landing_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """One asset per enabled stream."""
    return [_landing_asset(stream, settings) for stream in STREAMS if settings.enabled_data_types(stream.name)]


def _landing_asset(stream: Stream, settings: Settings) -> dg.AssetsDefinition:
    data_types = settings.enabled_data_types(stream.name)

    @dg.asset(
        key=["landing", stream.name],
        partitions_def=hourly(settings),
        backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=HOURS_PER_RUN),
        group_name="landing",
        kinds={"iterable", "parquet"},
        owners=["team:data"],
        pool="iterable",
        description=(
            f"{stream.title}: what Iterable's export gives for the hour, verified, cut into one Parquet file per "
            f"data type, and noted in the manifest. Data types: {', '.join(data_types)}. A settled hour is not "
            "asked for again unless `refetch` is set."
        ),
    )
    def landing(
        context: dg.AssetExecutionContext, config: LandingConfig, iterable: IterableResource
    ) -> dg.MaterializeResult[None]:
        hours = hours_of_run(context)
        with explained(context):
            project, manifest, _ = open_project(context.log.info)
            try:
                landed = land_hours(
                    iterable.client(context.log.info),
                    manifest,
                    project,
                    stream.name,
                    hours,
                    # a retry keeps what the run before it has landed
                    context.run.tags.get("dagster/root_run_id") or context.run.run_id,
                    refetch=config.refetch,
                    log=context.log.info,
                )
            except LandingFailed as failure:
                # the other data types go on to the table, where the hour is red until somebody accepts the loss
                if not failure.only_quarantined:
                    raise
                context.log.error(str(failure))
                landed = failure.landed
        rows: dict[str, int] = {}
        for data_type in data_types:
            for hour, part in manifest.current(data_type, hours).items():
                rows[hour_key(hour)] = rows.get(hour_key(hour), 0) + part.rows
        for key, count in rows.items():
            context.add_asset_metadata({"dagster/partition_row_count": count}, partition_key=key)
        return dg.MaterializeResult(
            metadata={
                "rows": landed.rows,
                "late_rows": landed.late_rows,
                "outside_rows": landed.outside_rows,
                "bytes": landed.bytes,
                "requests": landed.requests,
                "waited_seconds": round(landed.waited, 1),
                "parts_landed": len(landed.parts),
                "parts_kept": landed.kept,
                "quarantined": "; ".join(str(each) for each in landed.quarantined) or "none",
                "not_offered": ", ".join(landed.not_offered) or "none",
            }
        )

    return landing
