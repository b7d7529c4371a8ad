"""The plan: every hour that is wanted is asked for, once, in as few questions as there can be; whatever the plan, the
same records land."""

import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iterable_pipelines.hours import HOUR, Window, parse_hour
from iterable_pipelines.landing import Manifest
from iterable_pipelines.landing.plan import LONGEST_EXPORT, Ask, Door, Seen, asks_for
from iterable_pipelines.sandbox import Sandbox, World, running_sandbox
from iterable_pipelines.settings import Settings
from iterable_pipelines_tests.landing.test_exports import DAYS, TYPE, land_to_the_end, records_of, truth_of

START = parse_hour("2026-01-01")
NOTHING_SEEN = Seen(None, None)


def hours(*numbers: int) -> list[datetime]:
    return [START + n * HOUR for n in numbers]


def plan(project: Settings, due: list[datetime], wanted: list[datetime], seen: Seen = NOTHING_SEEN) -> list[Ask]:
    return asks_for(project, "emailOpen", due, wanted, seen)


def test_a_year_is_four_jobs_and_a_day_is_one_export(project: Settings) -> None:
    year = hours(*range(365 * 24))
    asks = plan(project, year, year)
    assert [ask.door for ask in asks] == [Door.JOB] * 4
    day = year[:24]
    assert [(ask.door, ask.window) for ask in plan(project, day, day)] == [
        (Door.EXPORT, Window(START, START + 24 * HOUR))
    ]


def test_a_run_of_a_month_asks_for_the_quarter_it_is_part_of(project: Settings) -> None:
    year = hours(*range(365 * 24))
    (ask,) = plan(project, year, year[:744])
    assert ask.door is Door.JOB and set(year[:744]) < set(ask.window.hours())


def test_what_is_known_to_be_large_is_asked_for_in_shorter_windows_by_job(project: Settings) -> None:
    day = hours(*range(24))
    gigabyte_an_hour = Seen(1e6, 2**30)
    asks = plan(project, day, day, gigabyte_an_hour)
    assert {ask.door for ask in asks} == {Door.JOB}
    assert [len(ask.window.hours()) for ask in asks] == [4] * 6
    assert asks[0].rows == 4_000_000 and asks[0].bytes == 4 * 2**30


@given(
    due=st.sets(st.integers(0, 3000), max_size=400).map(sorted),
    wanted=st.sets(st.integers(0, 3000), max_size=400).map(sorted),
    job_from=st.integers(1, 100),
    per_hour=st.sampled_from([None, 1e3, 1e7, 1e9, 1e11]),
    only=st.sampled_from([None, *Door]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_plan_asks_for_each_wanted_hour_once(
    project: Settings, due: list[int], wanted: list[int], job_from: int, per_hour: float | None, only: Door | None
) -> None:
    changed = project.model_copy(update={"job_from_hours": job_from})
    seen = Seen(per_hour and per_hour / 500, per_hour)
    asks = asks_for(changed, "emailOpen", hours(*due), hours(*wanted), seen, only)
    covered = [hour for ask in asks for hour in ask.window.hours()]
    assert len(covered) == len(set(covered))
    assert set(hours(*due)) & set(hours(*wanted)) <= set(covered) <= set(hours(*due))
    for ask in asks:
        assert only in (None, ask.door)
        assert ask.window.end - ask.window.start <= (LONGEST_EXPORT if ask.door is Door.EXPORT else 92 * 24 * HOUR)
        if ask.door is Door.EXPORT:
            assert set(ask.window.hours()) <= set(hours(*wanted))


@pytest.fixture(scope="module")
def world() -> World:
    return World(users=40, start=DAYS[0] - timedelta(days=1), end=DAYS[-1] + timedelta(days=8))


@pytest.fixture(scope="module")
def sandbox(world: World) -> Iterator[Sandbox]:
    with running_sandbox(world=world, relaxed=True, job_seconds=0.01) as running:
        yield running


@given(
    cuts=st.sets(st.integers(1, len(DAYS) - 1), max_size=3),
    job_from=st.integers(1, 60),
    doors=st.lists(st.sampled_from([None, *Door]), min_size=4, max_size=4),
    order=st.permutations(range(4)),
    again=st.booleans(),
)
@settings(max_examples=8, deadline=None)
def test_whatever_the_plan_the_same_records_land(
    sandbox: Sandbox,
    world: World,
    cuts: set[int],
    job_from: int,
    doors: list[Door | None],
    order: list[int],
    again: bool,
) -> None:
    edges = [0, *sorted(cuts), len(DAYS)]
    spans = [DAYS[start:end] for start, end in pairwise(edges)]
    with tempfile.TemporaryDirectory() as folder:
        project = Settings(
            api_key="sandbox", base_url="http://127.0.0.1:9", data_dir=Path(folder), start_date=DAYS[0],
            data_types=(TYPE,), skip_users=True, job_from_hours=job_from,
        )  # fmt: skip
        for number in order:
            if number < len(spans):
                land_to_the_end(sandbox, project, hours=spans[number], run=f"run {number}", only=doors[number])
        if again:
            land_to_the_end(sandbox, project, hours=DAYS, run="again", whole=DAYS, refetch=True)
        assert records_of(project) == truth_of(world) != []
        assert sorted(Manifest(project.landing_dir).current(TYPE)) == DAYS
