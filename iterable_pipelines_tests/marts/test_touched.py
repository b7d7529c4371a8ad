"""A build counts anew those people whose events changed, and those campaigns of which somebody's row did."""

from datetime import datetime
from typing import Any

import pytest

from iterable_pipelines.hours import HOUR as AN_HOUR
from iterable_pipelines.hours import parse_hour
from iterable_pipelines.landing import Manifest
from iterable_pipelines.profiles import run_models
from iterable_pipelines.profiles.dbt import run_dbt
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse, load_hours
from iterable_pipelines_tests.landing_by_hand import land

HOUR = parse_hour("2026-11-01T03")
pytestmark = pytest.mark.usefixtures("only_models")
Records = list[dict[str, Any]]
WHOSE = "split_part(user_key, '@', 1), campaign_id"


def opened(who: str, campaign: int, minute: int = 1) -> dict[str, Any]:
    return {
        "createdAt": f"2026-11-01 03:{minute:02d}:00 +00:00",
        "email": f"{who}@x.example",
        "campaignId": campaign,
        "campaignName": f"number {campaign}",
    }


def load(
    project: Settings, manifest: Manifest, warehouse: Warehouse, hour: datetime, opens: Records, attempt: int
) -> None:
    """Land and load what an attempt brings of an hour; `opened` says the first one's minutes."""
    opens = [each | {"createdAt": f"{hour:%Y-%m-%d %H}{each['createdAt'][13:]}"} for each in opens]
    land(project, manifest, "emailOpen", hour, opens, minutes_after=200 * attempt)
    load_hours(warehouse, manifest, project, "iterable_activity", [hour], "run", log=lambda text: None)


def touched(warehouse: Warehouse) -> dict[str, bool]:
    """Who was counted anew, and whether as a whole."""
    return dict(warehouse.read("select split_part(user_key, '@', 1), whole from marts.touched_people"))


def counted(warehouse: Warehouse) -> dict[tuple[str, int | None], int]:
    """How many opens each person and campaign has."""
    found = warehouse.read(f"select {WHOSE}, total_emailopen from marts.user_campaign_activity where events > 0")
    return {(who, campaign): opens for who, campaign, opens in found}


def test_of_who_did_something_new_only_its_campaigns_are_counted(
    project: Settings, manifest: Manifest, warehouse: Warehouse
) -> None:
    load(project, manifest, warehouse, HOUR, [opened("ann", 1), opened("ann", 2), opened("bob", 1)], 1)
    run_models(project, warehouse)
    # a mark in every row goes with the row it is in: what is not counted keeps it
    warehouse.read("update marts.user_campaign_activity set template_name = 'as it was'")
    later = HOUR + AN_HOUR
    load(project, manifest, warehouse, later, [opened("ann", 1), opened("ann", 1, minute=5), opened("dan", 2)], 1)
    run_models(project, warehouse)
    assert touched(warehouse) == {"ann": False, "dan": False}
    assert counted(warehouse) == {("ann", 1): 3, ("ann", 2): 1, ("bob", 1): 1, ("dan", 2): 1}
    left = warehouse.read(f"select {WHOSE} from marts.user_campaign_activity where template_name = 'as it was'")
    assert set(left) == {("ann", 2), ("bob", 1)}
    # what was there already may have had more than it has now
    load(project, manifest, warehouse, later, [opened("ann", 3), opened("dan", 2)], 2)
    run_models(project, warehouse)
    assert touched(warehouse) == {"ann": True}
    assert counted(warehouse) == {("ann", 1): 1, ("ann", 2): 1, ("ann", 3): 1, ("bob", 1): 1, ("dan", 2): 1}


def test_what_came_is_counted_with_what_was_there_under_any_key_without_a_campaign_and_after_it_expired(
    project: Settings, manifest: Manifest, warehouse: Warehouse
) -> None:
    by_user_id = opened("ann", 1) | {"email": None, "userId": "a1"}
    without_campaign = opened("ann", 1, minute=3) | {"campaignId": None}
    land(project, manifest, "user", HOUR, [{"email": "ann@x.example", "userId": "a1", "profileUpdatedAt": f"{HOUR}"}])
    load_hours(warehouse, manifest, project, "iterable_users", [HOUR], "run", log=lambda text: None)
    load(project, manifest, warehouse, HOUR, [opened("ann", 1), by_user_id, without_campaign], 1)
    run_models(project, warehouse)
    assert counted(warehouse) == {("ann", 1): 2, ("ann", None): 1}
    warehouse.read(
        "insert into streams.expired_activity by name select 'a1' as user_key, 'emailOpen' as data_type, "
        "1 as campaign_id, 10 as events, timestamp '2026-01-01' as first_at, timestamp '2026-01-02' as last_at"
    )
    load(project, manifest, warehouse, HOUR + AN_HOUR, [opened("ann", 1), without_campaign], 1)
    run_models(project, warehouse)
    assert touched(warehouse) == {"ann": False}
    assert counted(warehouse) == {("ann", 1): 13, ("ann", None): 2}
    said = "select first_event_at, _other_keys from marts.user_campaign_activity where campaign_id = 1"
    assert warehouse.read(said) == [(datetime(2026, 1, 1), ["a1"])]


