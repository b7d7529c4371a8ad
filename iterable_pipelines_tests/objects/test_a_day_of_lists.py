"""Five hundred lists, five requests a minute, one day, through real sockets: nothing is late and the plan was right."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from iterable_pipelines import database
from iterable_pipelines.api import LIMITS, Ledger, ledger
from iterable_pipelines.hours import HOUR
from iterable_pipelines.objects.list_members import order
from iterable_pipelines.objects.list_members import turn as turns
from iterable_pipelines.objects.list_members.order import TURN_EVERY, Plan, plan_lists
from iterable_pipelines.objects.list_members.tables import READING, MemberList
from iterable_pipelines.sandbox import World, limits
from iterable_pipelines_tests.objects.list_turns import START, Lists, lists_of
from iterable_pipelines_tests.objects.stopped_time import StoppedTime

GET_USERS = "/api/lists/getUsers"
DAY = 24 * HOUR


class TimedWorld(World):
    """A world that lives by a clock of ours, and notes when it was asked for a list."""

    def __init__(self, clock: StoppedTime, **options: Any) -> None:
        super().__init__(**options)
        self.clock, self.stands_at = clock, START
        self.asked: dict[int, list[datetime]] = {}
        self.noting = False

    def now(self) -> datetime:
        return self.clock.now() if self.noting else self.stands_at

    def members(self, list_id: int) -> list[tuple[str | None, str | None]] | None:
        self.asked.setdefault(list_id, []).append(self.now())
        return super().members(list_id)


@dataclass
class Day:
    """A day as it went: `asked` are the moments at which the sandbox was asked for each list, or for its size."""

    lists: list[MemberList]
    asked: dict[int, list[datetime]]
    plans: list[tuple[datetime, Plan]]
    statuses: set[int | None]
    wrong: list[int]


@pytest.fixture(scope="module")
def day() -> Iterator[Day]:
    clock = StoppedTime(START)
    world = TimedWorld(clock, users=20, start=START - timedelta(days=200), more_lists=499)
    read_list = turns.read_list

    def working(*arguments: Any) -> Any:
        with clock.working():
            return read_list(*arguments)

    with pytest.MonkeyPatch.context() as patched, lists_of(world, pace=1.0) as project:
        project.ledger = Ledger(project.settings.data_dir / "another.db")
        for module in (database, ledger, limits):
            patched.setattr(module, "time", clock)
        patched.setattr(turns, "read_list", working)
        # answers take no time here, and everybody who waits for the budget has to be woken
        for module in (turns, order):
            patched.setattr(module, "READERS", 2)
        world.noting = True
        yield a_day(project, world, clock)


def a_day(project: Lists, world: TimedWorld, clock: StoppedTime) -> Day:
    plans: list[tuple[datetime, Plan]] = []
    with project.warehouse.transaction() as con:
        lists = turns.load_lists(con, project.settings, START)
    for number in range(DAY // TURN_EVERY):
        moment = START + number * TURN_EVERY
        clock.go_to(moment)
        plans.append((moment, plan_lists(lists, moment, LIMITS["list users"])))
        turn = turns.take_turn(project.connect, project.warehouse, project.settings, lambda text: None, clock.now)
        lists = list(turn.lists.values())
    statuses = {each.status for path in (GET_USERS, "/api/lists/9") for each in project.sandbox.requests(path)}
    asked = {list_id: sorted(moments) for list_id, moments in world.asked.items()}
    lists = [each for each in lists if each.state.known_by == READING]
    world.noting, wrong = False, []
    for each in lists:
        world.stands_at = each.state.read_at or START
        if project.truth(each.id) != project.now_on(each.id):
            wrong.append(each.id)
    return Day(lists, asked, plans, statuses, wrong)


def test_the_budget_is_never_passed(day: Day) -> None:
    assert day.statuses == {200}


def test_every_list_is_read_and_those_in_live_campaigns_are_never_an_hour_old(day: Day) -> None:
    live = [each for each in day.lists if each.live]
    assert (len(day.lists), len(live)) == (500, 42)
    assert {each.id for each in day.lists} <= set(day.asked)
    ages = [later - earlier for each in live for earlier, later in pairwise([START, *day.asked[each.id], START + DAY])]
    assert max(ages) < HOUR


def test_what_was_planned_is_what_happened(day: Day) -> None:
    told = 0
    for moment, plan in day.plans:
        # shorter ones are over within the minute in which all five go at once
        if plan.done_at - moment < HOUR / 3 or plan.done_at > START + DAY:
            continue
        done_at = max(next(each for each in day.asked[list_id] if each >= moment) for list_id in plan.turns)
        assert abs(done_at - plan.done_at) <= 0.1 * (plan.done_at - moment)
        told += 1
    assert told > 5


def test_who_is_on_a_list_is_who_was_when_it_was_read(day: Day) -> None:
    assert day.wrong == []
