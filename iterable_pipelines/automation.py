"""Every job, schedule, sensor and condition of the project, on one page."""

from collections.abc import Sequence
from datetime import datetime

import dagster as dg

from iterable_pipelines.api import Refused
from iterable_pipelines.erasure.requests import MINUTE as FORGET_MINUTE
from iterable_pipelines.erasure.requests import Requests, whether_to_send
from iterable_pipelines.ghosts import ghost_runs
from iterable_pipelines.hours import HOUR, Window, contiguous, hour_key, hour_of, now, parse_hour
from iterable_pipelines.landing.behind import hours_behind, stretch_to_catch_up
from iterable_pipelines.landing.exports import Exports
from iterable_pipelines.landing.manifest import Manifest
from iterable_pipelines.landing.passes import Pass
from iterable_pipelines.objects import OBJECT_TYPES
from iterable_pipelines.old_runs import forget_old_runs
from iterable_pipelines.partitions import HOURS_PER_RUN, RANGE_END, RANGE_START
from iterable_pipelines.resources import IterableResource
from iterable_pipelines.settings import Settings, load_settings
from iterable_pipelines.waiting import PASS, WHOLE_END, WHOLE_START, release_runs
from iterable_pipelines.webhooks.arrived import JOB as WEBHOOKS
from iterable_pipelines.webhooks.arrived import whether_to_run

ALIVE = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]
WEBHOOKS_TAG, TRACK_CALLS_TAG = "iterable/webhooks", "iterable/track_calls"
# without a ceiling a run stays STARTED for ever after a power loss; 53 exports at 4 a minute take 14 minutes
_HOURLY_SECONDS, _CATCH_UP_SECONDS, _REFRESH_SECONDS = 50 * 60, 4 * 3600, 30 * 60
# one list of millions may take four hours to come
_LISTS_SECONDS = 8 * 3600
# a million purchases, which go one by one, take six hours
SYNC_SECONDS = 12 * 3600
# two runs of a sync begin at least so long after one another (G12)
SYNC_MINUTES = 5

