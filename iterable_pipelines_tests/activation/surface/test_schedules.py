"""When syncs run: at times of their own, windows that end at the hour of the tick, never two at once (G12, P11)."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import pytest

from iterable_pipelines.activation.objects import load_syncs
from iterable_pipelines.declared_schedules import SYNC_TAG, sync_schedules
from iterable_pipelines.settings import Settings

SYNC = """
object: user
source: profiles.user_profiles
primary_key: user_key
match: {column: email, field: email}
"""
TICK = datetime(2026, 11, 1, 3, 30, tzinfo=UTC)


def schedules(tmp_path: Path, **syncs: str) -> dict[str, dg.ScheduleDefinition]:
    """The schedules of a project with these syncs: name, and what their files say besides."""
    (tmp_path / "syncs").mkdir(exist_ok=True)
    for name, text in syncs.items():
        (tmp_path / "syncs" / f"{name}.yml").write_text(SYNC + text)
    settings = Settings(project_root=tmp_path, data_dir=tmp_path / "data", start_date="2026-11-01")
    return {each.name: each for each in sync_schedules(load_syncs(settings), settings)}


def test_each_frequency_has_its_time_and_on_upstream_has_none_unless_a_window_moves(tmp_path: Path) -> None:
    found = schedules(
        tmp_path,
        hourly="frequency: hourly",
        nightly="frequency: '5 2 * * *'",
        follows="frequency: on_upstream",
        by_hand="frequency: manual",
        window="window: 7d",
        off="frequency: hourly\nenabled: false",
    )
    assert {name: each.cron_schedule for name, each in found.items()} == {
        "sync_hourly": "30 * * * *",
        "sync_nightly": "5 2 * * *",
        "sync_window": "30 * * * *",
    }


def evaluated(schedule: dg.ScheduleDefinition, instance: dg.DagsterInstance, tick: datetime) -> SimpleNamespace:
    """What a tick asks for."""
    with dg.build_schedule_context(instance=instance, scheduled_execution_time=tick) as context:
        found = schedule.evaluate_tick(context)
    return SimpleNamespace(runs=found.run_requests or [], why_not=found.skip_message or "")


def test_a_run_ends_its_windows_at_the_hour_of_the_tick_however_late_it_starts(tmp_path: Path) -> None:
    schedule = schedules(tmp_path, win_back="window: 7d")["sync_win_back"]
    with dg.instance_for_test() as instance:
        (asked,) = evaluated(schedule, instance, TICK).runs
    assert asked.run_config == {"ops": {"activation__win_back": {"config": {"as_of": "2026-11-01T03"}}}}
    assert asked.tags[SYNC_TAG] == "win_back" and int(asked.tags["dagster/max_runtime"]) > 0


@pytest.mark.parametrize(
    ("status", "minutes_ago", "why_not"),
    [
        (dg.DagsterRunStatus.STARTED, 50, "is still at work"),
        (dg.DagsterRunStatus.NOT_STARTED, 50, "is still at work"),
        (dg.DagsterRunStatus.SUCCESS, 2, "began less than 5 minutes ago"),
        (dg.DagsterRunStatus.FAILURE, 50, ""),
    ],
)
def test_a_tick_waits_for_the_run_before_and_for_the_shortest_interval(
    tmp_path: Path, status: dg.DagsterRunStatus, minutes_ago: int, why_not: str
) -> None:
    schedule = schedules(tmp_path, win_back="window: 7d")["sync_win_back"]
    with dg.instance_for_test() as instance:

        @dg.job
        def anything() -> None: ...

        instance.create_run_for_job(anything, status=status, tags={SYNC_TAG: "win_back"})
        # the run was made just now: the tick is that much later
        tick = datetime.now(UTC) + timedelta(minutes=minutes_ago)
        found = evaluated(schedule, instance, tick)
    assert why_not in found.why_not
    assert len(found.runs) == (0 if why_not else 1)
