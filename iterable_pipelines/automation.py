"""Every job, schedule, sensor and condition of the project, on one page."""

import os
from collections.abc import Iterator
from datetime import datetime, timedelta

import dagster as dg

from iterable_pipelines.data_types import STREAMS
from iterable_pipelines.hours import HOUR, Window, contiguous, hour_key, hour_of, iterate_hours, now, parse_hour
from iterable_pipelines.landing.manifest import Manifest
from iterable_pipelines.partitions import HOURS_PER_RUN
from iterable_pipelines.settings import Settings, load_settings

RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
_ALIVE = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]
# without a ceiling a run stays STARTED for ever after a power loss; 53 exports at 4 a minute take 14 minutes
_HOURLY_SECONDS, _CATCH_UP_SECONDS, _REFRESH_SECONDS = 50 * 60, 4 * 3600, 30 * 60

imported = dg.AssetSelection.groups("landing", "streams")
hourly_import = dg.define_asset_job(
    "hourly_import",
    selection=imported,
    tags={"dagster/max_runtime": _HOURLY_SECONDS},
    description="One hour of every stream: landing, streams, and the checks on them.",
)
catch_up = dg.define_asset_job(
    "catch_up",
    selection=imported,
    tags={"dagster/max_runtime": _CATCH_UP_SECONDS, "dagster/priority": "-1"},
    description="Hours that are missing, or were fetched too early to hold what came late, as one ranged run.",
)
objects_refresh = dg.define_asset_job(
    "objects_refresh",
    selection=dg.AssetSelection.groups("objects"),
    tags={"dagster/max_runtime": _REFRESH_SECONDS},
    description="Campaigns, templates, channels, message types and journeys: where the names come from.",
)
profiles_build = dg.define_asset_job(
    "profiles_build",
    selection=dg.AssetSelection.groups("profiles"),
    tags={"dagster/max_runtime": _REFRESH_SECONDS},
    description="Profiles of everybody who was touched since the last build.",
)
JOBS = [hourly_import, catch_up, objects_refresh, profiles_build]

# some hour is always missing upstream, at least the ones before the start of the import: that must not stop the models
when_something_arrived = dg.AutomationCondition.eager().without(~dg.AutomationCondition.any_deps_missing())


def schedules_and_sensors(settings: Settings) -> tuple[list[dg.ScheduleDefinition], list[dg.SensorDefinition]]:
    """The clockwork, running unless `keep_updated` is off (checklist L101, L106)."""
    on = settings.keep_updated
    schedule_status = dg.DefaultScheduleStatus.RUNNING if on else dg.DefaultScheduleStatus.STOPPED
    sensor_status = dg.DefaultSensorStatus.RUNNING if on else dg.DefaultSensorStatus.STOPPED

    @dg.schedule(
        job=hourly_import, cron_schedule=f"{settings.fresh_after_minutes} * * * *", default_status=schedule_status
    )
    def import_the_last_hour(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        """Minutes past: the hour before is closed, and what Iterable indexes within minutes is there."""
        key = hour_key(hour_of(context.scheduled_execution_time) - HOUR)
        return dg.RunRequest(run_key=key, partition_key=key)

    @dg.schedule(job=catch_up, cron_schedule="40 * * * *", default_status=schedule_status)
    def import_what_is_missing(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        """Twenty to: the oldest stretch of hours that are missing or unsettled; the next one if that failed."""
        busy = context.instance.get_runs(dg.RunsFilter(job_name=catch_up.name, statuses=_ALIVE), limit=1)
        if busy:
            return dg.SkipReason(f"the catch-up run {busy[0].run_id[:8]} is still at work")
        project = load_settings()
        window = stretch_to_catch_up(hours_to_catch_up(project), _failed_stretch(context.instance))
        if window is None:
            return dg.SkipReason("no hour is missing, and every hour old enough is settled")
        return dg.RunRequest(tags={RANGE_START: hour_key(window.start), RANGE_END: hour_key(window.end - HOUR)})

    @dg.schedule(job=objects_refresh, cron_schedule="5 * * * *", default_status=schedule_status)
    def refresh_objects() -> dg.RunRequest:
        """Five past: the names of this hour's campaigns, before their events arrive."""
        return dg.RunRequest()

    @dg.sensor(minimum_interval_seconds=60, default_status=dg.DefaultSensorStatus.RUNNING)
    def reap_ghost_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        """Fail runs whose process is gone, so that no ghost holds the schedule or a pool."""
        ghosts = list(ghost_runs(context.instance))
        for run in ghosts:
            context.instance.report_run_failed(run, "the run's process is gone: the machine or Dagster was restarted")
        return dg.SkipReason(f"{len(ghosts)} ghost runs failed" if ghosts else "every run has its process")

    models = dg.AutomationConditionSensorDefinition(
        "build_profiles_when_something_arrived",
        target=dg.AssetSelection.groups("profiles"),
        default_status=sensor_status,
        run_tags={"dagster/max_runtime": str(_REFRESH_SECONDS)},
    )
    return [import_the_last_hour, import_what_is_missing, refresh_objects], [reap_ghost_runs, models]


def hours_to_catch_up(settings: Settings) -> list[datetime]:
    """Hours since the start date that some enabled data type lacks, or holds only as fetched before it could settle.

    The newest two hours are left to the hourly schedule, an unsettled hour until it is old enough to settle.
    """
    manifest = Manifest(settings.landing_dir)
    # what is in quarantine waits for a person: asking every hour would bring the same line
    held = {(each.data_type, each.hour): each.fetched_at for each in manifest.quarantined()}
    newest = hour_of(now()) - 2 * HOUR
    settling = timedelta(hours=settings.settle_after_hours) + HOUR
    can_settle = now() - settling
    wanted = list(iterate_hours(settings.start_date, newest))
    behind = set()
    for stream in STREAMS:
        for data_type in settings.enabled_data_types(stream.name):
            current = manifest.current(data_type)
            for hour in wanted:
                part = current.get(hour)
                fetched = held.get((data_type, hour))
                if fetched and fetched >= hour + settling:
                    continue
                if part is None or (not part.settled and hour <= can_settle):
                    behind.add(hour)
    return sorted(behind)


def stretch_to_catch_up(hours: list[datetime], failed_at: datetime | None) -> Window | None:
    """The oldest stretch of `hours`, a week at most; after a run that failed, the next one after where that began."""
    stretches = [
        Window(start, min(window.end, start + HOURS_PER_RUN * HOUR))
        for window in contiguous(hours)
        for start in window.hours()[::HOURS_PER_RUN]
    ]
    # what cannot be had must not keep everything newer waiting
    later = [each for each in stretches if failed_at is not None and each.start > failed_at]
    return next(iter(later or stretches), None)


def _failed_stretch(instance: dg.DagsterInstance) -> datetime | None:
    for run in instance.get_runs(dg.RunsFilter(job_name=catch_up.name), limit=1):
        if run.status == dg.DagsterRunStatus.FAILURE and RANGE_START in run.tags:
            return parse_hour(run.tags[RANGE_START])
    return None


def ghost_runs(instance: dg.DagsterInstance) -> Iterator[dg.DagsterRun]:
    """Runs that are marked as started although the process that Dagster started for them is not there any more."""
    for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING])):
        pid = _process_of(instance, run)
        if pid is not None and not _is_alive(pid):
            yield run


def _process_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> int | None:
    for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
        event = entry.dagster_event
        pid = event.engine_event_data.metadata.get("pid") if event else None
        if pid is not None:
            return int(str(pid.value))
    return None


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
