"""Items of a catalog and rows of a table, edited on both sides (outbound 4.4: Y1 to Y5)."""

import pytest

from iterable_pipelines.two_way import compare, run
from iterable_pipelines.two_way.by_hand import problems_of, resolve
from iterable_pipelines.two_way.errors import TwoWayRefused
from iterable_pipelines_tests.two_way.conftest import ITEMS, edited_on_both_sides


def test_the_first_run_makes_the_table_and_copies_both_ways_what_is_unpaired(both_sides):
    """Y1: what is paired by its id is compared, and only the others are copied."""
    both = both_sides()
    both.edit("a", name="Mug", price=1.5, sizes=["s", {"m": 1}], stock=None)
    report = both.run()
    assert report.count("to_local", "done") == 1 and both.writes() == 0
    types = dict(both.here("select column_name, column_type from (describe shop.items)"))
    assert types == {"item_id": "VARCHAR", "name": "VARCHAR", "price": "DOUBLE", "sizes": "JSON", "stock": "JSON"}
    both.here("insert into shop.items (item_id, name, price) values ('b', 'Tea', 2.5)")
    assert both.run().count("to_remote", "acknowledged") == 1
    assert both.items() == {
        "a": {"name": "Mug", "price": 1.5, "sizes": ["s", {"m": 1}], "stock": None},
        "b": {"name": "Tea", "price": 2.5},
    }
    assert both.writes() == 1 and both.run().counts == {} and both.writes() == 0


def test_each_side_gets_what_was_changed_on_the_other(shop):
    """Y3."""
    shop.edit("a", name="Cup", price=1.5)
    shop.here("update shop.items set price = 3 where item_id = 'b'")
    report = shop.run()
    assert report.counts == {"to_local": {"done": 1}, "to_remote": {"acknowledged": 1}}
    assert shop.rows() == {"a": ["Cup", 1.5], "b": ["Tea", 3.0]}
    assert shop.items() == {"a": {"name": "Cup", "price": 1.5}, "b": {"name": "Tea", "price": 3.0}}
    assert shop.run().counts == {} and shop.writes() == 1


def test_the_same_edit_on_both_sides_is_nothing_to_do(shop):
    """Y3: equal content on both."""
    shop.edit("a", name="Cup", price=1.5)
    shop.here("update shop.items set name = 'Cup' where item_id = 'a'")
    assert shop.run().counts == {"agree": {"done": 1}} and shop.writes() == 0
    assert shop.run().counts == {}


def test_what_only_looks_different_is_no_change(shop):
    """Y2: content counts, not times, the order of keys, or how a number is written."""
    shop.edit("a", price=1.50, name="Mug")
    shop.here("update shop.items set name = name")
    assert shop.run().counts == {} and shop.writes() == 0


JSON_NAMES = "alter table shop.items alter name type json using to_json(name)"


@pytest.mark.parametrize("keeps", [True, False])
def test_a_deletion_travels_only_if_it_may(shop, keeps):
    """Y4: deleted on one side, unchanged on the other."""
    if keeps:
        shop.declare(ITEMS.replace("propagate_deletes: true\n", ""))
    shop.remove("a")
    shop.here("delete from shop.items where item_id = 'b'")
    report = shop.run()
    left = {"a": ["Mug", 1.5]}, {"b": {"name": "Tea", "price": 2.5}}
    if keeps:
        assert report.counts == {"keep": {"done": 2}} and (shop.rows(), shop.items()) == left
    else:
        assert report.counts == {"delete_local": {"done": 1}, "delete_remote": {"acknowledged": 1}}
        assert (shop.rows(), shop.items()) == ({}, {})
    # none of it comes back, however often it runs
    assert shop.run().count("to_local") == 0 and shop.run().counts == {}
    assert shop.writes() == (0 if keeps else 1)


