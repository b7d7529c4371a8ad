"""What is to be done with one record: the whole of outbound 4.4 as a table, and that both sides always meet."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iterable_pipelines.two_way.decide import Awaited, Side, decide, look, winner_of

OLD, NEW, OTHER, GONE = "old", "new", "other", ""
AS_IT_WAS, CHANGED = Side(OLD, False), Side(NEW, True)
DELETED, NEVER = Side(GONE, True), Side(GONE, False)
NOW = datetime(2026, 11, 1)
SETTLE = timedelta(minutes=20)


@pytest.mark.parametrize(
    "local, remote, action",
    [
        (AS_IT_WAS, AS_IT_WAS, "none"),
        # Y1: unpaired
        (CHANGED, NEVER, "to_remote"),
        (NEVER, CHANGED, "to_local"),
        # Y3
        (CHANGED, AS_IT_WAS, "to_remote"),
        (AS_IT_WAS, CHANGED, "to_local"),
        (CHANGED, CHANGED, "agree"),
        (CHANGED, Side(OTHER, True), "to_remote"),
        # Y4
        (DELETED, AS_IT_WAS, "delete_remote"),
        (AS_IT_WAS, DELETED, "delete_local"),
        (DELETED, CHANGED, "to_local"),
        (CHANGED, DELETED, "to_remote"),
        (DELETED, DELETED, "forget"),
        # one that was deleted here and kept there
        (NEVER, AS_IT_WAS, "none"),
    ],
)
def test_the_table(local, remote, action):
    assert decide(local, remote, "warehouse", True) == action


def test_a_conflict_goes_to_the_winner_and_to_nobody_without_one():
    sides = CHANGED, Side(OTHER, True)
    assert [decide(*sides, each, True) for each in ("warehouse", "iterable", None)] == [
        "to_remote",
        "to_local",
        "conflict",
    ]


def test_deletions_that_may_not_travel_are_kept():
    assert decide(DELETED, AS_IT_WAS, "warehouse", False) == decide(AS_IT_WAS, DELETED, "warehouse", False) == "keep"


@pytest.mark.parametrize(
    "rule, here, there, winner",
    [
        ("warehouse", None, NOW, "warehouse"),
        ("iterable", NOW, None, "iterable"),
        ("manual", NOW, None, None),
        ("newest", NOW + SETTLE, NOW, "warehouse"),
        ("newest", NOW, NOW + SETTLE, "iterable"),
        ("newest", NOW, NOW, None),
        ("newest", None, NOW, None),
    ],
)
def test_who_wins(rule, here, there, winner):
    assert winner_of(rule, here, there) == winner


@pytest.mark.parametrize(
    "shown, age, attempts, in_doubt, seen",
    [
        ("sent", 0, 1, False, "settled"),
        ("before", 0, 1, False, "unsettled"),
        ("before", 21, 1, False, "again"),
        ("before", 21, 2, False, "not_applied"),
        ("before", 0, 1, True, "again"),
        ("else", 0, 1, True, "overtaken"),
    ],
)
def test_what_iterable_shows_after_a_write(shown, age, attempts, in_doubt, seen):
    """Y5."""
    awaited = Awaited("sent", frozenset({"before"}), NOW - timedelta(minutes=age), attempts, in_doubt)
    assert look(awaited, shown, NOW, SETTLE) == seen


HASHES = st.sampled_from([OLD, NEW, OTHER, GONE])


@given(HASHES, HASHES, HASHES, HASHES, st.sampled_from(["warehouse", "iterable"]), st.booleans())
def test_both_sides_are_alike_after_one_step_and_stay_so(here, there, was, there_was, winner, deletes):
    """Or a deletion was kept; and what was edited on one side alone is never lost."""
    local, remote = Side(here, here != was), Side(there, there != there_was)
    action = decide(local, remote, winner, deletes)
    after_here = {"to_local": there, "delete_local": GONE}.get(action, here)
    after_there = {"to_remote": here, "delete_remote": GONE}.get(action, there)
    if action == "none":
        assert not (local.changed or remote.changed)
    elif action != "keep":
        assert after_here == after_there
    assert decide(Side(after_here, False), Side(after_there, False), winner, deletes) == "none"
    if local.changed and not local.gone and not (remote.changed and not remote.gone):
        assert after_here == after_there == here
