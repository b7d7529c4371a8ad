"""Items of a catalog, from a table to the sandbox: once, where something changed, and gone with their rows."""

from collections.abc import Callable

import pytest

from iterable_pipelines.activation.errors import ActivationRefused
from iterable_pipelines_tests.activation.catalogs.shop import MIRROR, PRODUCTS, codes, many, mirrored, products, values
from iterable_pipelines_tests.activation.conftest import Activation

Make = Callable[..., Activation]
ITEMS = "/api/catalogs/shop/items"


def test_items_are_sent_once_and_again_only_where_they_changed(activation_project: Make) -> None:
    project = activation_project()
    project.sync("products", PRODUCTS)
    products(project, "(1, 'A-1', 'Mug', 9.50)", "(2, 'a-1', 'Cup', null)")

    report = project.run("products")

    assert (report.status, report.counts) == ("succeeded", {"add": {"accepted": 2}})
    # ids are told apart by case, and NULL sends nothing (V5)
    assert values(project) == {"A-1": {"name": "Mug", "price": 9.5}, "a-1": {"name": "Cup"}}
    (sent,) = project.requests(ITEMS)
    assert sent == {"documents": values(project), "replaceUploadedFieldsOnly": True}
    assert project.run("products").counts == {}
    products(project, "(1, 'A-1', 'Mug', 9.5)", "(2, 'a-1', 'Cup', 3.00)")
    assert project.run("products").counts == {"change": {"accepted": 1}}
    assert project.requests(ITEMS)[1]["documents"] == {"a-1": {"name": "Cup", "price": 3.0}}


@pytest.mark.parametrize(
    ("more", "left"),
    [("", {"name": "Mug", "colour": "red"}), ("replace: true\n", {"name": "Mug"})],
)
def test_only_uploaded_fields_are_replaced_unless_the_whole_item_is_to_be(
    activation_project: Make, more: str, left: dict[str, str]
) -> None:
    project = activation_project()
    project.sandbox.world.catalogs.create("shop")
    project.sandbox.edit_item("shop", "a", {"colour": "red", "name": "?"})
    project.sync("products", PRODUCTS + more)
    products(project, "(1, 'a', 'Mug', null)")
    project.run("products")
    assert values(project) == {"a": left}


def test_batches_have_at_most_1000_items(activation_project: Make) -> None:
    project = activation_project()
    project.sync("products", PRODUCTS)
    many(project, 2001)
    assert project.run("products").counts == {"add": {"accepted": 2001}}
    assert sorted(len(each["documents"]) for each in project.requests(ITEMS)) == [1, 1000, 1000]
    assert len(values(project) or {}) == 2001


def test_batches_have_at_most_4_mb(activation_project: Make) -> None:
    project = activation_project()
    project.sync("products", PRODUCTS)
    project.table(
        "marts.products", "select id, 'sku-' || id as sku, repeat('x', 29000) as name, 1 as price from range(140) t(id)"
    )
    assert project.run("products").counts == {"add": {"accepted": 140}}
    sizes = [len(each.body) for each in project.sandbox.requests(ITEMS) if each.method == "POST"]
    assert len(sizes) == 2 and max(sizes) <= 4_000_000


def test_a_mirror_deletes_in_one_request_what_has_no_row_any_more(activation_project: Make) -> None:
    project = activation_project()
    project.sync("products", MIRROR)
    many(project, 5)
    project.run("products")
    project.sandbox.edit_item("shop", "foreign", {"name": "not ours"})
    project.table("marts.products", "from marts.products where id < 2")
    assert project.run("products").counts == {"remove": {"accepted": 3}}
    gone = [each.body for each in project.sandbox.requests(ITEMS) if each.method == "DELETE"]
    assert gone == ['{"itemIds":["sku-2","sku-3","sku-4"]}']
    assert set(values(project) or ()) == {"sku-0", "sku-1", "foreign"}
    # and again only what comes back
    many(project, 3)
    assert project.run("products").counts == {"add": {"accepted": 1}}
    assert project.run("products").counts == {}


def test_a_mirror_that_keeps_deletes_nothing(activation_project: Make) -> None:
    project = activation_project()
    project.sync("products", PRODUCTS + "mode: mirror\n")
    many(project, 3)
    project.run("products")
    many(project, 1)
    assert project.run("products").counts == {}
    assert set(values(project) or ()) == {"sku-0", "sku-1", "sku-2"}


def test_a_changed_item_id_leaves_no_stale_item(activation_project: Make) -> None:
    project = mirrored(activation_project, "(1, 'old', 'Mug', 1)", "(2, 'stays', 'Cup', 1)")
    products(project, "(1, 'new', 'Mug', 1)", "(2, 'stays', 'Cup', 1)")
    assert project.run("products").counts == {"add": {"accepted": 1}, "remove": {"accepted": 1}}
    assert set(values(project) or ()) == {"new", "stays"}


