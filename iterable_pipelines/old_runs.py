"""Runs that nobody looks at any more: their records and files would fill the disk."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
# a run every half minute makes thousands a day, and each leaves a hundred events
_KEPT = timedelta(days=1)
_FORGOTTEN_AT_ONCE = 50


def forget_old_runs(instance: dg.DagsterInstance, moment: datetime, **whose: Any) -> int:
    """Delete finished runs that are older than a day, some at a time; never the newest. Returns how many.

    `whose`: of which, as dg.RunsFilter has it.
    """
    newest = {run.run_id for run in instance.get_runs(dg.RunsFilter(**whose), limit=1)}
    old = dg.RunsFilter(statuses=FINISHED, created_before=moment - _KEPT, **whose)
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