def test_what_was_kept_comes_back_when_it_is_changed(shop):
    shop.declare(ITEMS.replace("propagate_deletes: true\n", ""))
    shop.remove("a")
    shop.here("delete from shop.items where item_id = 'b'")
    shop.run()
    shop.edit("b", name="Chai", price=2.5)
    shop.here("update shop.items set name = 'Cup' where item_id = 'a'")
    assert shop.run().counts == {"to_local": {"done": 1}, "to_remote": {"acknowledged": 1}}
    assert shop.rows() == {"a": ["Cup", 1.5], "b": ["Chai", 2.5]}
    assert shop.items() == {"a": {"name": "Cup", "price": 1.5}, "b": {"name": "Chai", "price": 2.5}}


def test_a_change_wins_over_a_deletion(shop):
    """Y4: deleted on one, changed on the other."""
    shop.remove("a")
    shop.here("update shop.items set name = 'Cup' where item_id = 'a'", "delete from shop.items where item_id = 'b'")
    shop.edit("b", name="Chai", price=2.5)
    shop.run()
    assert shop.rows() == {"a": ["Cup", 1.5], "b": ["Chai", 2.5]}
    assert shop.items() == {"a": {"name": "Cup", "price": 1.5}, "b": {"name": "Chai", "price": 2.5}}


def test_gone_on_both_sides_is_forgotten(shop):
    shop.remove("a")
    shop.here("delete from shop.items where item_id = 'a'")
    assert shop.run().counts == {"forget": {"done": 1}} and shop.writes() == 0
    assert shop.state("select key from state.pairs") == [("b",)]


def test_an_items_id_is_the_item(shop):
    """Another id is another item: the old one goes, the new one comes."""
    shop.here("update shop.items set item_id = 'A' where item_id = 'a'")
    assert shop.run().counts == {"delete_remote": {"acknowledged": 1}, "to_remote": {"acknowledged": 1}}
    assert set(shop.items()) == {"A", "b"}


@pytest.mark.parametrize("rule, name", [("warehouse", "Jug"), ("iterable", "Cup")])
def test_a_conflict_is_won_by_the_side_that_the_file_names(shop, rule, name):
    """Y3: changed on both sides."""
    shop.declare(ITEMS + f"conflict: {rule}\n")
    edited_on_both_sides(shop)
    shop.run()
    assert shop.rows()["a"][0] == shop.items()["a"]["name"] == name
    assert shop.run().counts == {}


@pytest.mark.parametrize("written, name", [("now()::timestamp + interval 1 day", "Jug"), ("'2001-01-01'", "Cup")])
def test_the_newest_wins_a_conflict(both_sides, written, name):
    both = both_sides(ITEMS + "conflict: newest\nmodified_at: changed_at\n")
    both.edit("a", name="Mug", price=1.5)
    both.run()
    ((noted,),) = both.here("select changed_at from shop.items")
    assert noted is not None
    edited_on_both_sides(both)
    both.here(f"update shop.items set changed_at = {written}")
    both.run()
    assert both.rows()["a"][0] == both.items()["a"]["name"] == name


def test_nobody_is_the_newest_where_no_time_is_known(both_sides):
    both = both_sides(ITEMS + "conflict: newest\nmodified_at: changed_at\n")
    both.edit("a", name="Mug", price=1.5)
    both.run()
    edited_on_both_sides(both)
    both.here("update shop.items set changed_at = null")
    both.run()
    assert both.problems() == {"a": "conflict"}


@pytest.mark.parametrize("winner, name", [("warehouse", "Jug"), ("iterable", "Cup")])
def test_a_conflict_by_hand_touches_neither_side_until_somebody_says_who_wins(shop, winner, name):
    """Y3: manual."""
    shop.declare(ITEMS + "conflict: manual\n")
    edited_on_both_sides(shop)
    for _ in range(2):
        assert shop.run().problems == {"conflict": 1} and shop.writes() == 0
    assert (shop.rows()["a"][0], shop.items()["a"]["name"]) == ("Jug", "Cup")
    (problem,) = problems_of(shop.settings, shop.declared)
    assert problem.fields == (("name", "Jug", "Cup"),)
    assert shop.here("select key, code, local->>'name', remote->>'name' from two_way.conflicts") == [
        ("a", "conflict", "Jug", "Cup")
    ]
    with pytest.raises(TwoWayRefused, match="no conflict about 'b'; there are a"):
        resolve(shop.settings, shop.declared, "b", "warehouse")
    resolve(shop.settings, shop.declared, "a", winner)
    assert shop.run().problems == {}
    assert shop.rows()["a"][0] == shop.items()["a"]["name"] == name
    assert shop.state("select * from state.resolutions") == []


