"""Replay: from the landing files alone the same tables come about, and the content hash would tell if not."""

import random
import shutil
from pathlib import Path

import pytest

from iterable_pipelines.hours import HOUR, Window, parse_hour
from iterable_pipelines.landing import Manifest
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse, content_of, load_hours, replay
from iterable_pipelines_tests.kept_open import kept_open
from iterable_pipelines_tests.landing_by_hand import land

H0 = parse_hour("2026-11-01T00")
HOURS = [H0 + n * HOUR for n in range(6)]
EVENTS, USERS = "iterable_activity", "iterable_users"
TABLE, USER_TABLE = f"streams.{EVENTS}", f"streams.{USERS}"


def event(hour: int, minute: int, **fields: object) -> dict:
    return {"createdAt": f"2026-11-01 {hour:02d}:{minute:02d}:00 +00:00", "email": "a@b.c", **fields}


def user(hour: int, email: str, **fields: object) -> dict:
    return {"profileUpdatedAt": f"2026-11-01 {hour:02d}:00:00 +00:00", "email": email, **fields}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with hours of events and of users, some of which came late, moved on or were deleted in between."""
    project = Settings(api_key="sandbox", data_dir=tmp_path_factory.mktemp("prepared"), start_date=H0)
    manifest, warehouse = Manifest(project.landing_dir), Warehouse(project.warehouse_path, project.published_path)
    chance = random.Random(3)

    def load(stream: str) -> None:
        load_hours(warehouse, manifest, project, stream, HOURS, "run", log=lambda text: None)

    with kept_open(warehouse):
        warehouse.prepare()
        for number, hour in enumerate(HOURS):
            twins = [event(number, 1), dict(reversed(event(number, 1).items())), {**event(number, 1), "ip": None}]
            land(project, manifest, "emailOpen", hour, [*twins, event(number, 2)])
            land(project, manifest, "emailClick", hour, [event(number, 3)])
            land(project, manifest, "user", hour, [user(number, f"{number}@b.c"), user(number, "moves@b.c", at=number)])
            load(USERS)
        load(EVENTS)
        for number, hour in enumerate(HOURS[:4]):
            late = [*twins_of(number, chance), event(number, 2), event(number, 59)]
            land(project, manifest, "emailOpen", hour, late, minutes_after=200)
            # who moved on is no longer in the hour, and one was deleted
            land(project, manifest, "user", hour, [user(number, f"{number}@b.c")] if number else [], minutes_after=200)
            load(USERS)
        load(EVENTS)
    return project.data_dir


@pytest.fixture(autouse=True)
def loaded(project: Settings, prepared: Path) -> None:
    """The data folder of each test begins as a copy of the prepared one."""
    shutil.copytree(prepared, project.data_dir)


@pytest.fixture
def warehouse(project: Settings, loaded: None) -> Warehouse:
    return Warehouse(project.warehouse_path, project.published_path, wait_seconds=1)


def twins_of(number: int, chance: random.Random) -> list[dict]:
    twins = [event(number, 1), dict(reversed(event(number, 1).items())), {**event(number, 1), "ip": None}]
    return chance.sample(twins, 3)


def rows(warehouse: Warehouse, table: str) -> list[tuple]:
    return sorted(
        warehouse.read(f"select columns(lambda c: c not in ('_loaded_at', '_load_id', '_fetched_at')) from {table}"),
        key=str,
    )


def again(
    project: Settings, manifest: Manifest, warehouse: Warehouse, stream: str = EVENTS, window: Window | None = None
) -> int:
    return replay(warehouse, manifest, project, stream, window, log=lambda text: None)


def test_the_same_rows_come_about(project: Settings, manifest: Manifest, warehouse: Warehouse) -> None:
    before = content_of(warehouse, [TABLE, USER_TABLE])
    found = rows(warehouse, TABLE), rows(warehouse, USER_TABLE)
    assert again(project, manifest, warehouse) == before[TABLE].rows == 34
    # everybody is there once, with those who were deleted since
    assert again(project, manifest, warehouse, USERS) == before[USER_TABLE].rows == 7
    assert (rows(warehouse, TABLE), rows(warehouse, USER_TABLE)) == found
    assert content_of(warehouse, [TABLE, USER_TABLE]) == before


def test_a_window_leaves_all_other_hours_alone(project: Settings, manifest: Manifest, warehouse: Warehouse) -> None:
    stamps = "select _hour, min(_load_id), max(_load_id) from streams.iterable_activity group by 1 order by 1"
    before, content = warehouse.read(stamps), content_of(warehouse, [TABLE])
    assert again(project, manifest, warehouse, window=Window(HOURS[1], HOURS[3])) == 12
    after = warehouse.read(stamps)
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, False, False, True, True, True]
    assert content_of(warehouse, [TABLE]) == content


@pytest.mark.parametrize(
    "tampering",
    [
        "update {table} set email = 'x@b.c' where _hour = '2026-11-01 01:00:00'",
        "update {table} set record = json '{{}}' where _hour = '2026-11-01 01:00:00'",
        "delete from {table} where _hour = '2026-11-01 01:00:00' and data_type = 'emailClick'",
        "insert into {table} select * from {table} where _hour = '2026-11-01 01:00:00'",
        "insert into {table} select * replace (timestamp '2026-11-01 09:00:00' as _hour) from {table} limit 1",
    ],
)
def test_what_was_tampered_with_shows_in_the_hash_and_is_repaired(
    project: Settings, manifest: Manifest, warehouse: Warehouse, tampering: str
) -> None:
    content = content_of(warehouse, [TABLE])
    warehouse.read(tampering.format(table=TABLE))
    assert content_of(warehouse, [TABLE])[TABLE].hash != content[TABLE].hash
    again(project, manifest, warehouse)
    assert content_of(warehouse, [TABLE]) == content


def test_users_that_were_tampered_with_are_repaired(
    project: Settings, manifest: Manifest, warehouse: Warehouse
) -> None:
    content = content_of(warehouse, [USER_TABLE])
    # newer than all that landed: no merge would take it back
    warehouse.read(f"update {USER_TABLE} set profile_updated_at = '2099-01-01', city = 'Rome' where email = '1@b.c'")
    warehouse.read(f"delete from {USER_TABLE} where email = '2@b.c'")
    assert content_of(warehouse, [USER_TABLE]) != content
    again(project, manifest, warehouse, USERS)
    assert content_of(warehouse, [USER_TABLE]) == content


@pytest.mark.parametrize("stream", [EVENTS, USERS])
def test_a_crash_leaves_whole_tables(
    project: Settings, manifest: Manifest, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, stream: str
) -> None:
    class Crash(Exception):
        pass

    def crash(point: str) -> None:
        if point == "before_commit":
            raise Crash

    content, log = content_of(warehouse, [TABLE, USER_TABLE]), rows(warehouse, "streams.loads")
    with monkeypatch.context() as patch:
        patch.setattr("iterable_pipelines.streams.load.crashpoint", crash)
        with pytest.raises(Crash):
            again(project, manifest, warehouse, stream)
    assert content_of(warehouse, [TABLE, USER_TABLE]) == content
    assert rows(warehouse, "streams.loads") == log
    again(project, manifest, warehouse, stream)
    assert content_of(warehouse, [TABLE, USER_TABLE]) == content


def test_users_have_no_hours_of_their_own(project: Settings, manifest: Manifest, warehouse: Warehouse) -> None:
    with pytest.raises(ValueError, match="merged over all hours"):
        again(project, manifest, warehouse, USERS, Window(HOURS[0], HOURS[1]))


def test_nothing_landed_is_nothing_loaded(project: Settings, manifest: Manifest, warehouse: Warehouse) -> None:
    empty = "iterable_rcs_activity"
    assert again(project, manifest, warehouse, empty) == 0
    assert content_of(warehouse, [f"streams.{empty}", "profiles.user_profiles"]).keys() == {
        f"streams.{empty}", "profiles.user_profiles",
    }  # fmt: skip
    with manifest.connection() as con:
        con.execute("delete from parts where data_type = 'user'")
    assert again(project, manifest, warehouse, USERS) == 0


@pytest.mark.parametrize("table", [TABLE, USER_TABLE])
def test_the_hash_sees_every_column_and_no_order(warehouse: Warehouse, table: str) -> None:
    with kept_open(warehouse):
        content = content_of(warehouse, [table])
        columns = [name for name, *_ in warehouse.read(f"describe {table}")]
        seen = set()
        for name in columns:
            with warehouse.transaction() as con:
                con.execute(f"create or replace table {table} as select * from {table} order by random()")
            kept = warehouse.read(f"select rowid, {name}::varchar from {table} order by rowid limit 1")[0]
            warehouse.read(
                f"update {table} set {name} = case when {name} is null then '1' when typeof({name}) = 'TIMESTAMP' "
                f"then '1999-01-01' when typeof({name}) = 'BOOLEAN' then 'false' else '17' end where rowid = {kept[0]}"
                if name not in ("created_at", "profile_updated_at", "signup_date")
                else f"update {table} set {name} = timestamp '1999-01-01' where rowid = {kept[0]}"
            )
            if content_of(warehouse, [table])[table].hash != content[table].hash:
                seen.add(name)
            warehouse.read(f"update {table} set {name} = ? where rowid = {kept[0]}", [kept[1]])
            assert content_of(warehouse, [table]) == content
        assert set(columns) - seen == {"_loaded_at", "_load_id"} | ({"_fetched_at"} & set(columns))
