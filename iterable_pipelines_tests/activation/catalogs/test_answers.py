"""Whatever Iterable answers to items: nothing is lost, nothing is deleted by mistake, one bad item stops no other."""

from collections.abc import Callable

import pytest

from iterable_pipelines_tests.activation.catalogs.shop import MIRROR, PRODUCTS, codes, many, products, values
from iterable_pipelines_tests.activation.conftest import Activation

Make = Callable[..., Activation]
ITEMS = "/api/catalogs/shop/items"


def test_r9_one_item_that_is_refused_stops_no_other(activation_project: Make) -> None:
    project = activation_project()
    project.sync("products", PRODUCTS)
    many(project, 100)
    bad = {"msg": "Item sku-17 is not taken", "code": "BadParams", "params": None}
    project.sandbox.fault("status", ITEMS, times=None, status=400, body=bad, holds='"sku-17"')
    assert project.run("products").counts == {"add": {"accepted": 99, "rejected": 1}}
    assert len(values(project) or {}) == 99 and codes(project) == [("17", "bad_params")]
    # only when it changes
    before = len(project.requests())
    project.sandbox.faults.clear()
    assert project.run("products").counts == {} and len(project.requests()) == before
    many(project, 100, "id = 17")
    assert project.run("products").counts == {"add": {"accepted": 1}}
    assert len(values(project) or {}) == 100 and codes(project) == []


@pytest.mark.parametrize(
    ("kind", "options"), [("lost_answer", {}), ("status", {"status": 202, "body": {"anything": 1}})]
)
def test_r12_r17_what_is_no_yes_is_asked_again(activation_project: Make, kind: str, options: dict[str, object]) -> None:
    project = activation_project()
    project.sync("products", MIRROR + "guards: {remove_at_least: 100}\n")
    products(project, "(1, 'a', 'Mug', 1)", "(2, 'b', 'Cup', 2)")
    project.sandbox.fault(kind, ITEMS, **options)
    assert project.run("products").counts == {"add": {"accepted": 2}}
    project.sandbox.fault(kind, ITEMS, **options)
    products(project, "(1, 'a', 'Mug', 1)")
    assert project.run("products").counts == {"remove": {"accepted": 1}}
    assert values(project) == {"a": {"name": "Mug", "price": 1}}
    assert project.run("products").counts == {}


def test_s7_items_in_doubt_go_again_as_they_are_wanted_then(activation_project: Make) -> None:
    project = activation_project()
    project.sync("products", MIRROR)
    products(project, "(1, 'a', 'Mug', 1)", "(2, 'b', 'Cup', 2)")
    project.sandbox.fault("lost_answer", ITEMS, times=None)
    assert project.run("products").status == "partial"
    project.sandbox.faults.clear()
    # it arrived all the same, nobody knows, and its row is gone by now
    assert set(values(project) or {}) == {"a", "b"}
    products(project, "(1, 'a', 'Mug', 5)")
    project.run("products")
    assert values(project) == {"a": {"name": "Mug", "price": 5}}
    assert project.run("products").counts == {}


def test_r15_items_of_a_catalog_that_is_gone_are_gone(activation_project: Make) -> None:
    project = activation_project()
    project.sync("products", MIRROR)
    many(project, 3)
    project.run("products")
    project.sandbox.world.catalogs.delete("shop")
    many(project, 1)
    assert project.run("products").counts == {"remove": {"noop": 2}}


def test_every_item_is_told_of_in_the_warehouse_without_its_values(activation_project: Make) -> None:
    project = activation_project()
    project.sync("products", PRODUCTS)
    products(project, "(1, 'a', 'Mug', 1)", "(2, '?', 'Cup', 2)")
    project.run("products")
    told = project.published(
        "select pk, outcome, code, payload, identity_hash is not null from activation.sync_rows order by pk"
    )
    assert told == [("1", "accepted", "", None, True), ("2", "invalid", "invalid_item_id", None, False)]