def test_a_plan_changes_nothing_and_says_what_a_run_would_do(shop):
    before = shop.state("from state.pairs order by key")
    shop.edit("c", name="Jam", price=4.5, fresh=True)
    shop.here("update shop.items set price = 3 where item_id = 'b'", "delete from shop.items where item_id = 'a'")
    plan = shop.plan()
    assert plan.counts == {"to_local": 1, "to_remote": 1, "delete_remote": 1} and plan.requests == 2
    assert [(each.key, each.action, each.fields) for each in plan.changes][1:] == [
        ("b", "to_remote", (("price", 3.0, 2.5),)),
        ("c", "to_local", (("fresh", None, True), ("name", None, "Jam"), ("price", None, 4.5))),
    ]
    assert plan.makes == ('alter table "shop"."items" add column "fresh" BOOLEAN',)
    assert shop.writes() == 0 and shop.state("from state.pairs order by key") == before
    assert set(shop.rows()) == {"b"} and len(shop.here("describe shop.items")) == 3


def test_new_members_and_new_columns_travel(shop):
    shop.edit("a", name="Mug", price=1.5, colour="blue")
    shop.here("alter table shop.items add column stock integer", "update shop.items set stock = 7 where item_id = 'b'")
    shop.run()
    assert shop.here("select item_id, colour, stock from shop.items order by all") == [
        ("a", "blue", None),
        ("b", None, 7),
    ]
    assert shop.items()["b"] == {"name": "Tea", "price": 2.5, "stock": 7}
    # a value that is taken away on either side is taken away on the other, once Iterable has shown what was sent
    shop.run()
    shop.here("update shop.items set colour = null")
    shop.edit("b", name="Tea", price=2.5)
    shop.run()
    assert shop.items()["a"] == {"name": "Mug", "price": 1.5}
    assert shop.here("select stock from shop.items where item_id = 'b'") == [(None,)]


def test_only_members_with_a_column_are_looked_at_and_written(both_sides):
    both = both_sides(ITEMS + "fields: {title: name}\n")
    both.edit("a", name="Mug", price=1.5)
    both.run()
    assert both.here("from shop.items") == [("a", "Mug")]
    both.edit("a", name="Mug", price=9.5)
    assert both.run().counts == {}
    both.here("update shop.items set title = null")
    both.run()
    assert both.items() == {"a": {"name": None, "price": 9.5}} and both.run().counts == {}


def test_columns_of_somebody_else_stay_as_they_are(both_sides):
    both = both_sides(ITEMS + "fields: {name: name}\n")
    both.here("create schema shop", "create table shop.items (item_id text, name text, notes text[])")
    both.here("insert into shop.items values ('a', 'Mug', ['mine'])")
    both.run()
    both.edit("a", name="Cup")
    both.run()
    assert both.here("from shop.items") == [("a", "Cup", ["mine"])]


def test_a_value_that_the_column_cannot_hold_is_told_and_touches_neither_side(shop):
    shop.edit("a", name="Mug", price="on request")
    shop.edit("b", name=5, price=2.5)
    report = shop.run()
    assert report.problems == {"unfit_value": 2} and report.counts == {} and shop.writes() == 0
    assert shop.rows() == {"a": ["Mug", 1.5], "b": ["Tea", 2.5]}
    shop.here("alter table shop.items alter price type json using to_json(price)", JSON_NAMES)
    assert shop.run().problems == {}
    assert shop.here("select item_id, name, price from shop.items order by all") == [
        ("a", '"Mug"', '"on request"'),
        ("b", "5", "2.5"),
    ]


