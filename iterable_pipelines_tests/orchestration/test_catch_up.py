"""The clockwork: what is missing or unsettled is asked for again, and a run without a process is ended."""

import subprocess
import sys
from datetime import timedelta

import dagster as dg
import pytest
from dagster._core.events import EngineEventData

from iterable_pipelines.automation import ghost_runs, hours_to_catch_up
from iterable_pipelines.hours import HOUR, hour_of, now
from iterable_pipelines.landing import Manifest
from iterable_pipelines.settings import Settings
from iterable_pipelines_tests.landing_by_hand import land


@pytest.fixture
def recent(project: Settings) -> Settings:
    """A project of one data type that began ten hours ago."""
    return project.model_copy(
        update={"start_date": hour_of(now()) - 10 * HOUR, "data_types": ("rcsSend",), "skip_users": True}
    )


def test_missing_hours_and_unsettled_old_ones_are_wanted_and_nothing_else(recent: Settings) -> None:
    manifest = Manifest(recent.landing_dir)
    hours = [recent.start_date + n * HOUR for n in range(10)]
    for number, hour in enumerate(hours[:8]):
        if number != 3:
            # the fourth is missing; the first two were fetched late enough to be settled
            land(recent, manifest, "rcsSend", hour, [], minutes_after=200 if number < 2 else 10)
    can_settle = [hour for hour in hours[2:8] if hour + 4 * HOUR <= now()]
    assert hours_to_catch_up(recent) == sorted({hours[3], *can_settle} & set(hours[:8]))


def test_nothing_is_wanted_once_all_is_settled(recent: Settings) -> None:
    manifest = Manifest(recent.landing_dir)
    for number in range(10):
        land(recent, manifest, "rcsSend", recent.start_date + number * HOUR, [], minutes_after=200)
    assert hours_to_catch_up(recent) == []


def _run(instance: dg.DagsterInstance, pid: int) -> dg.DagsterRun:
    @dg.job
    def empty() -> None: ...

    run = instance.create_run_for_job(empty, status=dg.DagsterRunStatus.STARTED)
    data = EngineEventData(metadata={"pid": dg.MetadataValue.text(str(pid))})
    instance.report_engine_event("Started process for run", run, data)
    return run


def test_only_a_run_without_its_process_is_a_ghost() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    alive = subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({timedelta(minutes=1).seconds})"])
    try:
        with dg.DagsterInstance.ephemeral() as instance:
            ghost, _ = _run(instance, gone.pid), _run(instance, alive.pid)
            assert [run.run_id for run in ghost_runs(instance)] == [ghost.run_id]
    finally:
        alive.kill()
        alive.wait()
