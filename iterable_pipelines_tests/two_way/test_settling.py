"""No echo: what Iterable shows of our own writes, at once or late, is no change of somebody's (Y5)."""

from datetime import timedelta

import pytest

from iterable_pipelines.two_way.errors import TwoWayRefused
from iterable_pipelines_tests.two_way.conftest import ITEMS

LATE = timedelta(minutes=21)


@pytest.fixture
def slow(both_sides):
    """Writes are answered at once, and happen when the test says so. One item is on both sides."""
    both = both_sides(settle_seconds=10_000)
    both.edit("a", name="Mug", price=1.5)
    both.run()
    return both


def happen(both):
    both.sandbox.world.settle(everything=True)


def test_what_does_not_show_yet_is_waited_for(slow):
    slow.here("update shop.items set name = 'Cup'", "insert into shop.items values ('n', 'New', 1)")
    assert slow.run().counts == {"to_remote": {"acknowledged": 2}}
    for _ in range(2):
        assert slow.run().counts == {} and slow.items() == {"a": {"name": "Mug", "price": 1.5}}
    assert slow.rows() == {"a": ["Cup", 1.5], "n": ["New", 1.0]}
    happen(slow)
    assert slow.run().counts == {} and slow.writes() == 1
    assert slow.state("select count(*) from state.pairs where awaits") == [(0,)]
    assert slow.items() == {"a": {"name": "Cup", "price": 1.5}, "n": {"name": "New", "price": 1.0}}


def test_a_deletion_that_does_not_show_yet_does_not_come_back(slow):
    slow.here("delete from shop.items")
    slow.run("empty_side")
    assert slow.run().counts == {} and slow.rows() == {} and set(slow.items()) == {"a"}
    happen(slow)
    slow.run()
    assert slow.items() == slow.rows() == {} and slow.state("from state.pairs") == []


def test_an_edit_after_an_edit_is_sent_though_the_first_does_not_show(slow):
    for name in ("Cup", "Jug", "Mug"):
        slow.here(f"update shop.items set name = '{name}'")
        assert slow.run().counts == {"to_remote": {"acknowledged": 1}}
    happen(slow)
    assert slow.run().counts == {} and slow.items()["a"]["name"] == "Mug"


def test_one_of_several_edits_that_shows_is_no_change_of_somebodys(both_sides):
    both = both_sides()
    both.edit("a", name="Mug", price=1.5)
    both.run()
    for name in ("Cup", "Jug"):
        both.here(f"update shop.items set name = '{name}'")
        both.run()
    # the index of Iterable is behind
    both.edit("a", name="Cup", price=1.5)
    both.writes()
    assert both.run().counts == {} and both.rows()["a"] == ["Jug", 1.5]


def test_an_edit_of_somebodys_after_ours_is_taken_over(slow):
    slow.here("update shop.items set name = 'Cup'")
    slow.run()
    happen(slow)
    slow.edit("a", name="Vase", price=1.5)
    assert slow.run().counts == {"to_local": {"done": 1}}
    assert slow.rows() == {"a": ["Vase", 1.5]} and slow.run().counts == {}


def test_what_was_not_carried_out_is_sent_once_more_and_then_told(both_sides):
    both = both_sides()
    both.edit("a", name="Mug", price=1.5)
    both.run()
    both.here("update shop.items set name = 'Cup'")
    both.sandbox.fault("lie", "/api/catalogs/shop/items", times=None, holds="documents", share=1.0)
    assert both.run().count("to_remote") == 1
    both.later = LATE
    assert both.run().count("to_remote") == 1
    both.later = 2 * LATE
    for _ in range(2):
        report = both.run()
        assert report.counts == {} and report.problems == {"not_applied": 1}
    both.sandbox.faults.clear()
    # an edit is sent, whatever became of the ones before
    both.here("update shop.items set name = 'Jug'")
    assert both.run().counts == {"to_remote": {"acknowledged": 1}} and both.run().problems == {}
    assert both.items()["a"]["name"] == both.rows()["a"][0] == "Jug"


def test_a_change_on_the_other_side_while_ours_is_awaited_is_a_conflict_of_today(slow):
    slow.declare(ITEMS + "conflict: iterable\n")
    slow.here("update shop.items set name = 'Cup'")
    slow.run()
    slow.edit("a", name="Vase", price=1.5)
    slow.here("update shop.items set name = 'Jug'")
    slow.run()
    assert slow.rows() == {"a": ["Vase", 1.5]}


def test_a_catalog_that_we_have_just_filled_is_not_taken_for_one_that_was_emptied(both_sides):
    """Items show up to 20 minutes later: until then the catalog is as empty as it was before our write (Y5)."""
    both = both_sides(settle_seconds=10_000)
    both.here("create schema shop", "create table shop.items as select 'a' item_id, 'x' as name")
    assert both.run().counts == {"to_remote": {"acknowledged": 1}}
    assert both.run().counts == {}
    happen(both)
    assert both.items() == {"a": {"name": "x"}} and both.run().counts == {}
    both.remove("a")
    happen(both)
    with pytest.raises(TwoWayRefused, match="Iterable is empty, and 1 items were there before"):
        both.run()