def test_a_renamed_primary_key_is_the_same_item(activation_project: Make) -> None:
    project = mirrored(activation_project, "(1, 'a', 'Mug', 1)", "(2, 'b', 'Cup', 1)")
    products(project, "(9, 'a', 'Mug', 1)", "(2, 'b', 'Cup', 1)")
    assert project.run("products").counts == {}
    # it is row 9's item by now: that something is wrong with the row does not delete it
    products(project, "(9, 'a', repeat('x', 40000), 1)", "(2, 'b', 'Cup', 1)")
    report = project.run("products")
    assert "remove" not in report.counts and set(values(project) or ()) == {"a", "b"}
    assert codes(project) == [("9", "value_too_long")]


def test_rows_swap_their_items(activation_project: Make) -> None:
    project = mirrored(activation_project, "(1, 'a', 'Mug', 1)", "(2, 'b', 'Cup', 1)")
    products(project, "(1, 'b', 'Mug', 1)", "(2, 'a', 'Cup', 1)")
    assert project.run("products").counts == {"change": {"accepted": 2}}
    assert {item: value["name"] for item, value in (values(project) or {}).items()} == {"b": "Mug", "a": "Cup"}


def test_two_rows_of_one_item_are_both_refused_and_the_item_stays(activation_project: Make) -> None:
    project = mirrored(activation_project, "(1, 'a', 'Mug', 1)", "(2, 'b', 'Cup', 1)")
    # row 1 is as it was, and even were it gone: somebody wants the item
    for rows, wrong in (
        (("(1, 'a', 'Mug', 1)", "(3, 'a', 'Jug', 1)"), ("1", "3")),
        (("(4, 'a', 'Mug', 1)", "(5, 'a', 'Jug', 1)"), ("4", "5")),
    ):
        products(project, *rows, "(2, 'b', 'Cup', 1)")
        report = project.run("products")
        assert "remove" not in report.counts and (values(project) or {})["a"]["name"] == "Mug"
        assert codes(project) == [(pk, "duplicate_item_id") for pk in wrong]
    products(project, "(5, 'a', 'Jug', 1)", "(2, 'b', 'Cup', 1)")
    assert project.run("products").counts == {"change": {"accepted": 1}}
    assert (values(project) or {})["a"]["name"] == "Jug" and codes(project) == []


def test_a_column_may_name_the_catalog_in_any_case(activation_project: Make) -> None:
    project = activation_project()
    project.sync("products", PRODUCTS.replace("catalog: shop", "catalog_column: name") + "replace: true\n")
    products(project, "(1, 'a', 'Shoes', 1)", "(2, 'a', 'hats', 2)", "(3, 'b', 'shoes', 3)", "(4, 'B', 'no such', 3)")
    assert project.run("products").counts == {"add": {"accepted": 3, "invalid": 1}}
    # the column says where, and is no field unless `fields` names it
    assert values(project, "shoes") == {"a": {"name": "Shoes", "price": 1}, "b": {"name": "shoes", "price": 3}}
    assert values(project, "hats") == {"a": {"name": "hats", "price": 2}}
    assert codes(project) == [("4", "invalid_catalog")]
    products(project, "(1, 'a', 'SHOES', 1)", "(2, 'a', 'hats', 2)", "(3, 'b', 'shoes', 3)")
    assert project.run("products").counts == {"change": {"accepted": 1}}


def test_p12_r11_an_empty_source_and_a_mass_exit_stop_before_anything_is_sent(activation_project: Make) -> None:
    project = activation_project()
    project.sync("products", MIRROR + "guards: {max_remove_ratio: 0.2, remove_at_least: 2}\n")
    many(project, 10)
    project.run("products")
    sent = len(project.requests())
    many(project, 0)
    with pytest.raises(ActivationRefused, match="empty_source: the source has no row, and 10 were acknowledged"):
        project.run("products")
    many(project, 7)
    with pytest.raises(ActivationRefused, match="mass_exit: 3 of 10 would leave"):
        project.run("products")
    assert len(project.requests()) == sent and len(values(project) or {}) == 10
    assert project.run("products", approve=("mass_exit",)).counts == {"remove": {"accepted": 3}}
    assert len(values(project) or {}) == 7


def test_a_hundredth_that_changed_is_all_that_is_sent(activation_project: Make) -> None:
    project = activation_project()
    project.sync("products", MIRROR)
    many(project, 3000)
    project.run("products")
    before = len(project.requests())
    assert project.run("products").counts == {} and len(project.requests()) == before
    many(project, 3000, "id % 100 = 7")
    assert project.run("products").counts == {"change": {"accepted": 30}}
    (sent,) = project.requests()[before:]
    assert set(sent["documents"]) == {f"sku-{nth}" for nth in range(7, 3000, 100)}


def test_g10_a_new_column_is_sent_where_rows_change_or_to_all(activation_project: Make) -> None:
    project = activation_project()
    project.sync("products", PRODUCTS.replace(", price: price", ""))
    products(project, "(1, 'a', 'Mug', 1)", "(2, 'b', 'Cup', 2)")
    project.run("products")
    project.sync("products", PRODUCTS)
    assert project.run("products").counts == {}
    products(project, "(1, 'a', 'Mug', 3)", "(2, 'b', 'New cup', 2)")
    assert project.run("products").counts == {"change": {"accepted": 2}}
    project.sync("products", PRODUCTS + "replace: true\non_mapping_change: backfill\n")
    assert project.run("products").counts == {"change": {"accepted": 2}}