def test_keys_that_moved_are_made_up_for_after_a_build_that_broke_off_between_slices(
    project: Settings, manifest: Manifest, warehouse: Warehouse
) -> None:
    by_user_id = [opened("ann", campaign) | {"email": None, "userId": "a1"} for campaign in (1, 2)]
    load(project, manifest, warehouse, HOUR, [opened("ann", 1), *by_user_id], 1)
    run_models(project, warehouse)
    land(project, manifest, "user", HOUR, [{"email": "ann@x.example", "userId": "a1", "profileUpdatedAt": f"{HOUR}"}])
    load_hours(warehouse, manifest, project, "iterable_users", [HOUR], "run", log=lambda text: None)
    run_dbt(project, ["run", "--select", "+touched_people"])
    assert touched(warehouse) == {"ann": True, "a1": True}
    # as the slice of the key that was left behind leaves it
    warehouse.read(
        "update marts.user_campaign_activity set events = 0, total_emailopen = 0, "
        "_load_id = (select built_to from profiles.build_span) where user_key = 'a1'"
    )
    run_models(project, warehouse)
    assert counted(warehouse) == {("ann", 1): 2, ("ann", 2): 1}


def test_what_a_build_that_broke_off_has_counted_is_taken_back(
    project: Settings, manifest: Manifest, warehouse: Warehouse
) -> None:
    load(project, manifest, warehouse, HOUR, [opened("ann", 1)], 1)
    run_models(project, warehouse)
    later = HOUR + AN_HOUR
    load(project, manifest, warehouse, later, [opened("ann", 1), opened("ann", 2), opened("bob", 1)], 1)
    run_dbt(project, ["run", "--select", "+user_campaign_activity"])
    assert counted(warehouse) == {("ann", 1): 2, ("ann", 2): 1, ("bob", 1): 1}
    load(project, manifest, warehouse, later, [opened("bob", 1)], 2)
    run_models(project, warehouse)
    assert touched(warehouse) == {"ann": True, "bob": False}
    assert counted(warehouse) == {("ann", 1): 1, ("bob", 1): 1}
    totals = "select campaign_id, total_emailopen, count_unique_users from marts.iterable__campaigns"
    assert warehouse.read(totals) == [(1, 2, 2)]


def test_late_and_vanished_events_touch_one_person_and_one_campaign(
    project: Settings, manifest: Manifest, warehouse: Warehouse
) -> None:
    passes = 0

    def build(opens: Records, profiles_first: bool = False) -> tuple[set[str], set[tuple[str, int]], set[int]]:
        """Who was counted anew, whose row of which campaign changed by that, and which campaigns were counted anew."""
        nonlocal passes
        passes += 1
        load(project, manifest, warehouse, HOUR, opens, passes)
        if passes > 1:
            # a mark in every row goes with the row it is in
            warehouse.read("update marts.campaign_activity set template_name = 'as it was'")
        if profiles_first:
            run_dbt(project, ["build", "--select", "streams", "profiles"])
        run_models(project, warehouse)
        changed = warehouse.read(
            f"select {WHOSE} from marts.user_campaign_activity where _load_id > "
            "(select marts_built_from from profiles.build_span)"
        )
        campaigns = warehouse.read("select campaign_id from marts.campaign_activity where template_name is null")
        return set(touched(warehouse)), set(changed), {campaign for (campaign,) in campaigns}

    opens = [opened("ann", 1), opened("bob", 1), opened("bob", 2), opened("cat", 2)]
    assert build(opens)[0] == {"ann", "bob", "cat"}
    assert build([*opens, opened("bob", 1, minute=9)]) == ({"bob"}, {("bob", 1)}, {1})
    assert build(opens) == ({"bob"}, {("bob", 1)}, {1})
    # a campaign that nobody has events of any more is none, once its last event is gone
    assert build([opened("ann", 1), opened("bob", 1)]) == ({"bob", "cat"}, {("bob", 2), ("cat", 2)}, set())
    assert warehouse.read("select campaign_id, total_emailopen from marts.iterable__campaigns") == [(1, 2)]
    assert warehouse.read("select count(*) from marts.iterable__user_campaign") == [(2,)]
    assert build([opened("ann", 1), opened("bob", 1)]) == (set(), set(), set())
    # it comes back, while somebody builds profiles alone
    assert build(opens, profiles_first=True) == ({"bob", "cat"}, {("bob", 2), ("cat", 2)}, {2})
    assert warehouse.read("select count_unique_users from marts.iterable__campaigns where campaign_id = 2") == [(2,)]
