"""insert and update of items: Iterable has neither, so each item is looked for right before it is sent (4.1)."""

from collections.abc import Callable

import pytest

from iterable_pipelines_tests.activation.catalogs.shop import PRODUCTS, products, values
from iterable_pipelines_tests.activation.conftest import Activation

Make = Callable[..., Activation]
ROWS = ("(1, 'there', 'Mug', 1)", "(2, 'new', 'Cup', 2)")


def shop(project: Activation, mode: str) -> None:
    project.sandbox.world.catalogs.create("shop")
    project.sandbox.edit_item("shop", "there", {"name": "Old", "colour": "red"})
    project.sync("products", f"{PRODUCTS}mode: {mode}\n")
    products(project, *ROWS)


@pytest.mark.parametrize("delivery", ["bulk", "single"])
def test_k8_insert_makes_items_and_changes_none(activation_project: Make, delivery: str) -> None:
    project = activation_project()
    shop(project, f"insert\ndelivery: {delivery}")
    assert project.run("products").counts == {"add": {"accepted": 1, "skipped": 1}}
    after = {"there": {"name": "Old", "colour": "red"}, "new": {"name": "Cup", "price": 2}}
    assert values(project) == after
    assert project.published("select pk, code from activation.sync_rows where outcome = 'skipped'") == [
        ("1", "already_exists")
    ]
    products(project, ROWS[0], "(2, 'new', 'Other', 2)")
    project.run("products")
    assert values(project) == after


def test_k8_update_changes_items_and_makes_none(activation_project: Make) -> None:
    project = activation_project()
    shop(project, "update")
    assert project.run("products").counts == {"add": {"accepted": 1, "skipped": 1}}
    assert values(project) == {"there": {"name": "Mug", "price": 1, "colour": "red"}}
    (sent,) = project.sandbox.requests("/api/catalogs/shop/items/there")[-1:]
    assert (sent.method, sent.body) == ("PATCH", '{"update":{"name":"Mug","price":1}}')
    # what was acknowledged is known to be there, and what was missing is looked for again
    asked = len(project.sandbox.requests("/api/catalogs/shop/items/there"))
    project.sandbox.edit_item("shop", "new", {})
    products(project, "(1, 'there', 'Jug', 1)", ROWS[1])
    assert project.run("products").counts == {"add": {"accepted": 1}, "change": {"accepted": 1}}
    assert len(project.sandbox.requests("/api/catalogs/shop/items/there")) == asked + 1


def test_g4_an_item_that_cannot_be_looked_for_waits(activation_project: Make) -> None:
    project = activation_project()
    shop(project, "insert")
    project.sandbox.fault("status", "/api/catalogs/shop/items/new", times=None, status=400)
    assert project.run("products").counts == {"add": {"deferred": 1, "skipped": 1}}
    project.sandbox.faults.clear()
    assert project.run("products").counts == {"add": {"accepted": 1}}
