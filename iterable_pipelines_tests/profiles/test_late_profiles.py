"""A late pass makes the profiles anew of those whose events it changed, and of nobody else."""

from datetime import datetime
from typing import Any

import pytest

from iterable_pipelines.hours import HOUR, parse_hour
from iterable_pipelines.landing import Manifest
from iterable_pipelines.profiles.build import run_models
from iterable_pipelines.profiles.dbt import run_dbt
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse, load_hours
from iterable_pipelines_tests.landing_by_hand import land

START = parse_hour("2026-11-01")
# one is older than the tail of 48 hours, the other is in it
HOURS = [START, START + 60 * HOUR]
STREAM = "iterable_activity"
PEOPLE = ["ann", "bob", "cat", "dan"]


def event(hour: datetime, who: str, minute: int = 1, **fields: object) -> dict[str, Any]:
    return {"createdAt": f"{hour:%Y-%m-%d %H}:{minute:02d}:00 +00:00", "email": f"{who}@x.example", **fields}


def everybody(hour: datetime) -> list[dict[str, Any]]:
    return [event(hour, who, campaignId=number) for number, who in enumerate(PEOPLE)]


def load(project: Settings, manifest: Manifest, warehouse: Warehouse) -> int:
    return load_hours(warehouse, manifest, project, STREAM, HOURS, "run", log=lambda text: None).rows


@pytest.fixture
def built(project: Settings, manifest: Manifest, warehouse: Warehouse) -> None:
    """Everybody with an open and a click in each hour, and profiles of them."""
    for hour in HOURS:
        land(project, manifest, "emailOpen", hour, everybody(hour))
        land(project, manifest, "emailClick", hour, everybody(hour))
    load(project, manifest, warehouse)
    run_models(project, warehouse)


def rebuilt(project: Settings, warehouse: Warehouse) -> set[str]:
    """Whose profiles a build makes anew: a mark in every row goes with the row it is in."""
    warehouse.read("update profiles.user_profiles set city = 'as it was'")
    run_models(project, warehouse)
    found = warehouse.read("select split_part(user_key, '@', 1), city is null from profiles.user_profiles")
    return {who for who, anew in found if anew}


def opens(warehouse: Warehouse) -> dict[str, int]:
    return dict(warehouse.read("select split_part(user_key, '@', 1), it_email_openct from profiles.user_profiles"))


@pytest.mark.usefixtures("built")
def test_a_late_pass_rebuilds_exactly_those_whose_events_changed(
    project: Settings, manifest: Manifest, warehouse: Warehouse
) -> None:
    old, new = HOURS
    in_old, in_new = everybody(old), everybody(new)
    passes = 1

    def late_pass(hour: datetime, records: list[dict[str, Any]]) -> tuple[int, set[str]]:
        nonlocal passes
        passes += 1
        land(project, manifest, "emailOpen", hour, records, minutes_after=200 * passes)
        return load(project, manifest, warehouse), rebuilt(project, warehouse)

    # one more
    in_old.append(event(old, "bob", minute=59))
    assert late_pass(old, in_old) == (5, {"bob"})
    # somebody new, and one less
    in_new = [each for each in in_new if "cat" not in each["email"]] + [event(new, "eve")]
    assert late_pass(new, in_new) == (4, {"cat", "eve"})
    # it was somebody else
    in_old = [each | {"email": each["email"].replace("dan", "eve")} for each in in_old]
    assert late_pass(old, in_old) == (5, {"dan", "eve"})
    # told in another order, and not told anew at all
    in_new = [dict(reversed(each.items())) | {"ip": "192.0.2.1"} for each in reversed(in_new)]
    assert late_pass(new, in_new) == (4, set())
    assert late_pass(new, in_new) == (0, set())
    assert opens(warehouse) == {"ann": 2, "bob": 3, "cat": 1, "dan": 1, "eve": 2}


@pytest.mark.usefixtures("built")
def test_a_table_of_before_rows_were_stamped_is_brought_up_to_date(
    project: Settings, manifest: Manifest, warehouse: Warehouse
) -> None:
    warehouse.read("alter table profiles.user_activity_hourly drop column _load_id")
    late = [*everybody(HOURS[0]), event(HOURS[0], "bob", minute=59)]
    land(project, manifest, "emailOpen", HOURS[0], late, minutes_after=200)
    load(project, manifest, warehouse)
    # who in this hour was touched cannot be told, once
    assert rebuilt(project, warehouse) == set(PEOPLE)
    assert opens(warehouse) == {"ann": 2, "bob": 3, "cat": 2, "dan": 2}


@pytest.mark.usefixtures("built")
def test_what_a_build_that_broke_off_has_changed_is_not_forgotten_by_the_next(
    project: Settings, manifest: Manifest, warehouse: Warehouse
) -> None:
    late = [*everybody(HOURS[0]), event(HOURS[0], "bob", minute=59)]
    land(project, manifest, "emailOpen", HOURS[0], late, minutes_after=200)
    load(project, manifest, warehouse)
    run_dbt(project, ["build", "--select", "+user_base"])
    assert rebuilt(project, warehouse) == {"bob"}
    assert opens(warehouse)["bob"] == 3
