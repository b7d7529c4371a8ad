"""Runs whose process is gone: after a power loss they would stay started for ever, and hold their place."""

import os
from collections.abc import Iterator

import dagster as dg


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
