"""Items of a catalog, from a table to the sandbox: once, where something changed, and gone with their rows."""

from collections.abc import Callable

from iterable_pipelines_tests.activation.conftest import Activation

PRODUCTS = """
object: catalog
source: marts.products
primary_key: id
catalog: shop
item_id: sku
create_if_missing: true
fields: {name: name, price: price}
verify_after_seconds: 0
"""


def products(project: Activation, *rows: str) -> None:
    project.table("marts.products", f"from (values {', '.join(rows)}) t(id, sku, name, price)")


def values(project: Activation, catalog: str = "shop") -> dict:
    found = project.sandbox.world.catalogs.find(catalog)
    return {each["itemId"]: each["value"] for each in found}


def test_items_are_sent_once_and_again_only_where_they_changed(activation_project: Callable[..., Activation]) -> None:
    project = activation_project()
    project.sync("products", PRODUCTS)
    products(project, "(1, 'A-1', 'Mug', 9.50)", "(2, 'a-1', 'Cup', null)")

    report = project.run("products")

    assert (report.status, report.counts) == ("succeeded", {"add": {"accepted": 2}})
    assert values(project) == {"A-1": {"name": "Mug", "price": 9.5}, "a-1": {"name": "Cup"}}
    assert project.run("products").counts == {}
    products(project, "(1, 'A-1', 'Mug', 9.50)", "(2, 'a-1', 'Cup', 3.00)")
    assert project.run("products").counts == {"change": {"accepted": 1}}
    assert values(project)["a-1"] == {"name": "Cup", "price": 3.0}