# a step that failed would skip what comes after it in the same run: what tells of it must not be among that
_completeness = dg.AssetSelection.assets(["streams", "completeness"])
_campaigns = dg.AssetSelection.checks(
    dg.AssetCheckKey(dg.AssetKey(["streams", "iterable_activity"]), "matches_campaign_metrics")
)
_list_members = dg.AssetSelection.assets(["objects", "list_members"])
_webhooks = dg.AssetSelection.assets(["landing", "webhooks"], ["streams", "webhooks"])
_models = dg.AssetSelection.groups("profiles", "marts", "audiences")
imported = dg.AssetSelection.groups("landing", "streams") - _completeness - _campaigns - _webhooks
hourly_import = dg.define_asset_job(
    "hourly_import",
    selection=imported,
    tags={"dagster/max_runtime": _HOURLY_SECONDS},
    description="One hour of every stream: landing, streams, and the checks on them.",
)
catch_up = dg.define_asset_job(
    "catch_up",
    selection=imported,
    tags={"dagster/max_runtime": _CATCH_UP_SECONDS},
    description="Hours that are missing, were fetched too early to hold what came late, or are due for an audit.",
)
_objects = {
    every: dg.AssetSelection.assets(*(["objects", kind.name] for kind in OBJECT_TYPES if kind.every == every))
    for every in ("hour", "day")
}
objects_refresh = dg.define_asset_job(
    "objects_refresh",
    selection=_objects["hour"],
    tags={"dagster/max_runtime": _REFRESH_SECONDS},
    description="Campaigns, templates, journeys, lists and what else is listed quickly: where the names come from.",
)
objects_daily = dg.define_asset_job(
    "objects_daily",
    selection=_objects["day"],
    tags={"dagster/max_runtime": _CATCH_UP_SECONDS},
    description="What is large, or takes many requests: contents, metrics, experiments, catalogs, metadata.",
)
erase_forgotten = dg.define_asset_job(
    "erase_forgotten",
    selection=dg.AssetSelection.assets(["erasure", "forgotten"]),
    tags={"dagster/max_runtime": _CATCH_UP_SECONDS},
    description="Whoever Iterable lists as forgotten is erased from every file here.",
)
retention = dg.define_asset_job(
    "retention",
    selection=dg.AssetSelection.groups("retention"),
    tags={"dagster/max_runtime": _CATCH_UP_SECONDS},
    description="Rows of events that are older than the retention leave, and their landed files; their counts stay.",
)
read_lists = dg.define_asset_job(
    "read_lists",
    selection=_list_members,
    tags={"dagster/max_runtime": _LISTS_SECONDS},
    description="Who is on which list: static lists by the user records, the others as far as five a minute reach.",
)
webhooks = dg.define_asset_job(
    WEBHOOKS,
    selection=_webhooks | dg.AssetSelection.groups("profiles"),
    # whether a run failed or not, the sensor asks for the next one
    tags={
        "dagster/max_runtime": _REFRESH_SECONDS,
        "dagster/max_retries": "0",
        "dagster/priority": "1",
        WEBHOOKS_TAG: "true",
    },
    description="Webhooks that were received: into landing, beside the rows of exports, and into the profiles.",
)
profiles_build = dg.define_asset_job(
    "profiles_build",
    selection=_models,
    tags={"dagster/max_runtime": _REFRESH_SECONDS},
    description="Profiles of everybody who was touched since the last build, the marts, and the audiences.",
)
audit_completeness = dg.define_asset_job(
    "audit_completeness",
    selection=_completeness,
    tags={"dagster/max_runtime": _REFRESH_SECONDS},
    config={"ops": {"streams__completeness": {"config": {"everything": True}}}},
    description="Every hour since the start: is its file there, and are its rows? What is not turns red.",
)
compare_campaigns = dg.define_asset_job(
    "compare_campaigns",
    selection=_campaigns,
    tags={"dagster/max_runtime": _REFRESH_SECONDS},
    description="Sends, opens and clicks of finished email campaigns beside Iterable's own metrics.",
)
replicate = dg.define_asset_job(
    "replicate",
    selection=dg.AssetSelection.groups("replications"),
    tags={"dagster/max_runtime": _REFRESH_SECONDS},
    description="Tables and queries into PostgreSQL and files, as replications/*.yml say.",
)
send_track_calls = dg.define_asset_job(
    "send_track_calls",
    selection=dg.AssetSelection.groups("track_calls"),
    tags={"dagster/max_runtime": _CATCH_UP_SECONDS},
    description="Events as track calls to other tools, as track_calls/*.yml say.",
)
two_way = dg.define_asset_job(
    "two_way",
    selection=dg.AssetSelection.groups("two_way"),
    tags={"dagster/max_runtime": _CATCH_UP_SECONDS},
    description="Catalog items and templates, and tables of the warehouse, kept alike as two_way/*.yml say.",
)
send_forgets = dg.define_asset_job(
    "send_forgets",
    selection=dg.AssetSelection.assets(["erasure", "forget_requests"]),
    tags={"dagster/max_runtime": _HOURLY_SECONDS},
    description="Whom Iterable is to forget, as far as a day has room for them: 3 a second, 1,000 a day.",
)
_syncs = dg.AssetSelection.groups("activation")
_sync_checks = _syncs & dg.AssetSelection.all_asset_checks()
sync = dg.define_asset_job(
    "sync",
    selection=_syncs,
    tags={"dagster/max_runtime": SYNC_SECONDS},
    description="What changed in the warehouse to Iterable, as syncs/*.yml say.",
)
verify_activation = dg.define_asset_job(
    "verify_activation",
    selection=_sync_checks,
    tags={"dagster/max_runtime": _REFRESH_SECONDS},
    description="What Iterable acknowledged is read back, and the figures of every sync are looked at.",
)
JOBS = [
    hourly_import,
    catch_up,
    objects_refresh,
    objects_daily,
    erase_forgotten,
    retention,
    read_lists,
    webhooks,
    profiles_build,
    audit_completeness,
    compare_campaigns,
    replicate,
    send_track_calls,
    two_way,
    send_forgets,
    sync,
    verify_activation,
]

