"""The clockwork: what is missing or unsettled is asked for again, and a run without a process is ended."""

import subprocess
import sys
from datetime import datetime, timedelta

import dagster as dg
import pytest
from dagster._core.events import EngineEventData

from iterable_pipelines.ghosts import ghost_runs
from iterable_pipelines.hours import HOUR, Window, hour_of, now
from iterable_pipelines.landing import Manifest
from iterable_pipelines.landing.behind import hours_behind, stretch_to_catch_up
from iterable_pipelines.landing.passes import Pass
from iterable_pipelines.partitions import HOURS_PER_RUN
from iterable_pipelines.settings import Settings
from iterable_pipelines_tests.landing_by_hand import land


@pytest.fixture
def recent(project: Settings) -> Settings:
    """A project of one data type that began ten hours ago."""
    return project.model_copy(
        update={"start_date": hour_of(now()) - 10 * HOUR, "data_types": ("rcsSend",), "skip_users": True}
    )


def behind(settings: Settings, moment: datetime) -> dict[Pass, list[datetime]]:
    return hours_behind(settings, Manifest(settings.landing_dir), moment)


def test_missing_hours_and_unsettled_old_ones_are_wanted_and_nothing_else(recent: Settings) -> None:
    manifest = Manifest(recent.landing_dir)
    hours = [recent.start_date + n * HOUR for n in range(10)]
    for number, hour in enumerate(hours[:8]):
        if number != 3:
            # the fourth is missing; the first two were fetched late enough to be settled
            land(recent, manifest, "rcsSend", hour, [], minutes_after=200 if number < 2 else 10)
    found = behind(recent, hours[9] + HOUR)
    can_settle = [hour for hour in hours[2:8] if hour + 4 * HOUR <= hours[9] + HOUR and hour != hours[3]]
    assert found == {Pass.FRESH: [hours[3]], Pass.SETTLED: can_settle, Pass.AUDITED: []}


def test_nothing_is_wanted_once_all_is_settled(recent: Settings) -> None:
    manifest = Manifest(recent.landing_dir)
    for number in range(10):
        land(recent, manifest, "rcsSend", recent.start_date + number * HOUR, [], minutes_after=200)
    assert not any(behind(recent, recent.start_date + 12 * HOUR).values())


def test_a_day_is_audited_as_a_whole_a_day_and_a_week_after_it(project: Settings) -> None:
    project = project.model_copy(update={"data_types": ("rcsSend",), "skip_users": True})
    manifest, midnight = Manifest(project.landing_dir), project.start_date
    hours = [midnight + n * HOUR for n in range(24)]
    audits = []

    def pass_by(moment: datetime) -> None:
        due = behind(project, moment)[Pass.AUDITED]
        audits.append([hour for hour in due if hour in hours])
        for hour in due:
            minutes = int((moment - hour - HOUR) / timedelta(minutes=1))
            land(project, manifest, "rcsSend", hour, [], minutes_after=minutes)

    for hour in [midnight + n * HOUR for n in range(9 * 24)]:
        land(project, manifest, "rcsSend", hour, [], minutes_after=181)
    for moment in (47, 48, 49, 7 * 24, 8 * 24 - 1, 8 * 24, 8 * 24 + 1):
        pass_by(midnight + moment * HOUR)
    assert audits == [[], hours, [], [], [], hours, []]
    assert manifest.current("rcsSend")[hours[0]].passed is Pass.AUDITED
    assert manifest.current("rcsSend")[hours[23]].fetched_at == midnight + 8 * 24 * HOUR


def test_what_waits_in_quarantine_is_not_asked_for_again_and_again(recent: Settings) -> None:
    manifest = Manifest(recent.landing_dir)
    bad, young = recent.start_date + 2 * HOUR, recent.start_date + 3 * HOUR
    for number in range(10):
        if (hour := recent.start_date + number * HOUR) not in (bad, young):
            land(recent, manifest, "rcsSend", hour, [], minutes_after=200)
    file = recent.landing_dir / "quarantine" / "download.ndjson"
    manifest.quarantine("rcsSend", Window.of_hour(bad), bad + 5 * HOUR, (1, 0, "not JSON"), f"quarantine/{file.name}")
    # what was fetched too early to be settled may be mended by then
    manifest.quarantine(
        "rcsSend", Window.of_hour(young), young + 2 * HOUR, (1, 0, "not JSON"), f"quarantine/{file.name}"
    )
    assert behind(recent, recent.start_date + 10 * HOUR)[Pass.FRESH] == [young]


def test_a_stretch_that_fails_does_not_keep_the_newer_ones_waiting(recent: Settings) -> None:
    start = recent.start_date
    hours = [start, start + HOUR, *(start + n * HOUR for n in range(5, 5 + HOURS_PER_RUN + 1))]
    oldest = Window(start, start + 2 * HOUR)
    month = Window(start + 5 * HOUR, start + (5 + HOURS_PER_RUN) * HOUR)
    rest = Window(month.end, month.end + HOUR)
    assert stretch_to_catch_up(hours, HOURS_PER_RUN, None) == oldest
    tried = [stretch_to_catch_up(hours, HOURS_PER_RUN, failed.start) for failed in (oldest, month, rest)]
    assert tried == [month, rest, oldest]
    assert stretch_to_catch_up([], HOURS_PER_RUN, start) is None


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
