"""A shop: a table of products, the sync that brings it into a catalog, and a look at what is there."""

from collections.abc import Callable
from typing import Any

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
WHOLE = """
object: whole_catalog
source: marts.shops
primary_key: id
catalog_column: name
verify_after_seconds: 0
"""
MIRROR = PRODUCTS + "mode: mirror\non_leave: delete\n"


def mirrored(make: Callable[[], Activation], *rows: str) -> Activation:
    """A project whose catalog mirrors these products."""
    project = make()
    project.sync("products", MIRROR)
    products(project, *rows)
    project.run("products")
    return project


def products(project: Activation, *rows: str) -> None:
    """Make the table of products: id, sku, name, price."""
    empty = "select 1 as id, '' as sku, '' as name, 1.5::decimal(9, 2) as price limit 0"
    listed = f"from (values {', '.join(rows)}) t(id, sku, name, price)" if rows else empty
    project.table("marts.products", listed)


def many(project: Activation, count: int, changed: str = "false") -> None:
    """Make a table of so many products; those that `changed`, a condition upon `id`, chooses have another name."""
    project.table(
        "marts.products",
        f"select id, 'sku-' || id as sku, 'Thing ' || id || if({changed}, ' new', '') as name, "
        f"(id / 4)::decimal(9, 2) as price from range({count}) t(id)",
    )


def values(project: Activation, catalog: str = "shop") -> dict[str, Any] | None:
    """Every item of a catalog, by its id; None if there is no such catalog."""
    project.sandbox.world.settle()
    found = project.sandbox.world.catalogs.find(catalog)
    return None if found is None else {each["itemId"]: each["value"] for each in found}


def codes(project: Activation) -> list[tuple[str, str]]:
    """What is wrong with rows: pk and code."""
    return project.state("select pk, code from state.issues where severity = 'error' order by all")
