"""A build counts anew those people whose events changed, and those campaigns of which somebody's row did."""

from typing import Any

from iterable_pipelines.hours import parse_hour
from iterable_pipelines.landing import Manifest
from iterable_pipelines.profiles import run_models
from iterable_pipelines.profiles.dbt import run_dbt
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse, load_hours
from iterable_pipelines_tests.landing_by_hand import land

HOUR = parse_hour("2026-11-01T03")


def opened(who: str, campaign: int, minute: int = 1) -> dict[str, Any]:
    return {
        "createdAt": f"2026-11-01 03:{minute:02d}:00 +00:00",
        "email": f"{who}@x.example",
        "campaignId": campaign,
        "campaignName": f"number {campaign}",
    }


def test_late_and_vanished_events_touch_one_person_and_one_campaign(
    project: Settings, manifest: Manifest, warehouse: Warehouse
) -> None:
    passes = 0

    def build(
        opens: list[dict[str, Any]], profiles_first: bool = False
    ) -> tuple[set[str], set[tuple[str, int]], set[int]]:
        """Who was counted anew, whose row of which campaign changed by that, and which campaigns were counted anew."""
        nonlocal passes
        passes += 1
        land(project, manifest, "emailOpen", HOUR, opens, minutes_after=200 * passes)
        load_hours(warehouse, manifest, project, "iterable_activity", [HOUR], "run", log=lambda text: None)
        if passes > 1:
            # a mark in every row goes with the row it is in
            warehouse.read("update marts.campaign_activity set template_name = 'as it was'")
        if profiles_first:
            run_dbt(project, ["build", "--select", "streams", "profiles"])
        run_models(project, warehouse)
        people = warehouse.read("select split_part(user_key, '@', 1) from marts.touched_people")
        changed = warehouse.read(
            "select split_part(user_key, '@', 1), campaign_id from marts.user_campaign_activity "
            "where _load_id > (select marts_built_from from profiles.build_span)"
        )
        campaigns = warehouse.read("select campaign_id from marts.campaign_activity where template_name is null")
        return {who for (who,) in people}, set(changed), {campaign for (campaign,) in campaigns}

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
