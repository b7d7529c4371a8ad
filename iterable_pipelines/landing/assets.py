"""One landing asset per stream: what Iterable sent, hour by hour, as it came."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import Enum

import dagster as dg

from iterable_pipelines.api import Priority
from iterable_pipelines.data_types import STREAMS, Stream
from iterable_pipelines.failures import explained
from iterable_pipelines.hours import hour_key, now
from iterable_pipelines.landing.exports import Exports
from iterable_pipelines.landing.fetch import LandingFailed, land_hours
from iterable_pipelines.landing.late_picture import how_late
from iterable_pipelines.landing.manifest import Manifest
from iterable_pipelines.landing.passes import Pass
from iterable_pipelines.landing.plan import Door, plan_of
from iterable_pipelines.landing.plan_table import plan_table
from iterable_pipelines.landing.window import Landed
from iterable_pipelines.partitions import HOURS_PER_RUN, hourly, hours_of_run
from iterable_pipelines.resources import IterableResource, open_project
from iterable_pipelines.settings import Settings
from iterable_pipelines.waiting import PASS, asked_by, said_of, wait_in_the_queue, whole_of


class DoorChoice(Enum):
    """Through which of Iterable's doors to ask: auto takes jobs for long stretches, the export for short ones."""

    auto = "auto"
    export = "export"
    job = "job"


class LandingConfig(dg.Config):
    """What the launchpad offers for a landing asset."""

    # an hour that is due for no pass is complete as far as Iterable goes: asking again mostly changes nothing
    refetch: bool = False
    door: DoorChoice = DoorChoice.auto
    # show in the run's log what would be asked for, and how long it would take; ask for nothing
    plan_only: bool = False


def landing_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """One asset per enabled stream."""
    return [_landing_asset(stream, settings) for stream in STREAMS if settings.enabled_data_types(stream.name)]


def priority_of(run: dg.DagsterRun) -> Priority:
    """How urgent a run's requests are: the hour that has just closed goes before all that is older."""
    if run.job_name == "hourly_import" and "dagster/partition" in run.tags and "dagster/backfill" not in run.tags:
        return Priority.HOURLY
    return {Pass.SETTLED.value: Priority.SETTLED, Pass.AUDITED.value: Priority.AUDIT}.get(
        run.tags.get(PASS, ""), Priority.BACKFILL
    )


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
        output_required=False,
        description=(
            f"{stream.title}: what Iterable's export gives for the hour, verified, cut into one Parquet file per "
            f"data type, and noted in the manifest. Data types: {', '.join(data_types)}. An hour that is due for no "
            "pass is not asked for again unless `refetch` is set; `plan_only` shows what a run would ask for. Long "
            "stretches come by export jobs: the run ends, and goes on by itself when they are ready."
        ),
    )
    def landing(
        context: dg.AssetExecutionContext, config: LandingConfig, iterable: IterableResource
    ) -> Iterator[dg.MaterializeResult[None]]:
        hours, whole = hours_of_run(context), whole_of(context)
        only = None if config.door is DoorChoice.auto else Door(config.door.value)
        with explained(context):
            project, manifest, _ = open_project(context.log.info)
            plan = plan_of(manifest, project, stream.name, hours, whole, now(), config.refetch, only)
            context.log.info(plan_table(project, plan, stream.name))
            if config.plan_only:
                return
            try:
                landed = land_hours(
                    iterable.client(context.log.info, priority_of(context.run)),
                    manifest,
                    project,
                    stream.name,
                    hours,
                    # a retry keeps what the run before it has landed
                    asked_by(context.run),
                    refetch=config.refetch,
                    whole=whole,
                    only=only,
                    log=context.log.info,
                )
            except LandingFailed as failure:
                # the other data types go on to the table, where the hour is red until somebody accepts the loss
                if not failure.only_quarantined:
                    raise
                context.log.error(str(failure))
                landed = failure.landed
        if landed.waiting:
            context.log.info(said_of(Exports(manifest), landed.waiting))
            wait_in_the_queue(context, landed.waiting)
            return
        for key, count in _rows_by_hour(manifest, data_types, hours).items():
            context.add_asset_metadata({"dagster/partition_row_count": count}, partition_key=key)
        late = dg.MetadataValue.md(how_late(manifest, project, data_types))
        yield dg.MaterializeResult(metadata=_metadata(landed) | {"how_late": late})

    return landing


def _rows_by_hour(manifest: Manifest, data_types: Sequence[str], hours: Sequence[datetime]) -> dict[str, int]:
    rows: dict[str, int] = {}
    for data_type in data_types:
        for hour, part in manifest.current(data_type, hours).items():
            rows[hour_key(hour)] = rows.get(hour_key(hour), 0) + part.rows
    return rows


def _metadata(landed: Landed) -> dict[str, dg.MetadataValue | str | int | float]:
    return {
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
