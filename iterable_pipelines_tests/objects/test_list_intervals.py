"""Intervals against a brute-force model, for any row of readings, failures, vanishings and repetitions."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iterable_pipelines.api import Broken, Refused
from iterable_pipelines.hours import HOUR, parse_hour
from iterable_pipelines.landing import Manifest
from iterable_pipelines.objects.list_members.from_users import follow_users
from iterable_pipelines.objects.list_members.read import Reading
from iterable_pipelines.objects.list_members.store import Try, store_tries
from iterable_pipelines.objects.list_members.tables import READING, MemberList, State, load_lists
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse, load_hours
from iterable_pipelines_tests.kept_open import kept_open
from iterable_pipelines_tests.landing_by_hand import land

T0 = parse_hour("2026-11-01")
KEYS = ("a@b.c", "b@b.c", "c@b.c", "d@b.c", "e@b.c")
BRISK = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))

Interval = list[object]  # user key, joined, left


@pytest.fixture
def warehouse(warehouse: Warehouse) -> Iterator[Warehouse]:
    """The `warehouse` of all tests, kept open: an example looks into it dozens of times."""
    with kept_open(warehouse):
        yield warehouse


@dataclass
class Model:
    """What the table should hold, kept the slow way."""

    intervals: dict[int, list[Interval]] = field(default_factory=dict)
    newest: dict[int, datetime] = field(default_factory=dict)

    def show(self, list_id: int, keys: Sequence[str], at: datetime) -> None:
        """A complete reading."""
        if at <= self.newest.get(list_id, at - HOUR):
            return
        self.newest[list_id] = at
        rows = self.intervals.setdefault(list_id, [])
        for row in rows:
            if row[2] is None and row[0] not in keys:
                row[2] = at
        there = {row[0] for row in rows if row[2] is None}
        rows += [[key, at, None] for key in set(keys) - there]

    def rows(self) -> list[tuple[object, ...]]:
        return as_stored((list_id, *row) for list_id, rows in self.intervals.items() for row in rows)


def as_stored(rows: Iterable[Sequence[object]]) -> list[tuple[object, ...]]:
    plain = [tuple(each.replace(tzinfo=None) if isinstance(each, datetime) else each for each in row) for row in rows]
    return sorted(plain, key=lambda row: row[:3])  # type: ignore[return-value, arg-type]


def stored(warehouse: Warehouse) -> list[tuple[object, ...]]:
    return warehouse.read("select list_id, user_key, joined_at, left_at from objects.list_members order by 1, 2, 3")


def empty(warehouse: Warehouse) -> None:
    """As good as new, and in a tenth of the time."""
    with warehouse.transaction() as con:
        for table in ("list_members", "list_states", "list_users_seen", "lists"):
            con.execute(f"delete from objects.{table}")
        for table in ("iterable_users", "loads"):
            con.execute(f"delete from streams.{table}")


readings = st.tuples(
    st.just("reading"), st.sampled_from([1, 2]), st.integers(-3, 30), st.lists(st.sampled_from(KEYS), max_size=7)
)
failures = st.tuples(st.just("failure"), st.sampled_from([1, 2]), st.integers(0, 30), st.just([]))
vanishings = st.tuples(st.just("gone"), st.sampled_from([1, 2]), st.integers(0, 30), st.just([]))


@BRISK
@given(batches=st.lists(st.lists(st.one_of(readings, readings, failures, vanishings), max_size=2), max_size=10))
def test_readings_of_any_kind_in_any_order(
    warehouse: Warehouse, batches: list[list[tuple[str, int, int, list[str]]]]
) -> None:
    empty(warehouse)
    model, clock = Model(), T0
    states = {each: MemberList("", None, False, State(each, READING, T0)) for each in (1, 2)}
    with TemporaryDirectory() as folder:
        for batch in batches:
            tries = []
            for kind, list_id, minutes, keys in {each[1]: each for each in batch}.values():
                # a reading that another process has overtaken is older than what is stored
                at = clock + timedelta(minutes=minutes)
                if kind == "reading":
                    file = Path(folder) / f"{list_id}.txt"
                    file.write_text("".join(f"{key.upper()} \n" for key in keys))
                    tries.append(Try(states[list_id], at, Reading(file, at, 1.0, len(keys), "", True)))
                    model.show(list_id, keys, at)
                elif kind == "gone":
                    gone = Refused("error.lists.invalidListId(1)", 400, "Success")
                    tries.append(Try(states[list_id], at, gone))
                    model.show(list_id, [], at)
                else:
                    tries.append(Try(states[list_id], at, Broken("HTTP 500", 500)))
            for each in store_tries(warehouse, "email", tries):
                states[each.id] = each
            # the same once more changes nothing
            assert store_tries(warehouse, "email", [t for t in tries if isinstance(t.result, Reading)]) == []
            clock += timedelta(minutes=20)
        naive = [
            tuple(each.replace(tzinfo=None) if isinstance(each, datetime) else each for each in row)
            for row in model.rows()
        ]
        assert stored(warehouse) == naive
        for list_id, each in states.items():
            assert each.state.members == sum(row[2] is None for row in model.intervals.get(list_id, []))


versions = st.fixed_dictionaries(
    {
        "hour": st.integers(0, 3),
        "who": st.integers(0, 3),
        "lists": st.lists(st.sampled_from([10, 11, 12]), unique=True, max_size=3),
    }
)


@BRISK
@given(
    people=st.lists(versions, max_size=12, unique_by=lambda each: (each["hour"], each["who"])),
    order=st.lists(st.integers(0, 3), max_size=4),
    project_type=st.sampled_from(["email", "userid", "hybrid"]),
)
def test_static_lists_follow_the_newest_record_whatever_hours_are_run_again(
    warehouse: Warehouse, people: list[dict], order: list[int], project_type: str
) -> None:
    empty(warehouse)
    with TemporaryDirectory() as folder:
        project = Settings(api_key="k", data_dir=Path(folder) / "data", start_date=T0, project_type=project_type)
        manifest = Manifest(project.landing_dir)
        for list_id in (10, 11, 12):
            warehouse.read("insert into objects.lists (id, list_type) values (?, 'Standard')", [list_id])
        by_hour: dict[int, list[dict]] = {}
        for each in people:
            by_hour.setdefault(each["hour"], []).append(each)
        for hour, those in by_hour.items():
            land(project, manifest, "user", T0 + hour * HOUR, [record(each, project_type) for each in those])
        open_now: dict[tuple[int, str], datetime] = {}
        closed: list[tuple[object, ...]] = []
        newest: dict[int, dict] = {}
        for hour in [*order, *range(4)]:
            load_hours(warehouse, manifest, project, "iterable_users", [T0 + hour * HOUR], "run", log=unheard)
            for each in by_hour.get(hour, []):
                if each["hour"] >= newest.get(each["who"], each)["hour"]:
                    newest[each["who"]] = each
            follow(warehouse, project)
            wanted = {
                (list_id, key(each, project_type)): T0 + each["hour"] * HOUR
                for each in newest.values()
                for list_id in each["lists"]
            }
            moments = {key(each, project_type): T0 + each["hour"] * HOUR for each in newest.values()}
            for member in set(open_now) - set(wanted):
                closed.append((*member, open_now.pop(member), moments[member[1]]))
            for member in set(wanted) - set(open_now):
                open_now[member] = wanted[member]
        expected = [*closed, *((*member, joined, None) for member, joined in open_now.items())]
        naive = [
            tuple(each.replace(tzinfo=None) if isinstance(each, datetime) else each for each in row) for row in expected
        ]
        assert stored(warehouse) == sorted(naive, key=lambda row: row[:3])
        # everything once more, from the beginning
        before = stored(warehouse)
        warehouse.read("delete from objects.list_users_seen")
        follow(warehouse, project)
        assert stored(warehouse) == before


def unheard(text: str) -> None:
    """Nobody reads what is logged here."""


def follow(warehouse: Warehouse, project: Settings, moment: datetime = T0 + 9 * HOUR) -> None:
    with warehouse.transaction() as con:
        follow_users(con, load_lists(con, project, moment), moment)


def key(each: dict, project_type: str) -> str:
    return f"U{each['who']}" if project_type == "userid" else f"user{each['who']}@b.c"


def record(each: dict, project_type: str) -> dict:
    """A user as exported, with the fields of its project type (api.md 1.8)."""
    return {
        "email": f" User{each['who']}@b.c",
        "userId": f"U{each['who']}",
        "profileUpdatedAt": f"{T0 + each['hour'] * HOUR:%Y-%m-%d %H:%M:%S} +00:00",
        "emailListIds" if project_type == "email" else "userListIds": each["lists"],
    }


def test_who_has_no_record_any_more_leaves_when_that_is_noticed(
    project: Settings, manifest: Manifest, warehouse: Warehouse
) -> None:
    warehouse.read("insert into objects.lists (id, list_type) values (10, 'Standard')")
    old, new = ({"email": f"{name}@b.c", "itblUserId": "i1", "emailListIds": [10]} for name in ("old", "new"))
    for hour, person in enumerate((old, new)):
        stamp = f"2026-11-01 {hour:02d}:00:00 +00:00"
        land(project, manifest, "user", T0 + hour * HOUR, [person | {"profileUpdatedAt": stamp}])
        load_hours(warehouse, manifest, project, "iterable_users", [T0 + hour * HOUR], "run", log=unheard)
        follow(warehouse, project)
    at = [(T0 + hours * HOUR).replace(tzinfo=None) for hours in (0, 1, 9)]
    assert stored(warehouse) == [(10, "new@b.c", at[1], None), (10, "old@b.c", at[0], at[2])]


def test_an_empty_table_of_users_takes_nobody_off_a_list(
    project: Settings, manifest: Manifest, warehouse: Warehouse
) -> None:
    warehouse.read("insert into objects.lists (id, list_type) values (10, 'Standard')")
    person = {"email": "a@b.c", "emailListIds": [10], "profileUpdatedAt": "2026-11-01 00:00:00 +00:00"}
    land(project, manifest, "user", T0, [person])
    load_hours(warehouse, manifest, project, "iterable_users", [T0], "run", log=unheard)
    follow(warehouse, project)
    before = stored(warehouse)
    warehouse.read("delete from streams.iterable_users")
    follow(warehouse, project)
    assert stored(warehouse) == before != []


def test_a_static_list_that_is_asked_for_from_now_on_keeps_its_members(
    project: Settings, manifest: Manifest, warehouse: Warehouse
) -> None:
    warehouse.read("insert into objects.lists (id, list_type) values (10, 'Standard'), (11, 'Standard')")
    person = {"email": "a@b.c", "emailListIds": [10, "11", None, "x"], "profileUpdatedAt": "2026-11-01 00:00:00 +00:00"}
    land(project, manifest, "user", T0, [person])
    load_hours(warehouse, manifest, project, "iterable_users", [T0], "run", log=unheard)
    follow(warehouse, project)
    before = stored(warehouse)
    assert [row[:2] for row in before] == [(10, "a@b.c"), (11, "a@b.c")]
    asked = project.model_copy(update={"dynamic_lists": (10,)})
    follow(warehouse, asked)
    assert stored(warehouse) == before
    # the reading says otherwise, and counts from then on; the other list still follows the record
    file = project.data_dir / "list.txt"
    file.write_text("")
    with warehouse.transaction() as con:
        (each,) = [each for each in load_lists(con, asked, T0) if each.id == 10]
    at = T0 + 12 * HOUR
    store_tries(warehouse, "email", [Try(each, at, Reading(file, at, 1.0, 0, "", True))])
    follow(warehouse, asked)
    assert stored(warehouse) == [(*before[0][:3], at.replace(tzinfo=None)), before[1]]
    # and back: the record counts again
    follow(warehouse, project)
    assert [row[:2] for row in stored(warehouse) if row[3] is None] == [(10, "a@b.c"), (11, "a@b.c")]
