"""The marts equal a count by brute force, in projects of every type, whatever changed since they were first built."""

import json
import random
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest

from iterable_pipelines.data_types import DATA_TYPES
from iterable_pipelines.hours import HOUR, Window, iterate_hours, parse_hour
from iterable_pipelines.landing import Manifest
from iterable_pipelines.profiles import dbt
from iterable_pipelines.profiles.build import run_models
from iterable_pipelines.profiles.dbt import run_dbt
from iterable_pipelines.sandbox import World
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse
from iterable_pipelines.streams.load import naive
from iterable_pipelines_tests.landing_by_hand import land
from iterable_pipelines_tests.marts import recount, unsubscriptions
from iterable_pipelines_tests.marts.conftest import answered, keyed, refresh_objects, rows
from iterable_pipelines_tests.marts.recount import Truth
from iterable_pipelines_tests.profiles.test_profiles import Parts, assert_same, events_of, load_all, users_of

START = parse_hour("2026-11-01")
# the first of them leave the tail of 48 hours while the marts are kept up to date
HOURS = list(iterate_hours(START, START + 54 * HOUR))
KEYS = {
    "iterable__user_campaign": ("unique_user_key", "campaign_id", "experiment_id"),
    "iterable__campaigns": ("campaign_id", "experiment_id"),
    "iterable__users": ("unique_user_key",),
    "iterable__list_user_history": ("list_id", "unique_user_key", "joined_at"),
    "iterable__user_unsubscriptions": (
        "unique_user_key", "channel_id", "message_type_id", "is_unsubscribed_channel_wide",
    ),
}  # fmt: skip


def event(minute: int, **fields: object) -> dict[str, Any]:
    return {"createdAt": f"2026-11-01 00:{minute:02d}:00 +00:00", **fields}


def stored(warehouse: Warehouse) -> dict[str, Any]:
    """What the marts say: each by its key, and events, which have none that could be told from outside, as a bag."""
    found: dict[str, Any] = {mart: keyed(rows(warehouse, mart), *keys) for mart, keys in KEYS.items()}
    left = rows(warehouse, "iterable__user_unsubscription_history")
    found["history"] = {
        (row["unique_user_key"], "channel", row["channel_id"], row["unsubscribed_at"])
        if row["is_unsubscribed_channel_wide"]
        else (row["unique_user_key"], "message_type", row["message_type_id"], row["unsubscribed_at"]): {
            name: value for name, value in row.items() if name != "unique_unsubscription_id"
        }
        for row in left
    }
    assert len(found["history"]) == len(left)
    every = rows(warehouse, "iterable__events")
    assert len({row.pop("unique_event_id") for row in every}) == len(every)
    for row in every:
        row["additional_properties"] = json.dumps(json.loads(row["additional_properties"]), sort_keys=True)
    found["events"] = bag(every)
    return found


def bag(found: Iterable[dict[str, Any]]) -> Counter[str]:
    return Counter(repr(sorted(row.items())) for row in found)


def assert_equal(warehouse: Warehouse, truth: Truth) -> None:
    found = stored(warehouse)
    assert_same(found["iterable__user_campaign"], recount.user_campaign(truth))
    assert_same(found["iterable__campaigns"], recount.campaigns(truth))
    assert_same(found["iterable__users"], recount.users(truth))
    assert_same(found["iterable__list_user_history"], recount.list_user_history(truth))
    assert_same(found["iterable__user_unsubscriptions"], unsubscriptions.current(truth))
    assert_same(found["history"], unsubscriptions.history(truth))
    expected = bag(recount.events(truth))
    assert (found["events"] - expected, expected - found["events"]) == (Counter(), Counter())


def write_members(warehouse: Warehouse, members: Iterable[tuple[Any, ...]]) -> None:
    with warehouse.transaction() as con:
        con.execute("delete from objects.list_members")
        con.executemany(
            "insert into objects.list_members values (?, ?, ?, ?, ?, nextval('streams.load_ids'))",
            [list(member) for member in members],
        )


