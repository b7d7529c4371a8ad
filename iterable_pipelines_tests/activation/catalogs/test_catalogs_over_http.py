"""The catalogs that items go to, and catalogs as rows: made, typed, found missing, deleted."""

from collections.abc import Callable

import pytest

from iterable_pipelines.activation.errors import ActivationFailed, ActivationRefused
from iterable_pipelines.activation.objects import load_syncs
from iterable_pipelines.activation.options import Options
from iterable_pipelines.activation.plan import plan_sync, preview_pk
from iterable_pipelines_tests.activation.catalogs.shop import PRODUCTS, WHOLE, products, values
from iterable_pipelines_tests.activation.conftest import Activation

Make = Callable[..., Activation]
ROW = "(1, 'a', 'Mug', 1.5)"


@pytest.mark.parametrize("wrapped", [True, False])
def test_a_catalog_is_made_and_its_types_are_set_before_any_item_goes(activation_project: Make, wrapped: bool) -> None:
    project = activation_project(wrapped=wrapped)
    project.sync("products", PRODUCTS + "field_types: {price: double, name: string}\n")
    products(project, ROW)
    assert project.run("products").status == "succeeded"
    project.sync("products", PRODUCTS + "field_types: {price: double, name: string}\ndescription: again\n")
    products(project, "(1, 'a', 'Mug', 2.5)")
    assert project.run("products").counts == {"change": {"accepted": 1}}
    writes = [(each.method, each.path) for each in project.sandbox.requests("/api/catalogs") if each.method != "GET"]
    shop = "/api/catalogs/shop"
    assert writes == [
        *(("POST", shop), ("PUT", f"{shop}/fieldMappings"), ("POST", f"{shop}/items"), ("POST", f"{shop}/items"))
    ]
    assert project.sandbox.world.catalogs.find("shop").mappings == {"price": "double", "name": "string"}


def test_a_plan_and_a_preview_show_what_would_be_sent_and_send_nothing(activation_project: Make) -> None:
    project = activation_project()
    project.sync("products", PRODUCTS + "field_types: {price: double}\n")
    products(project, ROW, "(2, 'b', 'Cup', 2.5)", "(3, 'c', 'Pot', 2.5)", "(4, 'd', 'Jug', 2.5)")
    (sync,) = load_syncs(project.settings)
    plan = plan_sync(project.settings, sync, Options(), project.said.append)
    assert plan.warnings == ("the catalog shop is made first; types are set in shop for ever: price double",)
    assert (plan.sends, plan.costs.requests, plan.requests[0].records) == (4, 1, 4)
    assert plan.requests[0].path == "/api/catalogs/shop/items"
    assert next(iter(plan.requests[0].body["documents"].items())) == ("a", {"name": "Mug", "price": 1.5})
    (request,) = preview_pk(project.settings, sync, "2", project.said.append).requests
    assert request.body == {"documents": {"b": {"name": "Cup", "price": 2.5}}, "replaceUploadedFieldsOnly": True}
    assert project.requests() == []


def test_r15_a_catalog_that_is_not_there_stops_the_plan(activation_project: Make) -> None:
    project = activation_project()
    project.sync("products", PRODUCTS.replace("create_if_missing: true", "create_if_missing: false"))
    products(project, ROW)
    with pytest.raises(ActivationRefused, match="catalog_not_found: Iterable has no catalog called shop"):
        project.run("products")
    assert project.requests() == []
    project.sandbox.world.catalogs.create("SHOP")
    assert project.run("products").counts == {"add": {"accepted": 1}}


def test_a_type_is_set_for_ever(activation_project: Make) -> None:
    project = activation_project()
    project.sandbox.world.catalogs.create("shop")
    project.sandbox.world.catalogs.find("shop").mappings["price"] = "string"
    project.sync("products", PRODUCTS + "field_types: {price: double}\n")
    products(project, ROW)
    with pytest.raises(ActivationRefused, match="field_type_conflict: the field price of the catalog shop is of type"):
        project.run("products")
    assert project.requests() == []


@pytest.mark.parametrize("kind", ["lost_answer", "status"])
def test_no_item_goes_to_a_catalog_that_could_not_be_made(activation_project: Make, kind: str) -> None:
    project = activation_project()
    project.sync("products", PRODUCTS)
    products(project, ROW)
    project.sandbox.fault(kind, "/api/catalogs/shop", after=2, status=400)
    with pytest.raises(ActivationFailed, match=r"No item was sent, and the state is safe.(?s:.)*Next: "):
        project.run("products")
    assert not values(project)
    assert project.run("products").counts == {"add": {"accepted": 1}}


def test_a_catalog_that_goes_meanwhile_defers_its_items(activation_project: Make) -> None:
    project = activation_project()
    project.sync("products", PRODUCTS + "delivery: single\n")
    products(project, *(f"({nth}, 'a{nth}', 'Mug', 1)" for nth in range(40)))
    missing = {"error": "NotFound", "message": "Catalog not found: shop", "code": "error.catalogs.notFound", "data": {}}
    project.sandbox.fault("status", "/api/catalogs/shop/items", times=None, status=404, body=missing)
    report = project.run("products")
    assert report.counts == {"add": {"deferred": 40}} and "catalog_not_found" in report.codes
    # once it is known, nothing more goes there
    assert len(project.sandbox.requests("/api/catalogs/shop/items")) < 20
    project.sandbox.faults.clear()
    assert project.run("products").counts == {"add": {"accepted": 40}}


@pytest.mark.parametrize("status", [400, 409])
def test_k10_catalogs_are_made_once_whatever_the_second_time_answers(activation_project: Make, status: int) -> None:
    project = activation_project(existing_catalog=status)
    project.sandbox.world.catalogs.create("hats")
    project.sync("shops", WHOLE)
    project.table("marts.shops", "from (values (1, 'Shoes'), (2, 'Hats'), (3, 'no good')) t(id, name)")
    assert project.run("shops").counts == {"add": {"acked": 1, "noop": 1, "invalid": 1}}
    assert [each.body for each in project.sandbox.requests("/api/catalogs/Shoes")] == [""]
    assert values(project, "shoes") == {} and project.run("shops").counts == {}


def test_k10_a_catalog_is_deleted_only_if_that_is_approved(activation_project: Make) -> None:
    project = activation_project()
    project.sync("shops", WHOLE + "on_leave: delete\n")
    project.table("marts.shops", "from (values (1, 'shoes'), (2, 'hats')) t(id, name)")
    project.run("shops")
    project.sandbox.edit_item("hats", "a", {})
    project.table("marts.shops", "from (values (1, 'shoes')) t(id, name)")
    with pytest.raises(
        ActivationRefused, match=r"delete: 1 catalogs, with their items and collections, would be .*hats"
    ):
        project.run("shops")
    assert values(project, "hats") == {"a": {}}
    assert project.run("shops", approve=("delete",)).counts == {"remove": {"acked": 1}}
    assert values(project, "hats") is None and values(project, "shoes") == {}
