"""Items are read back: one by one, or where there are many, page by page (outbound.md 6.6)."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from iterable_pipelines.activation.objects import load_syncs
from iterable_pipelines.activation.verify import Verified, people, verify_sync
from iterable_pipelines_tests.activation.catalogs.shop import MIRROR, WHOLE, many, products, values
from iterable_pipelines_tests.activation.conftest import Activation, quick_client

Make = Callable[..., Activation]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Without the pauses between questions."""
    monkeypatch.setattr(people, "A_SECOND", 100_000.0)
    return


def verify(project: Activation, full: bool = True) -> Verified:
    (sync,) = load_syncs(project.settings)
    connect = partial(quick_client, project.settings, project.said.append)
    return verify_sync(project.settings, sync, full, project.said.append, connect)


def wrong(project: Activation) -> list[tuple[Any, ...]]:
    return project.state("select pk, verdict, fields from state.mismatches order by pk")


def test_what_is_there_missing_otherwise_and_drifted(activation_project: Make) -> None:
    project = activation_project()
    project.sync("products", MIRROR)
    products(project, "(1, 'a', 'Mug', 1.0)", "(2, 'b', 'Cup', 2)", "(3, 'c', 'Jug', 3)", "(4, 'd', 'Pot', 4)")
    project.run("products")
    project.sandbox.edit_item("shop", "a", {"name": "Mug", "price": 1, "more": "of somebody else's"})
    project.sandbox.edit_item("shop", "b", {"name": "Cap", "price": 2})
    project.sandbox.remove_item("shop", "c")
    found = verify(project)
    assert (found.verified, found.mismatch, found.missing, found.lookups) == (2, 1, 1, 4)
    assert wrong(project) == [("2", "mismatch", "name"), ("3", "missing", None)]
    # what was right and is not any more was changed by somebody else
    project.sandbox.edit_item("shop", "d", {"name": "Pan", "price": 4})
    assert verify(project).drifted == 1
    assert ("4", "drifted", "name") in wrong(project)
    # and is sent again where the sync says so
    project.sync("products", MIRROR + "drift: correct\n")
    verify(project)
    assert project.run("products").counts == {"retry": {"accepted": 3}}
    assert verify(project).verified == 4


def test_a_replaced_item_has_nothing_else_and_a_deleted_one_is_gone(activation_project: Make) -> None:
    project = activation_project()
    project.sync("products", MIRROR + "replace: true\n")
    many(project, 4)
    project.run("products")
    many(project, 2)
    project.run("products", approve=("mass_exit",))
    assert verify(project).verified == 4
    project.sandbox.edit_item("shop", "sku-0", {**(values(project) or {})["sku-0"], "more": 1})
    project.sandbox.edit_item("shop", "sku-3", {"name": "back"})
    assert verify(project).drifted == 2
    assert [(pk, fields) for pk, _, fields in wrong(project)] == [("0", "more"), ("3", "itemId")]


def test_many_are_read_page_by_page_and_what_is_missing_by_itself(activation_project: Make) -> None:
    project = activation_project()
    project.sync("products", MIRROR)
    many(project, 1200)
    project.sandbox.fault("lie", "/api/catalogs/shop/items", times=None, share=0.02)
    project.run("products")
    project.sandbox.faults.clear()
    lost = 1200 - len(values(project) or {})
    many(project, 1000)
    project.run("products")
    missing = 1000 - len(values(project) or {})
    assert 0 < missing <= lost
    found = verify(project)
    assert (found.verified, found.missing) == (1200 - missing, missing)
    # a page, what is gone by that, and how many there are before and after it
    assert found.lookups == 4 + missing


def test_nothing_is_looked_for_before_it_can_be_there(activation_project: Make) -> None:
    project = activation_project()
    project.sync("products", MIRROR.replace("verify_after_seconds: 0\n", ""))
    many(project, 2)
    project.run("products")
    found = verify(project)
    assert (found.pending, found.checked, found.lookups) == (2, 0, 0)


def test_catalogs_are_there_or_gone(activation_project: Make) -> None:
    project = activation_project()
    project.sync("shops", WHOLE + "on_leave: delete\n")
    project.table("marts.shops", "from (values (1, 'shoes'), (2, 'hats'), (3, 'gone')) t(id, name)")
    project.run("shops")
    project.table("marts.shops", "from (values (1, 'shoes'), (2, 'hats')) t(id, name)")
    project.run("shops", approve=("delete",))
    project.sandbox.world.catalogs.delete("hats")
    found = verify(project)
    assert (found.verified, found.missing, found.lookups) == (2, 1, 3)
    assert wrong(project) == [("2", "missing", None)]
    project.sandbox.world.catalogs.create("gone")
    assert verify(project).drifted == 1
