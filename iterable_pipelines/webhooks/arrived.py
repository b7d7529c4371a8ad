"""Whether the job `webhooks` is to run, and what becomes of its many runs afterwards."""

from datetime import datetime, timedelta
from typing import Any

import dagster as dg

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


def forget_old_runs(instance: dg.DagsterInstance, moment: datetime, **whose: Any) -> int:
    """Delete finished runs that are older than a day, some at a time; never the newest. Returns how many.

    `whose`: of which, as dg.RunsFilter has it.
    """
    newest = {run.run_id for run in instance.get_runs(dg.RunsFilter(**whose), limit=1)}
    old = dg.RunsFilter(statuses=_FINISHED, created_before=moment - _KEPT, **whose)
    found = [run.run_id for run in instance.get_runs(old, limit=_FORGOTTEN_AT_ONCE) if run.run_id not in newest]
    for run_id in found:
        instance.delete_run(run_id)
    return len(found)
