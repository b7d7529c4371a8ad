"""Whether the job `webhooks` is to run, and what becomes of its many runs afterwards."""

from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

from iterable_pipelines.settings import Settings
from iterable_pipelines.webhooks.spool import Spool

JOB = "webhooks"
_FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
_FAILED = _FINISHED[1:]
# what failed may have landed and not loaded: it is tried again, and not at once
_AFTER_FAILURE = timedelta(minutes=1)
# a run every half minute makes thousands a day, and each leaves a hundred events
_KEPT = timedelta(days=1)
_FORGOTTEN_AT_ONCE = 50


def whether_to_run(instance: dg.DagsterInstance, settings: Settings, moment: datetime) -> str:
    """Why the job is not to run now; empty if it is."""
    if not settings.spool_path.exists():
        return f"no webhook was ever received: there is no {settings.spool_path}"
    newest = next(iter(instance.get_run_records(dg.RunsFilter(job_name=JOB), limit=1)), None)
    if newest and newest.dagster_run.status not in _FINISHED:
        return f"run {newest.dagster_run.run_id[:8]} is at work"
    if newest and newest.dagster_run.status in _FAILED:
        waited = moment.timestamp() - (newest.end_time or newest.update_timestamp.timestamp())
        return "" if waited >= _AFTER_FAILURE.total_seconds() else "the last run failed: the next in a minute"
    return "" if Spool(settings.spool_path).queued(1) else "no webhook is queued"


def forget_old_runs(instance: dg.DagsterInstance, moment: datetime) -> int:
    """Delete finished runs of the job that are older than a day, some at a time; never the newest. Returns how many."""
    newest = {run.run_id for run in instance.get_runs(dg.RunsFilter(job_name=JOB), limit=1)}
    old = dg.RunsFilter(job_name=JOB, statuses=_FINISHED, created_before=moment - _KEPT)
    found = [run.run_id for run in instance.get_runs(old, limit=_FORGOTTEN_AT_ONCE) if run.run_id not in newest]
    for run_id in found:
        instance.delete_run(run_id)
        _remove_files(instance, run_id)
    return len(found)


def _remove_files(instance: dg.DagsterInstance, run_id: str) -> None:
    # Dagster takes a run out of its tables only: some hundred kilobytes of each would stay on the disk for ever
    instance.compute_log_manager.delete_logs(prefix=[run_id])
    storage = instance.event_log_storage
    if isinstance(storage, SqliteEventLogStorage):
        shard = Path(storage.path_for_shard(run_id))
        for file in (shard, *shard.parent.glob(f"{shard.name}-*")):
            file.unlink(missing_ok=True)
