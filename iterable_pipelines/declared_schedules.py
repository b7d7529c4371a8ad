"""The schedules that are declared in files: of replications, track calls, two-way synchronizations and syncs."""

from collections.abc import Sequence

import dagster as dg

from iterable_pipelines.activation.declaration import Sync
from iterable_pipelines.automation import (
    ALIVE,
    SYNC_MINUTES,
    SYNC_SECONDS,
    replicate,
    schedule_status_of,
    send_track_calls,
    two_way,
)
from iterable_pipelines.declared import Scheduled
from iterable_pipelines.hours import hour_key, hour_of
from iterable_pipelines.settings import Settings

SYNC_TAG = "iterable/sync"
# a tick may be so late, and the one after it is none too early for that
_LATE_SECONDS = 60


def schedules_of_files(
    settings: Settings, replications: Sequence[Scheduled], destinations: Sequence[Scheduled], syncs: Sequence[Sync]
) -> list[dg.ScheduleDefinition]:
    """All of replications, track calls and syncs; those of two-way synchronizations come with their assets."""
    return [
        *declared_schedules("replications", replications, settings),
        *declared_schedules("track_calls", destinations, settings),
        *sync_schedules(syncs, settings),
    ]


def declared_schedules(group: str, declared: Sequence[Scheduled], settings: Settings) -> list[dg.ScheduleDefinition]:
    """The schedule (UTC) of each asset of a group that was declared with one; the others follow what they read."""
    job = {"replications": replicate, "track_calls": send_track_calls, "two_way": two_way}[group]
    return [
        dg.ScheduleDefinition(
            name=f"{job.name}_{each.name}",
            target=dg.AssetSelection.assets([group, each.name]),
            cron_schedule=each.schedule,
            tags=job.tags,
            default_status=schedule_status_of(settings),
        )
        for each in declared
        if each.schedule
    ]


def sync_schedules(syncs: Sequence[Sync], settings: Settings) -> list[dg.ScheduleDefinition]:
    """The schedule (UTC) of each sync that has one and is switched on. Of ticks that were missed one is made good."""
    return [_sync_schedule(each, settings) for each in syncs if each.schedule and each.enabled]


def _sync_schedule(declared: Sync, settings: Settings) -> dg.ScheduleDefinition:
    asset = dg.AssetSelection.assets(["activation", declared.name])

    @dg.schedule(
        name=f"sync_{declared.name}",
        target=asset,
        cron_schedule=str(declared.schedule),
        default_status=schedule_status_of(settings),
    )
    def at_its_time(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        """A run whose windows end at the hour of the tick, however late it starts (P11)."""
        tag, tick = {SYNC_TAG: declared.name}, context.scheduled_execution_time
        for before in context.instance.get_run_records(dg.RunsFilter(tags=tag), limit=1):
            run, ago = before.dagster_run, tick.timestamp() - before.create_timestamp.timestamp()
            if run.status in ALIVE:
                return dg.SkipReason(f"run {run.run_id[:8]} is still at work: what came meanwhile goes next time")
            if ago < SYNC_MINUTES * 60 - _LATE_SECONDS:
                return dg.SkipReason(f"run {run.run_id[:8]} began less than {SYNC_MINUTES} minutes ago")
        return dg.RunRequest(
            tags={"dagster/max_runtime": str(SYNC_SECONDS), **tag},
            run_config={"ops": {f"activation__{declared.name}": {"config": {"as_of": hour_key(hour_of(tick))}}}},
        )

    return at_its_time
