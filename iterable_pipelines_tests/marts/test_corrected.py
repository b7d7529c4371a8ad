"""What Iterable corrects in an hour shows in the marts, even where the hour comes to the same sums as before."""

from typing import Any

import pytest

from iterable_pipelines.data_types import STREAMS
from iterable_pipelines.hours import HOUR, parse_hour
from iterable_pipelines.landing import Manifest
from iterable_pipelines.profiles import run_models
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse, load_hours
from iterable_pipelines_tests.landing_by_hand import land
from iterable_pipelines_tests.marts.conftest import rows
from iterable_pipelines_tests.marts.test_touched import opened

START = parse_hour("2026-11-01T03")
pytestmark = pytest.mark.usefixtures("only_models")
TABLES = ("user_campaign_activity", "campaign_activity", "iterable__user_campaign", "iterable__campaigns")
Records = list[dict[str, Any]]


def bought(who: str, campaign: int, total: float) -> dict[str, Any]:
    return opened(who, campaign, minute=5) | {"total": total}


def both_campaigns(who: str) -> Records:
    return [opened(who, 1), opened(who, 1, minute=2), opened(who, 2, minute=3), opened(who, 1, minute=4)]


WITHOUT_CAMPAIGN = bought("ann", 1, 9.9) | {"campaignId": None, "campaignName": None}
AT_FIRST: dict[str, Records] = {
    "emailOpen": [opened("ann", 1), *both_campaigns("bob"), *both_campaigns("cat"), *both_campaigns("eve")],
    "purchase": [WITHOUT_CAMPAIGN, bought("dan", 1, 9.9), bought("dan", 2, 1)],
}
# a purchase gets its campaign, an open moves to another one, an experiment is told, two totals are swapped, and of Eve
# the same is said in another order, with more that is not counted
CORRECTED: dict[str, Records] = {
    "emailOpen": [
        *(each | {"ip": "192.0.2.1"} for each in reversed(both_campaigns("eve"))),
        *(each | {"experimentId": 5} for each in both_campaigns("cat")),
        *both_campaigns("bob")[:1], opened("bob", 2, minute=2), *both_campaigns("bob")[2:],
        opened("ann", 1),
    ],
    "purchase": [bought("ann", 1, 9.9), bought("dan", 1, 1), bought("dan", 2, 9.9)],
}  # fmt: skip


def land_pass(
    project: Settings, manifest: Manifest, warehouse: Warehouse, hour: int, events: dict[str, Records]
) -> None:
    """Land and load what a later pass brings of an hour, counted from START."""
    later = START + hour * HOUR
    again = len(warehouse.read("select 1 from streams.loads where hour = ?", [later.replace(tzinfo=None)]))
    for data_type, records in events.items():
        land(project, manifest, data_type, later, records, minutes_after=200 * (1 + again))
    for stream in STREAMS:
        load_hours(warehouse, manifest, project, stream.name, [later], "run", log=lambda text: None)


def touched(warehouse: Warehouse) -> set[str]:
    return {who for (who,) in warehouse.read("select split_part(user_key, '@', 1) from marts.touched_people")}


def stored(warehouse: Warehouse) -> dict[str, list[str]]:
    """Rows that count something, in the order of what they say."""
    return {
        table: sorted(repr(row) for row in rows(warehouse, table) if row.get("events", row.get("count_events")))
        for table in TABLES
    }


def test_corrections_that_add_up_to_the_same_are_counted_as_by_a_full_build(
    project: Settings, manifest: Manifest, warehouse: Warehouse
) -> None:
    land_pass(project, manifest, warehouse, 0, AT_FIRST)
    run_models(project, warehouse)
    land_pass(project, manifest, warehouse, 0, CORRECTED)
    run_models(project, warehouse)
    assert touched(warehouse) == {"ann", "bob", "cat", "dan"}
    incremental = stored(warehouse)
    run_models(project, warehouse, full_refresh=True)
    assert stored(warehouse) == incremental


def test_an_hour_of_before_corrections_could_be_told_is_counted_anew_once(
    project: Settings, manifest: Manifest, warehouse: Warehouse
) -> None:
    for hour in range(2):
        land_pass(project, manifest, warehouse, hour, AT_FIRST)
    run_models(project, warehouse)
    for column in ("digest", "_first_load_id"):
        warehouse.read(f"alter table profiles.user_activity_hourly drop column {column}")
    # once without the columns, and once with the columns but nothing in them
    for hour in range(2):
        land_pass(project, manifest, warehouse, hour, CORRECTED)
        run_models(project, warehouse)
        assert touched(warehouse) == {"ann", "bob", "cat", "dan", "eve"}
    incremental = stored(warehouse)
    run_models(project, warehouse, full_refresh=True)
    assert stored(warehouse) == incremental
