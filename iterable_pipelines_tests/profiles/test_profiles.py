"""Profiles equal a count by brute force, whatever order, repetition or interruption the data came through."""

import json
import random
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import pytest

from iterable_pipelines.data_types import DATA_TYPE, DATA_TYPES, STREAMS
from iterable_pipelines.hours import HOUR, Window, iterate_hours, parse_hour
from iterable_pipelines.landing import Manifest
from iterable_pipelines.profiles import dbt
from iterable_pipelines.profiles.build import run_models
from iterable_pipelines.profiles.dbt import run_dbt
from iterable_pipelines.sandbox import World
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse, load_hours
from iterable_pipelines_tests.landing_by_hand import land
from iterable_pipelines_tests.profiles.recount import Event, recount, whole

START = parse_hour("2026-11-01")
HOURS = list(iterate_hours(START, START + 60 * HOUR))
TABLES = {"campaign": "campaigns", "template": "templates", "workflow": "journeys"}
Parts = dict[tuple[str, datetime], list[dict[str, Any]]]
Names = dict[str, dict[int, str]]


def profiles(warehouse: Warehouse) -> dict[str, dict[str, Any]]:
    """Every profile by its key, without the columns that are the models' own."""
    with warehouse.transaction() as con:
        found = con.execute("select * from profiles.user_profiles")
        columns = [column[0] for column in found.description]
        rows = [dict(zip(columns, row, strict=True)) for row in found.fetchall()]
    assert len({row["user_key"] for row in rows}) == len(rows)
    return {row["user_key"]: {k: v for k, v in row.items() if not k.startswith("_")} for row in rows}


def assert_same(found: dict[str, dict[str, Any]], expected: dict[str, dict[str, Any]]) -> None:
    """Every field of every profile; says which differ, of which only the first few."""
    assert found.keys() == expected.keys()
    different = [
        (key, column, found[key].get(column, "no column"), expected[key].get(column, "no column"))
        for key in found
        for column in found[key].keys() | expected[key].keys()
        if found[key].get(column, "no column") != expected[key].get(column, "no column")
    ]
    assert not different, (len(different), different[:5])


def events_of(parts: Parts) -> Iterable[Event]:
    return ((data_type, each) for (data_type, _), records in parts.items() if data_type != "user" for each in records)


def users_of(*versions: Parts) -> list[dict[str, Any]]:
    return [
        each for parts in versions for (data_type, _), found in parts.items() if data_type == "user" for each in found
    ]


def load_all(project: Settings, manifest: Manifest, warehouse: Warehouse, hours: Iterable[datetime]) -> None:
    for stream in STREAMS:
        load_hours(warehouse, manifest, project, stream.name, hours, "run", log=lambda text: None)


def name_objects(warehouse: Warehouse, names: Names) -> None:
    with warehouse.transaction() as con:
        for kind, table in TABLES.items():
            con.execute(f"delete from objects.{table} where list_contains(?, id)", [list(names[kind])])
            con.executemany(
                f"insert into objects.{table} (id, name, _load_id) values (?, ?, nextval('streams.load_ids'))",
                [[number, name] for number, name in names[kind].items()],
            )