# some hour is always missing upstream, at least the ones before the start of the import: that must not stop the models
# but a model never runs before the models that it reads
# webhooks come without end, every half minute: what is no part of their job neither follows each of its runs, nor waits
# until there is none
_updated = dg.AutomationCondition.any_deps_match(
    dg.AutomationCondition.newly_updated()
    & ~dg.AutomationCondition.executed_with_root_target()
    & ~dg.AutomationCondition.all_new_updates_have_run_tags(tag_keys={WEBHOOKS_TAG})
    | dg.AutomationCondition.will_be_requested()
)
_in_progress = dg.AutomationCondition.any_deps_in_progress().ignore(_webhooks | dg.AssetSelection.groups("profiles"))
_in_order = ~dg.AutomationCondition.any_deps_missing().allow(_models)
_arrived = (
    dg.AutomationCondition.in_latest_time_window()
    & (dg.AutomationCondition.newly_missing() | _updated).since_last_handled()
    & ~_in_progress
    & _in_order
)
when_something_arrived = _arrived & ~dg.AutomationCondition.in_progress()
# models are at work on webhooks nearly always: what else arrived is built after that
when_models_may_follow = _arrived
# what reads the copy for readers waits for a new one, which the profiles bring
when_published = when_something_arrived.allow(dg.AssetSelection.assets(["profiles", "user_profiles"]))
# what came meanwhile is not forgotten: it goes with the next of these ticks (G12)
when_synced_data_is_published = when_published & dg.AutomationCondition.cron_tick_passed(f"*/{SYNC_MINUTES} * * * *")

# webhooks load all the time: whoever waited for a pause would wait for ever, and needs none to read what is committed
when_rows_arrived = (
    dg.AutomationCondition.eager()
    .without(~dg.AutomationCondition.any_deps_missing())
    .replace(
        "any_deps_in_progress",
        dg.AutomationCondition.any_deps_in_progress().ignore(dg.AssetSelection.assets(["streams", "webhooks"])),
    )
)


def schedule_status_of(settings: Settings) -> dg.DefaultScheduleStatus:
    """Whether schedules run unless somebody says otherwise (checklist L101)."""
    return dg.DefaultScheduleStatus.RUNNING if settings.keep_updated else dg.DefaultScheduleStatus.STOPPED


