"""Whose turn it is, and what that adds up to: pure, on made-up lists."""

from dataclasses import replace
from datetime import timedelta

import pytest

from iterable_pipelines.api import LIMITS
from iterable_pipelines.hours import HOUR, parse_hour
from iterable_pipelines.objects.list_members.order import Queue, due_at, plan_lists
from iterable_pipelines.objects.list_members.tables import NOTHING, READING, USERS, MemberList, State

T0 = parse_hour("2026-11-01")
LIMIT = LIMITS["list users"]
MINUTE = timedelta(minutes=1)


def a_list(list_id: int, live: bool = False, known_by: str = READING, **state: object) -> MemberList:
    return MemberList(f"list {list_id}", "Dynamic", live, State(list_id, known_by, T0, **state))  # type: ignore[arg-type]


def order_of(lists: list[MemberList], moment: object = T0) -> list[int]:
    queue, order = Queue(lists), []
    while each := queue.take(moment):  # type: ignore[arg-type]
        order.append(each.id)
    return order


def test_live_lists_first_then_those_never_read_then_the_stalest() -> None:
    lists = [
        a_list(1, read_at=T0 - 5 * HOUR),
        a_list(2),
        a_list(3, live=True, read_at=T0 - 30 * MINUTE),
        a_list(4, read_at=T0 - 6 * HOUR),
        a_list(5, live=True, read_at=T0 - 40 * MINUTE),
        a_list(6, live=True),
        a_list(7, known_by=USERS),
        a_list(8, known_by=NOTHING),
        a_list(9, live=True, read_at=T0 - 10 * MINUTE),
    ]
    assert order_of(lists) == [6, 5, 3, 2, 4, 1]


def test_others_rest_until_all_had_their_turn_with_a_third_of_the_budget() -> None:
    each = a_list(1, read_at=T0)
    assert due_at(each, others=40) == T0 + 25 * MINUTE
    assert due_at(each, others=500) == T0 + 300 * MINUTE
    assert due_at(replace(each, live=True), others=500) == T0 + 25 * MINUTE
    many = [a_list(number, read_at=T0 - 2 * HOUR) for number in range(500)]
    assert order_of(many) == []
    assert order_of(many[:100]) == list(range(100))


def test_who_waited_for_a_day_goes_before_live_lists() -> None:
    assert order_of([a_list(1, live=True, read_at=T0 - 30 * MINUTE), a_list(2, read_at=T0 - 24 * HOUR)]) == [2, 1]


def test_pauses_after_failures_double_up_to_six_hours() -> None:
    pauses = [due_at(a_list(1, tried_at=T0, failures=failures)) - T0 for failures in (1, 2, 3, 5, 8, 10_000)]
    assert pauses == [5 * MINUTE, 10 * MINUTE, 20 * MINUTE, 80 * MINUTE, 6 * HOUR, 6 * HOUR]


def test_a_long_list_is_not_read_all_the_time_unless_it_is_live() -> None:
    long = a_list(1, read_at=T0, seconds=3600.0)
    assert due_at(long) == T0 + 4 * HOUR
    assert due_at(replace(long, live=True)) == T0 + 25 * MINUTE


@pytest.mark.parametrize(("count", "minutes"), [(0, 0), (5, 0), (6, 1), (100, 19), (140, 27)])
def test_five_a_minute(count: int, minutes: int) -> None:
    plan = plan_lists([a_list(each) for each in range(count)], T0, LIMIT)
    assert plan.requests == len(plan.turns) == count
    assert abs((plan.done_at - T0) / MINUTE - minutes) < 0.01 * minutes + 0.01


def test_the_plan_counts_live_lists_again_and_the_time_between_turns() -> None:
    live, others = [a_list(each, live=True) for each in range(20)], [a_list(each) for each in range(100, 300)]
    plan = plan_lists([*live, *others], T0, LIMIT)
    assert len(plan.turns) == 220
    assert 240 <= plan.requests <= 260
    assert max(plan.turns[each.id] for each in live) < T0 + 4 * MINUTE
    assert all((turn - T0) % (30 * MINUTE) < 28 * MINUTE for turn in plan.turns.values())
    at_five_a_minute = (plan.requests - 5) / 5
    assert at_five_a_minute < (plan.done_at - T0) / MINUTE < at_five_a_minute * 30 / 28 * 1.05 + 2


def test_lists_that_take_long_keep_the_readers_busy() -> None:
    lists = [a_list(each, read_at=T0 - 10 * HOUR, seconds=600.0) for each in range(16)]
    # two rounds of eight readers
    assert plan_lists(lists, T0, LIMIT).done_at - T0 > 20 * MINUTE
    # what was never read is taken to last like the others
    unread = [replace(each, state=State(each.id, READING, T0)) for each in lists[1:]]
    assert plan_lists([lists[0], *unread], T0, LIMIT).done_at - T0 > 20 * MINUTE


def test_nothing_due_is_nothing_planned() -> None:
    plan = plan_lists([a_list(1, read_at=T0 - MINUTE), a_list(2, known_by=NOTHING)], T0, LIMIT)
    assert (plan.turns, plan.requests, plan.done_at) == ({}, 0, T0)