def on_lists(truth: Truth, lists: Iterable[int], chance: random.Random) -> list[tuple[Any, ...]]:
    """Members by whatever name they have: everybody once or twice, some by two names at once."""
    found: dict[tuple[int, str, datetime], tuple[Any, ...]] = {}
    names = sorted({name for names in truth.links.items() for name in names} | truth.known.keys())
    for list_id in lists:
        for name in [*chance.sample(names, len(names) // 2), "nobody@elsewhere.example"]:
            joined = naive(START) + timedelta(hours=chance.randrange(9))
            for _ in range(chance.randrange(1, 3)):
                left = joined + timedelta(hours=chance.randrange(1, 9))
                found[list_id, name, joined] = (list_id, name, joined, left, chance.choice(["users", "getUsers"]))
                joined = left + timedelta(hours=chance.randrange(1, 9))
            if chance.random() < 0.5:
                found[list_id, name, joined] = (list_id, name, joined, None, "users")
    return list(found.values())


@pytest.mark.parametrize("project_type", ["email", "userid", "hybrid"])
def test_the_marts_equal_a_recount_first_and_after_everything_changed(
    project_type: str,
    project: Settings,
    manifest: Manifest,
    warehouse: Warehouse,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    monkeypatch.setattr(dbt, "USERS_PER_SLICE", 15)
    if project_type != "email":
        # once is enough: every row is recounted here, and the models' own tests take as long as the models
        request.getfixturevalue("only_models")
    project = project.model_copy(update={"project_type": project_type})
    chance = random.Random(11)
    world = World(users=30, activity=0.1, start=START, end=HOURS[-1] + HOUR, project_type=project_type)
    complete: Parts = {
        (each.name, hour): [json.loads(line) for line in lines]
        for each in DATA_TYPES
        for hour in HOURS
        if (lines := list(world.records(each.name, Window.of_hour(hour), HOURS[-1] + HOUR)))
    }
    # a person who is known by a user id until they get an address; campaigns that Iterable does not list; no campaign
    complete.setdefault(("emailClick", START), []).extend([
        event(1, userId="solo", campaignId=77, templateId=78, campaignName="Unlisted", url="https://a.example"),
        event(1, userId="solo", campaignId=77, templateId=78, campaignName="Unlisted", url="https://a.example"),
        event(2, email="solo@x.example", campaignId=77, experimentId=5),
        event(3, email="solo@x.example", campaignId="77", templateId=79),
    ])  # fmt: skip
    complete.setdefault(("purchase", START), []).extend([
        event(4, userId="solo", total=10.1),
        event(5, userId="solo", total="20.25", campaignId=77, templateId=78),
        event(6, total=3),
    ])  # fmt: skip
    refresh_objects(world, project, warehouse)

    earlier = {key: records for key, records in complete.items() if key[1] < HOURS[40]}
    late = set(chance.sample(sorted(key for key in earlier if key[0] != "user" and key[1] > START), 40))
    first = {key: records[1:] if key in late else records for key, records in earlier.items()}
    for (data_type, hour), records in first.items():
        land(project, manifest, data_type, hour, records)
    load_all(project, manifest, warehouse, HOURS)
    truth = Truth(list(events_of(first)), users_of(first), answered(warehouse), [], project_type)
    truth.members = on_lists(truth, answered(warehouse)["lists"], chance)
    write_members(warehouse, truth.members)
    run_models(project, warehouse)
    assert_equal(warehouse, truth)
    before = stored(warehouse)

    # late rows, hours with fewer rows or none, another name for somebody, new hours, and profiles that changed
    for data_type, hour in sorted(late):
        land(project, manifest, data_type, hour, complete[data_type, hour], minutes_after=200)
    fewer = chance.sample(sorted(key for key in earlier.keys() - late if key[0] != "user" and key[1] > START), 40)
    for number, (data_type, hour) in enumerate(fewer):
        complete[data_type, hour] = complete[data_type, hour][1:] if number % 2 else []
        land(project, manifest, data_type, hour, complete[data_type, hour], minutes_after=200)
    complete.setdefault(("user", HOURS[45]), []).append(
        {
            "email": "solo@x.example",
            "userId": "solo",
            "itblUserId": "solo",
            "firstName": "Han",
            "profileUpdatedAt": f"{HOURS[45]:%Y-%m-%d %H}:05:00 +00:00",
            "unsubscribedChannelIds": [39581, 1],
            "unsubscribedMessageTypeIds": [47252],
        }
    )
    for (data_type, hour), records in complete.items():
        if hour >= HOURS[40]:
            land(project, manifest, data_type, hour, records)
    load_all(project, manifest, warehouse, HOURS)
    # breaks off between profiles and the counts of campaigns, and is made up for
    run_dbt(project, ["build", "--select", "+user_profiles", "+user_campaign_activity"])
    with warehouse.transaction() as con:
        con.execute(
            "update objects.campaigns set name = 'renamed', _load_id = nextval('streams.load_ids'), "
            'record = json_merge_patch(record, \'{"name": "renamed"}\') where id % 3 = 0'
        )
        con.execute("delete from objects.campaigns where id % 5 = 0")
        con.execute("delete from objects.templates where id % 7 = 0")
        con.execute("update objects.message_types set _gone_at = now() where id % 2 = 0")
    run_models(project, warehouse)

    truth = Truth(
        list(events_of(complete)), users_of(first, complete), answered(warehouse), truth.members, project_type
    )
    assert_equal(warehouse, truth)
    incremental = stored(warehouse)
    assert all(before[mart] != incremental[mart] for mart in before)
    people = {key for key, row in incremental["iterable__users"].items() if "solo" in key}
    assert people == {"solo" if project_type == "userid" else "solo@x.example"}
    run_models(project, warehouse, full_refresh=True)
    assert stored(warehouse) == incremental