def test_shuffled_repeated_late_and_broken_off_imports_equal_a_recount(
    project: Settings, manifest: Manifest, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dbt, "EVENTS_PER_SLICE", 300)
    monkeypatch.setattr(dbt, "USERS_PER_SLICE", 12)
    monkeypatch.setattr(dbt, "PIECES_PER_SLICE", 500)
    chance = random.Random(7)
    world = World(users=40, activity=0.15, start=START, end=HOURS[-1] + HOUR)

    def exported(hours: Iterable[datetime], visible_at: datetime) -> Parts:
        return {
            (each.name, hour): [json.loads(line) for line in lines]
            for each in DATA_TYPES
            for hour in hours
            if (lines := list(world.records(each.name, Window.of_hour(hour), visible_at)))
        }

    complete = exported(HOURS, HOURS[-1] + HOUR)
    assert {data_type for data_type, _ in complete} == set(DATA_TYPE)
    earlier_users = {key: found for key, found in exported(HOURS[:40], HOURS[40]).items() if key[0] == "user"}
    late = set(chance.sample(sorted(key for key in complete if key[0] != "user"), 60))
    emptied = {key for key in complete if key[1] == HOURS[5] and key[0] != "user"}
    ids = {
        kind: sorted({found for _, record in events_of(complete) if (found := whole(record, f"{kind}Id")) is not None})
        for kind in TABLES
    }
    names = {kind: {number: f"{kind} {number}" for number in numbers} for kind, numbers in ids.items()}
    name_objects(warehouse, {kind: dict(list(named.items())[::2]) for kind, named in names.items()})

    for (data_type, hour), records in complete.items():
        if data_type != "user":
            land(project, manifest, data_type, hour, records[1:] if (data_type, hour) in late else records)
    for (data_type, hour), records in earlier_users.items():
        land(project, manifest, data_type, hour, records)

    # the newest hours come last, so that hours leave the tail between the builds
    shuffled = chance.sample(HOURS[:50], 50)
    load_all(project, manifest, warehouse, shuffled[:25])
    run_models(project, warehouse)
    name_objects(warehouse, names)
    load_all(project, manifest, warehouse, [*shuffled[:5], *shuffled[25:45]])
    # breaks off after the first of the two tables that grow
    run_dbt(project, ["build", "--select", "+user_activity_hourly"])
    for data_type, hour in sorted(late):
        land(project, manifest, data_type, hour, complete[data_type, hour], minutes_after=200)
    load_all(project, manifest, warehouse, [*shuffled, *HOURS[50:55]])
    # and here after the second
    run_dbt(project, ["build", "--select", "+user_base"])
    load_all(project, manifest, warehouse, HOURS[55:])
    run_models(project, warehouse)

    for data_type, hour in sorted(emptied):
        land(project, manifest, data_type, hour, [], minutes_after=200)
        del complete[data_type, hour]
    for (data_type, hour), records in complete.items():
        if data_type == "user":
            land(project, manifest, data_type, hour, records, minutes_after=240)
    names["campaign"] = {number: f"renamed {number}" for number in names["campaign"]}
    name_objects(warehouse, names)
    load_all(project, manifest, warehouse, HOURS)
    run_models(project, warehouse)

    incremental = profiles(warehouse)
    assert_same(incremental, recount(events_of(complete), users_of(earlier_users, complete), names))
    monkeypatch.setattr(dbt, "EVENTS_PER_SLICE", 10**9)
    monkeypatch.setattr(dbt, "USERS_PER_SLICE", 10**9)
    monkeypatch.setattr(dbt, "PIECES_PER_SLICE", 10**9)
    run_models(project, warehouse, full_refresh=True)
    assert_same(incremental, profiles(warehouse))


def test_links_appear_late_and_custom_fields_become_columns(
    project: Settings, manifest: Manifest, warehouse: Warehouse
) -> None:
    project = project.model_copy(update={"profile_fields": {"plan": "Plan", "odd": 'a.b/c\'d "e"'}})

    def event(minute: int, **fields: object) -> dict[str, Any]:
        return {"createdAt": f"2026-11-01 00:{minute:02d}:00 +00:00", **fields}

    def user(hour: int, **fields: object) -> dict[str, Any]:
        return {"profileUpdatedAt": f"2026-11-01 {hour:02d}:00:00 +00:00", **fields}

    opens = [
        event(1, userId="u1", campaignId="123", campaignName=None),
        event(2, email=" Ann@Old.example ", itblUserId="i1", campaignId=123),
        event(3, email='"str@nger"@x.example', userId="shared"),
        event(4, userId="shared"),
        {"userId": "u1", "createdAt": None, "campaignId": "no number"},
        {"createdAt": "2026-11-01 00:05:00 +0000"},
    ]
    pushes = [
        event(6, email="ann@old.example", deeplink={"ios": "app://b"}, experience_id="x"),
        event(6, email="ann@old.example", deeplink={"android": "app://c"}, experience_id="", campaignId="12"),
        {"email": "ann@old.example", "createdAt": "2026-11-01T02:07:00.134105.000+02:00", "messageId": "m"},
    ]
    parts: Parts = {("emailOpen", START): opens, ("pushSend", START): pushes}
    users = [user(0, email="Ann@old.example", itblUserId="i1", Plan="Pro")]
    land(project, manifest, "user", START, users)
    for (data_type, hour), records in parts.items():
        land(project, manifest, data_type, hour, records)
    load_all(project, manifest, warehouse, [START])
    run_models(project, warehouse)
    names: Names = {"campaign": {}, "template": {}, "workflow": {}}
    fields = project.profile_fields
    assert_same(profiles(warehouse), recount(events_of(parts), users, names, profile_fields=fields))

    # the address changes, the userId becomes known, and two others share theirs
    changed = [
        user(1, email="ann@new.example", userId="u1", itblUserId="i1", Plan={"name": "Team"}, **{'a.b/c\'d "e"': 7}),
        user(1, email="one@x.example", userId="shared"),
        user(1, email="two@x.example", userId="shared"),
    ]
    land(project, manifest, "user", START + HOUR, changed)
    load_all(project, manifest, warehouse, [START + HOUR])
    run_models(project, warehouse)
    found = profiles(warehouse)
    assert_same(found, recount(events_of(parts), users + changed, names, profile_fields=fields))
    assert found["ann@new.example"]["it_email_openct"] == 3
    assert found["ann@new.example"]["it_push_deeplink"] == "app://c"
    assert found.keys() == {"ann@new.example", "one@x.example", "two@x.example", "shared", '"str@nger"@x.example'}
