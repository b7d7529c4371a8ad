"""Whether the job `webhooks` is to run."""

from datetime import datetime, timedelta

import dagster as dg

from iterable_pipelines.old_runs import FINISHED
from iterable_pipelines.settings import Settings
from iterable_pipelines.webhooks.spool import Spool

JOB = "webhooks"
_FAILED = FINISHED[1:]
# what failed may have landed and not loaded: it is tried again, and not at once
_AFTER_FAILURE = timedelta(minutes=1)


def whether_to_run(instance: dg.DagsterInstance, settings: Settings, moment: datetime) -> str:
    """Why the job is not to run now; empty if it is."""
    if not settings.spool_path.exists():
        return f"no webhook was ever received: there is no {settings.spool_path}"
    newest = next(iter(instance.get_run_records(dg.RunsFilter(job_name=JOB), limit=1)), None)
    if newest and newest.dagster_run.status not in FINISHED:
        return f"run {newest.dagster_run.run_id[:8]} is at work"
    if newest and newest.dagster_run.status in _FAILED:
        waited = moment.timestamp() - (newest.end_time or newest.update_timestamp.timestamp())
        return "" if waited >= _AFTER_FAILURE.total_seconds() else "the last run failed: the next in a minute"
    return "" if Spool(settings.spool_path).queued(1) else "no webhook is queued"
