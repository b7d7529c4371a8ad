"""Runs whose process is gone: after a power loss they would stay started for ever, and hold their place."""

import os
import socket
from collections.abc import Iterator

import dagster as dg
from dagster._core.launcher import DefaultRunLauncher

from iterable_pipelines.dagster_home import is_shared

# the machine of a run that the command line started; the daemon's are children of its code server
HOST = "iterable/host"


def tags_of_this_host() -> dict[str, str]:
    """The tags of a run whose process is on this machine."""
    return {HOST: socket.gethostname()}


def ghost_runs(instance: dg.DagsterInstance, beside_code_server: bool = False) -> Iterator[dg.DagsterRun]:
    """Runs that are marked as started although the process that Dagster started for them is not there any more.

    Storage in a file is this machine's own. Where several share it, a run of another one is none of our business;
    `beside_code_server` says that runs of the daemon would be here.
    """
    launched_here = not is_shared(instance) or (
        beside_code_server and isinstance(instance.run_launcher, DefaultRunLauncher)
    )
    for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING])):
        host = run.tags.get(HOST)
        if host != socket.gethostname() if host else not launched_here:
            continue
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
