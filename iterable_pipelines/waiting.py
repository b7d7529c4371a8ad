"""Runs that wait for export jobs hold no worker: they end, and a copy of each stands in the queue until they are ready.

The queue lets no run through whose tag says that it waits (`dagster.yaml` allows none of them); a sensor changes the
tag. So a backfill knows that it is not over, and whoever terminates the queued run ends the waiting.
"""

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime

import dagster as dg

from iterable_pipelines.hours import hour_key, iterate_hours, now, parse_hour
from iterable_pipelines.landing.exports import Exports

STATE, WAITS_FOR, AFTER = "iterable/export_jobs", "iterable/waits_for", "iterable/goes_on_after"
# the moment before which a run must not begin
NOT_BEFORE = "iterable/not_before"
# the first run of a row of them: what it asked for and landed is theirs too
ASKED_BY = "iterable/asked_by"
PASS, WHOLE_START, WHOLE_END = "iterable/pass", "iterable/whole_from", "iterable/whole_to"
_BACKFILL = "dagster/backfill"
_WAITING, _READY = "waiting", "ready"
# they belong to a run's own life, not to its successor's
_OWN = (
    *(STATE, WAITS_FOR, AFTER, ".dagster/grpc_info"),
    *("dagster/will_retry", "dagster/auto_retry_run_id", "dagster/max_retries", "dagster/retry_number"),
)


def asked_by(run: dg.DagsterRun) -> str:
    """The id under which a run and its successors and retries land hours and ask for jobs."""
    return run.tags.get(ASKED_BY) or run.tags.get("dagster/root_run_id") or run.run_id


def whole_of(context: dg.AssetExecutionContext) -> list:  # type: ignore[type-arg]
    """Every hour of what this run is a part of, a backfill or a longer stretch; empty when it stands alone."""
    tags = context.run.tags
    if WHOLE_START in tags and WHOLE_END in tags:
        return list(iterate_hours(parse_hour(tags[WHOLE_START]), parse_hour(tags[WHOLE_END])))
    backfill = context.instance.get_backfill(tags[_BACKFILL]) if _BACKFILL in tags else None
    if backfill is None or not backfill.is_asset_backfill:
        return []
    data = backfill.get_asset_backfill_data(context.repository_def.asset_graph)
    subset = data.get_target_partitions_subset(context.asset_key)
    return sorted(parse_hour(key) for key in subset.get_partition_keys())


def wait_in_the_queue(context: dg.AssetExecutionContext, jobs: Iterable[int]) -> None:
    """Put a copy of this run into the queue, to go on when all of `jobs` (ids of our own rows) are ready.

    A run of the command line has no queue: it is only tagged, and the command does the waiting.
    """
    instance = context.instance
    run = instance.get_run_by_id(context.run.run_id) or context.run
    listed = _listed({*_jobs_of(run), *jobs})
    instance.add_run_tags(run.run_id, {WAITS_FOR: listed})
    if run.remote_job_origin is None:
        return
    # made from the run's own id, so that there is one successor however often this is tried
    successor = str(uuid.uuid5(uuid.UUID(run.run_id), "waits for export jobs"))
    if instance.get_run_by_id(successor):
        instance.add_run_tags(successor, {WAITS_FOR: listed})
        return
    tags = {name: value for name, value in run.tags.items() if name not in _OWN}
    instance.create_run(
        job_name=run.job_name,
        run_id=successor,
        run_config=run.run_config,
        status=dg.DagsterRunStatus.QUEUED,
        tags={**tags, STATE: _WAITING, WAITS_FOR: listed, ASKED_BY: asked_by(run), AFTER: run.run_id},
        root_run_id=None,
        parent_run_id=None,
        step_keys_to_execute=None,
        execution_plan_snapshot=instance.get_execution_plan_snapshot(str(run.execution_plan_snapshot_id)),
        job_snapshot=instance.get_job_snapshot(str(run.job_snapshot_id)),
        parent_job_snapshot=None,
        asset_selection=run.asset_selection,
        asset_check_selection=run.asset_check_selection,
        resolved_op_selection=run.resolved_op_selection,
        op_selection=run.op_selection,
        remote_job_origin=run.remote_job_origin,
        job_code_origin=run.job_code_origin,
        asset_graph=context.repository_def.asset_graph,
    )


def wait_until(moment: datetime) -> dict[str, str]:
    """The tags of a run that stands in the queue, and holds no worker, until then."""
    return {STATE: _WAITING, NOT_BEFORE: moment.astimezone(UTC).isoformat()}


def release_runs(instance: dg.DagsterInstance, exports: Exports) -> tuple[int, set[int]]:
    """Let the queued runs go on whose export jobs are all ready, or failed, once the run before them has ended, and
    those whose moment has come.

    Returns how many, and the ids of the jobs that the others wait for.
    """
    released, waited_for = 0, set[int]()
    # asked of the run itself: what the queue reads is not the table that a filter by tags reads
    queued = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED]))
    for run in (each for each in queued if each.tags.get(STATE) == _WAITING):
        jobs = _jobs_of(run)
        before = instance.get_run_by_id(run.tags.get(AFTER, ""))
        if NOT_BEFORE in run.tags and datetime.fromisoformat(run.tags[NOT_BEFORE]) > now():
            continue
        if exports.pending(jobs) or (before and not before.is_finished):
            waited_for |= jobs
            continue
        instance.add_run_tags(run.run_id, {STATE: _READY})
        released += 1
    return released, waited_for


def _jobs_of(run: dg.DagsterRun) -> set[int]:
    return {int(each) for each in run.tags.get(WAITS_FOR, "").split(",") if each}


def _listed(jobs: Iterable[int]) -> str:
    return ",".join(map(str, sorted(jobs)))


def said_of(exports: Exports, jobs: Iterable[int]) -> str:
    """What a run that waits says of its jobs, for its log."""
    waited_for = exports.pending(jobs)
    listed = ", ".join(
        f"{each.data_type} {hour_key(each.window.start)} to {hour_key(each.window.end)}" for each in waited_for[:5]
    )
    more = f" and {len(waited_for) - 5} more" if len(waited_for) > 5 else ""
    notes = {each.note for each in waited_for if each.note}
    trouble = f" So far: {'; '.join(sorted(notes))}." if notes else ""
    return (
        f"waiting for {len(waited_for)} export jobs of Iterable: {listed}{more}.{trouble} "
        "The run goes on when they are ready"
    )