def schedules_and_sensors(settings: Settings) -> tuple[list[dg.ScheduleDefinition], list[dg.SensorDefinition]]:
    """The clockwork, running unless `keep_updated` is off (checklist L101, L106)."""
    on = settings.keep_updated
    schedule_status = schedule_status_of(settings)
    sensor_status = dg.DefaultSensorStatus.RUNNING if on else dg.DefaultSensorStatus.STOPPED

    @dg.schedule(
        job=hourly_import, cron_schedule=f"{settings.fresh_after_minutes} * * * *", default_status=schedule_status
    )
    def import_the_last_hour(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        """Minutes past: the hour before is closed, and what Iterable indexes within minutes is there."""
        key = hour_key(hour_of(context.scheduled_execution_time) - HOUR)
        return dg.RunRequest(run_key=key, partition_key=key)

    @dg.schedule(job=catch_up, cron_schedule="40 * * * *", default_status=schedule_status)
    def import_what_is_behind(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest] | dg.SkipReason:
        """Twenty to: the oldest stretch due for each pass; the next one if that failed."""
        project = load_settings()
        requests, reasons = [], []
        for kind, hours in hours_behind(project, Manifest.of(project), now()).items():
            busy = _runs_of(context.instance, kind, ALIVE)
            window = stretch_to_catch_up(hours, HOURS_PER_RUN, _failed_stretch(context.instance, kind))
            if busy:
                reasons.append(f"{kind}: run {busy[0].run_id[:8]} is still at work")
            elif window is None:
                reasons.append(f"{kind}: no hour is due")
            else:
                whole = next(each for each in contiguous(hours) if each.start <= window.start < each.end)
                requests.append(dg.RunRequest(tags=_catch_up_tags(kind, window, whole)))
        return requests or dg.SkipReason("; ".join(reasons))

    @dg.schedule(job=objects_refresh, cron_schedule="5 * * * *", default_status=schedule_status)
    def refresh_objects() -> dg.RunRequest:
        """Five past: the names of this hour's campaigns, before their events arrive."""
        return dg.RunRequest()

    @dg.schedule(job=objects_daily, cron_schedule="25 2 * * *", default_status=schedule_status)
    def refresh_slow_objects() -> dg.RunRequest:
        """At night: metrics are of whole days then, and 10 requests a minute leave the day to others."""
        return dg.RunRequest()

    @dg.schedule(job=erase_forgotten, cron_schedule="40 3 * * *", default_status=schedule_status)
    def erase_whom_iterable_forgot() -> dg.RunRequest:
        """At night, when the slow objects have come: the warehouse is held for as long as it is written anew."""
        return dg.RunRequest()

    @dg.schedule(job=retention, cron_schedule="40 4 * * *", default_status=schedule_status)
    def let_old_rows_go() -> dg.RunRequest | dg.SkipReason:
        """At night, after the erasure: both write the warehouse anew."""
        return dg.RunRequest() if load_settings().retention else dg.SkipReason("no retention is set: all rows stay")

    @dg.schedule(job=read_lists, cron_schedule="20,50 * * * *", default_status=schedule_status)
    def take_turns_at_lists(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        """Twice an hour: with one turn an hour, lists in live campaigns would be older than that before the next."""
        busy = context.instance.get_runs(dg.RunsFilter(job_name=read_lists.name, statuses=ALIVE), limit=1)
        return dg.SkipReason(f"run {busy[0].run_id[:8]} is still at work") if busy else dg.RunRequest()

    @dg.schedule(job=audit_completeness, cron_schedule="25 3 * * *", default_status=schedule_status)
    def look_at_every_hour() -> dg.RunRequest:
        """At night: what somebody took away by hand is found even where nothing is imported any more."""
        return dg.RunRequest()

    @dg.schedule(job=compare_campaigns, cron_schedule="25 4 * * *", default_status=schedule_status)
    def compare_with_iterable() -> dg.RunRequest:
        """At night: two requests are enough for forty campaigns."""
        return dg.RunRequest()

    @dg.schedule(job=verify_activation, cron_schedule="55 * * * *", default_status=schedule_status)
    def read_back_what_was_sent() -> dg.RunRequest:
        """Five to: what was sent at the half hour has settled by then."""
        return dg.RunRequest()

    @dg.schedule(job=send_forgets, cron_schedule=f"{FORGET_MINUTE} * * * *", default_status=schedule_status)
    def go_on_forgetting() -> dg.RunRequest | dg.SkipReason:
        """A quarter past: what a day had no room for goes as soon as the next one has."""
        reason = whether_to_send(Requests(load_settings()))
        return dg.SkipReason(reason) if reason else dg.RunRequest()

    @dg.sensor(minimum_interval_seconds=15, default_status=dg.DefaultSensorStatus.RUNNING)
    def follow_export_jobs(context: dg.SensorEvaluationContext, iterable: IterableResource) -> dg.SkipReason:
        """Start and look after export jobs, and let the runs go on whose jobs are ready."""
        project = load_settings()
        exports = Exports(Manifest.of(project))
        trouble = ""
        client = iterable.client(context.log.info) if exports.live() else None
        if client:
            try:
                exports.advance(client, project, context.log.info)
            except Refused as error:
                trouble = f"; {error}. Next: iterable-pipelines check"
        released, waited_for = release_runs(context.instance, exports)
        if client and not trouble:
            exports.forget_abandoned(client, waited_for, context.log.info)
        pending = [each for each in exports.live() if each.state != "ready"]
        return dg.SkipReason(f"{len(pending)} export jobs are waited for, {released} runs go on{trouble}")

    @dg.sensor(job=webhooks, minimum_interval_seconds=5, default_status=sensor_status)
    def webhooks_arrived(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        """One run after the other for as long as webhooks are received."""
        reason = whether_to_run(context.instance, load_settings(), now())
        return dg.SkipReason(reason) if reason else dg.RunRequest()

    @dg.sensor(minimum_interval_seconds=60, default_status=dg.DefaultSensorStatus.RUNNING)
    def reap_ghost_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        """Fail runs whose process is gone, so that no ghost holds the schedule or a pool."""
        ghosts = list(ghost_runs(context.instance))
        for run in ghosts:
            context.instance.report_run_failed(run, "the run's process is gone: the machine or Dagster was restarted")
        # last: what it cannot delete must not keep ghosts alive. These runs come about by the thousand a day
        forget_old_runs(context.instance, now(), job_name=webhooks.name)
        forget_old_runs(context.instance, now(), tags={TRACK_CALLS_TAG: "true"})
        return dg.SkipReason(f"{len(ghosts)} ghost runs failed" if ghosts else "every run has its process")

    models = dg.AutomationConditionSensorDefinition(
        "build_profiles_when_something_arrived",
        target=_models | dg.AssetSelection.groups("replications") | _completeness,
        default_status=sensor_status,
        run_tags={"dagster/max_runtime": str(_REFRESH_SECONDS)},
    )
    track_calls = dg.AutomationConditionSensorDefinition(
        "send_track_calls_when_rows_arrived",
        target=dg.AssetSelection.groups("track_calls"),
        default_status=sensor_status,
        run_tags={"dagster/max_runtime": str(_CATCH_UP_SECONDS), TRACK_CALLS_TAG: "true"},
    )
    syncs = dg.AutomationConditionSensorDefinition(
        "sync_when_published",
        target=_syncs,
        default_status=sensor_status,
        run_tags={"dagster/max_runtime": str(SYNC_SECONDS)},
    )
    schedules = [
        import_the_last_hour,
        import_what_is_behind,
        refresh_objects,
        refresh_slow_objects,
        erase_whom_iterable_forgot,
        let_old_rows_go,
        take_turns_at_lists,
        look_at_every_hour,
        compare_with_iterable,
        read_back_what_was_sent,
        go_on_forgetting,
    ]
    return schedules, [follow_export_jobs, webhooks_arrived, reap_ghost_runs, models, track_calls, syncs]


def _catch_up_tags(kind: Pass, window: Window, whole: Window) -> dict[str, str]:
    return {
        RANGE_START: hour_key(window.start),
        RANGE_END: hour_key(window.end - HOUR),
        WHOLE_START: hour_key(whole.start),
        WHOLE_END: hour_key(whole.end),
        PASS: kind,
        # what settled first, then what is missing, then what is only looked at again
        "dagster/priority": {Pass.SETTLED: "-1", Pass.FRESH: "-2", Pass.AUDITED: "-3"}[kind],
    }


def _runs_of(
    instance: dg.DagsterInstance, kind: Pass, statuses: list[dg.DagsterRunStatus] | None = None
) -> Sequence[dg.DagsterRun]:
    return instance.get_runs(dg.RunsFilter(job_name=catch_up.name, tags={PASS: kind}, statuses=statuses), limit=1)


def _failed_stretch(instance: dg.DagsterInstance, kind: Pass) -> datetime | None:
    for run in _runs_of(instance, kind):
        if run.status == dg.DagsterRunStatus.FAILURE and RANGE_START in run.tags:
            return parse_hour(run.tags[RANGE_START])
    return None
