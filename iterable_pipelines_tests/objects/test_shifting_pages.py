"""Pages that shift while they are read: no row is lost, none stands twice (faults.md H35)."""

import json
from dataclasses import replace
from random import Random

import pytest

from iterable_pipelines.objects import OBJECT_TYPE
from iterable_pipelines.sandbox.server import Sandbox
from iterable_pipelines.sandbox.shelves import items_of
from iterable_pipelines.streams import Warehouse
from iterable_pipelines_tests.objects.conftest import Refresh


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, size in (("campaigns", 7), ("catalog_items", 500)):
        kind = OBJECT_TYPE[name]
        monkeypatch.setitem(OBJECT_TYPE, name, replace(kind, read=replace(kind.read, page_size=size)))


def campaigns_of(sandbox: Sandbox) -> list[dict]:
    world = sandbox.world
    listed = [each.as_json() for each in world.objects.campaigns(int(world.now().timestamp()))]
    return sorted(world.shifts.shown("campaigns", listed), key=lambda each: each["id"])


def stored(warehouse: Warehouse, name: str) -> list[dict]:
    found = warehouse.read(
        f"select record from objects.{name} where _gone_at is null order by {OBJECT_TYPE[name].key[-1]}"
    )
    return [json.loads(record) for (record,) in found]


@pytest.mark.parametrize("after", [0, 1, 3])
@pytest.mark.parametrize("kinds", [("row_leaves",), ("row_comes",), ("row_leaves", "row_comes")])
def test_campaigns_that_come_and_go_between_two_pages(
    kinds: tuple[str, ...], after: int, sandbox: Sandbox, refresh: Refresh, warehouse: Warehouse
) -> None:
    before = campaigns_of(sandbox)
    for kind in kinds:
        sandbox.fault(kind, "/api/campaigns", after=after)
    refresh("campaigns")
    assert campaigns_of(sandbox) != before
    assert stored(warehouse, "campaigns") == campaigns_of(sandbox)


@pytest.mark.parametrize("seed", range(3))
def test_whatever_moves_while_a_catalog_is_read(
    seed: int, sandbox: Sandbox, refresh: Refresh, warehouse: Warehouse
) -> None:
    chance = Random(seed)
    for _ in range(4):
        kind, rows = chance.choice(("row_leaves", "row_comes")), chance.randrange(1, 600)
        sandbox.fault(kind, "/api/catalogs/products/items", after=chance.randrange(4), rows=rows)
    refresh("catalogs", "catalog_items")
    found = [each for each in stored(warehouse, "catalog_items") if each["catalogName"] == "products"]
    assert found == sorted(items_of(sandbox.world, "products"), key=lambda each: each["itemId"])


def test_what_never_stands_still_loses_nothing_and_marks_nothing_as_gone(
    sandbox: Sandbox, refresh: Refresh, warehouse: Warehouse
) -> None:
    refresh("campaigns")
    first = {each["id"] for each in stored(warehouse, "campaigns")}
    sandbox.fault("row_leaves", "/api/campaigns", times=None)
    done = refresh("campaigns")
    assert done.stored.gone == 0
    assert "changed while it was read" in done.notes[0]
    assert {each["id"] for each in stored(warehouse, "campaigns")} == first
    sandbox.faults.clear()
    done = refresh("campaigns")
    assert done.stored.gone > 0
    assert stored(warehouse, "campaigns") == campaigns_of(sandbox)


def test_a_listing_in_one_page_is_asked_for_once(sandbox: Sandbox, refresh: Refresh) -> None:
    assert refresh("templates").requests == 16
    assert len(sandbox.requests("/api/templates")) == 16


def test_a_page_that_fails_half_way_leaves_the_table_as_it_was(
    sandbox: Sandbox, refresh: Refresh, warehouse: Warehouse
) -> None:
    refresh("catalogs", "catalog_items")
    before = warehouse.read("select * from objects.catalog_items order by all")
    logged = warehouse.read("select count(*) from objects.refreshes")
    sandbox.fault("row_comes", "/api/catalogs/products/items", rows=5)
    sandbox.fault("status", "/api/catalogs/products/items", match={"page": "3"}, status=500)
    with pytest.raises(Exception, match="500"):
        refresh("catalog_items")
    assert warehouse.read("select * from objects.catalog_items order by all") == before
    assert warehouse.read("select count(*) from objects.refreshes") == logged


def test_pages_that_cannot_be_reached_are_told_and_nothing_is_taken_for_gone(
    sandbox: Sandbox, refresh: Refresh, warehouse: Warehouse
) -> None:
    refresh("catalogs", "catalog_items")
    before = warehouse.read("select count(*) from objects.catalog_items where _gone_at is null")
    # such as a window of 10,000 items behind the listing
    sandbox.fault("status", "/api/catalogs/products/items", match={"page": "4"}, times=None, status=400)
    done = refresh("catalog_items")
    assert done.notes == ("/api/catalogs/products/items lists 1,500 of the 2,400 it says there are",)
    assert done.stored.gone == 0
    assert warehouse.read("select count(*) from objects.catalog_items where _gone_at is null") == before


def test_a_journey_that_comes_out_of_the_archive_between_two_passes(
    sandbox: Sandbox, refresh: Refresh, warehouse: Warehouse
) -> None:
    journeys = [each for each in sandbox.world.objects.journeys if not each["isArchived"]]
    # the first answer is from before, all others are from after
    sandbox.fault("status", "/api/journeys", status=200, body={"journeys": journeys[1:]})
    refresh("journeys")
    assert stored(warehouse, "journeys") == sandbox.world.objects.journeys