def test_rows_that_cannot_be_sent_are_told_and_hold_up_no_other(shop):
    shop.here(
        "insert into shop.items values ('no id!', 'x', 1), ('twice', 'x', 1), ('twice', 'y', 1), (null, 'x', 1), "
        "('large', repeat('x', 31000), 1), ('nan', 'x', 'nan'), ('good', 'x', 1), ('b', 'again', 1)"
    )
    report = shop.run()
    assert shop.problems() == {
        "no id!": "invalid_item_id",
        "twice": "duplicate_key",
        "b": "duplicate_key",
        "": "missing_key",
        "large": "catalog_value_too_large",
        "nan": "unserializable_value",
    }
    assert report.counts == {"to_remote": {"acknowledged": 1}} and set(shop.items()) == {"a", "b", "good"}


def test_dates_numbers_and_texts_come_back_as_they_were_sent(both_sides):
    both = both_sides()
    both.here(
        "create schema shop",
        'create table shop.items (item_id text, "at" timestamp, day date, n bigint, d decimal(9, 2), j json, t text)',
        "insert into shop.items values ('a', '2026-03-04 05:06:07.89', '2026-03-04', 9007199254740993, 1.10, "
        "'{\"b\": [1.0], \"a\": null}', 'it''s \"ü\" 😀')",
    )
    both.run()
    assert both.items() == {
        "a": {
            "at": "2026-03-04 05:06:07 +00:00",
            "day": "2026-03-04",
            "n": 9007199254740993,
            "d": 1.1,
            "j": {"b": [1.0], "a": None},
            "t": 'it\'s "ü" 😀',
        }
    }
    assert both.run().counts == {}
    both.edit("a", **both.items()["a"] | {"at": "2026-03-04T06:06:07+01:00", "n": 9007199254740995})
    assert both.run().count("to_local", "done") == 1
    ((at, n),) = both.here('select "at"::varchar, n from shop.items')
    assert (at, n) == ("2026-03-04 05:06:07", 9007199254740995)


def test_a_row_that_is_edited_while_a_run_is_at_work_keeps_the_edit(shop, monkeypatch):
    """The table is read, and written later: what was done to a row in between is seen by the next run."""

    def meanwhile(point):
        if point == "two_way_written_down":
            shop.here(
                "update shop.items set name = 'Jug' where item_id = 'a'",
                "insert into shop.items (item_id, name, price) values ('c', 'Mine', 1)",
            )

    shop.edit("a", name="Cup", price=1.5)
    shop.edit("c", name="Theirs", price=1.0)
    with monkeypatch.context() as patch:
        patch.setattr(run, "crashpoint", meanwhile)
        assert shop.run().counts == {"to_local": {"changed_meanwhile": 2}}
    assert shop.rows() == {"a": ["Jug", 1.5], "b": ["Tea", 2.5], "c": ["Mine", 1.0]}
    shop.run()
    # a conflict now, which the warehouse wins
    assert {key: value["name"] for key, value in shop.items().items()} == {"a": "Jug", "b": "Tea", "c": "Mine"}


def test_a_table_with_a_primary_key_can_be_kept_alike(both_sides):
    both = both_sides()
    both.here("create schema shop", "create table shop.items (item_id text primary key, name text, price double)")
    both.edit("a", name="Mug", price=1.5)
    both.run()
    both.edit("a", name="Cup", price=1.5)
    both.edit("b", name="Tea", price=2.5)
    both.run()
    both.remove("b")
    both.run()
    assert both.rows() == {"a": ["Cup", 1.5]}


def test_records_that_are_as_they_were_are_not_looked_at(shop, monkeypatch):
    """Once read, a record is told by the hash of its text; nothing of it becomes an object of Python."""
    shop.run()
    looked = []
    monkeypatch.setattr(compare, "content_hash", lambda two_way, content: looked.append(content) or "other")
    shop.run()
    assert looked == []
    shop.here("update shop.items set name = 'Cup' where item_id = 'a'")
    shop.plan()
    assert looked == ['{"name":"Cup","price":1.5}']
