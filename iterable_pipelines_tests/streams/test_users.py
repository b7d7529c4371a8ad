"""Users merge: whatever the order of the hours, the newest version of each identity stays."""

import itertools
import json
import random

import pytest

from iterable_pipelines.hours import HOUR, parse_hour
from iterable_pipelines.landing import Manifest
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse, load_hours
from iterable_pipelines_tests.landing_by_hand import land

H0 = parse_hour("2026-11-01T00")


def user(hour: int, minute: int = 0, **fields: object) -> dict:
    return {"profileUpdatedAt": f"2026-11-01 {hour:02d}:{minute:02d}:00 +00:00", **fields}


def load(project: Settings, manifest: Manifest, warehouse: Warehouse, hours: list[int]) -> None:
    for hour in hours:
        load_hours(warehouse, manifest, project, "iterable_users", [H0 + hour * HOUR], "run")


def users(warehouse: Warehouse, columns: str = "user_key, record::varchar") -> list[tuple]:
    return sorted(warehouse.read(f"select {columns} from streams.iterable_users where _current"), key=str)


def test_an_old_hour_never_takes_a_user_back(project: Settings, manifest: Manifest, warehouse: Warehouse) -> None:
    land(project, manifest, "user", H0, [user(0, email="a@b.c", plan="old"), user(0, email="other@b.c")])
    land(project, manifest, "user", H0 + 2 * HOUR, [user(2, email="A@b.c", plan="new")])
    load(project, manifest, warehouse, [2, 0, 2, 0])
    assert users(warehouse, "user_key, record->>'plan'") == [("a@b.c", "new"), ("other@b.c", None)]


def test_a_user_that_moved_out_of_an_old_hour_stays(
    project: Settings, manifest: Manifest, warehouse: Warehouse
) -> None:
    land(project, manifest, "user", H0, [user(0, email="a@b.c"), user(0, email="b@b.c")])
    load(project, manifest, warehouse, [0])
    land(project, manifest, "user", H0, [user(0, email="b@b.c")], minutes_after=200)
    load(project, manifest, warehouse, [0])
    assert [key for key, _ in users(warehouse)] == ["a@b.c", "b@b.c"]


def test_a_changed_email_is_the_same_person(project: Settings, manifest: Manifest, warehouse: Warehouse) -> None:
    land(project, manifest, "user", H0, [user(0, email="old@b.c", itblUserId="i1")])
    land(project, manifest, "user", H0 + HOUR, [user(1, email="new@b.c", itblUserId="i1")])
    load(project, manifest, warehouse, [1, 0])
    assert [key for key, _ in users(warehouse)] == ["new@b.c"]


def test_an_address_that_moved_to_another_person_has_one_current_row(
    project: Settings, manifest: Manifest, warehouse: Warehouse
) -> None:
    land(project, manifest, "user", H0, [user(0, email="x@b.c", itblUserId="i1")])
    land(project, manifest, "user", H0 + HOUR, [user(1, email="x@b.c", itblUserId="i2")])
    load(project, manifest, warehouse, [0, 1])
    assert users(warehouse, "user_key, itbl_user_id") == [("x@b.c", "i2")]


def test_dotted_keys_and_fallback_names_are_read(project: Settings, manifest: Manifest, warehouse: Warehouse) -> None:
    record = user(0, userId="u1", last_name="Smith", timeZone="UTC", **{"itblInternal.emailDomain": "b.c"})
    land(project, manifest, "user", H0, [record])
    load(project, manifest, warehouse, [0])
    columns = "user_key, last_name, timezone, email_domain, record::varchar"
    assert users(warehouse, columns) == [("u1", "Smith", "UTC", "b.c", json.dumps(record))]


@pytest.mark.parametrize("seed", range(4))
def test_any_order_of_hours_gives_the_same_table(
    project: Settings, manifest: Manifest, warehouse: Warehouse, seed: int
) -> None:
    chance = random.Random(seed)
    for hour in range(6):
        emails = chance.sample("abcdef", 4)
        people = [
            user(hour, n, email=f"{letter}@b.c", **({"itblUserId": f"i{chance.randrange(5)}"} if n % 2 else {}), v=hour)
            for n, letter in enumerate(emails)
        ]
        land(project, manifest, "user", H0 + hour * HOUR, people)
    columns = "user_key, itbl_user_id, record::varchar, _current"
    tables = []
    for order in (range(6), chance.sample(range(6), 6), itertools.chain(range(3, 6), range(6))):
        warehouse.read("delete from streams.iterable_users")
        warehouse.read("delete from streams.loads")
        load(project, manifest, warehouse, list(order))
        tables.append(sorted(warehouse.read(f"select {columns} from streams.iterable_users"), key=str))
    assert tables[0] == tables[1] == tables[2]
    keys = [row[0] for row in tables[0] if row[3]]
    assert len(keys) == len(set(keys))
