"""What stops a run before anything is changed on either side."""

import pytest

from iterable_pipelines.api import IterableError
from iterable_pipelines.two_way.errors import TwoWayFailed, TwoWayRefused
from iterable_pipelines_tests.two_way.conftest import ITEMS

STRICT = ITEMS.replace("at_least: 1000", "at_least: 2")


@pytest.fixture
def ten(both_sides):
    """Ten items on both sides."""
    both = both_sides(STRICT)
    for each in range(10):
        both.edit(f"i{each}", name="Mug", price=1.5)
    both.run()
    both.writes()
    return both


@pytest.mark.parametrize(
    "guard, statement",
    [
        ("deletes", "delete from shop.items where item_id < 'i4'"),
        ("changes", "update shop.items set name = 'Cup'"),
        ("empty_side", "delete from shop.items"),
        ("empty_side", "drop table shop.items"),
    ],
)
def test_too_much_at_once_has_to_be_approved(ten, guard, statement):
    ten.here(statement)
    before = ten.items()
    with pytest.raises(TwoWayRefused, match=rf"two-way run shop .*--approve {guard}") as refused:
        ten.run()
    assert "Nothing was changed" in str(refused.value)
    assert ten.items() == before and ten.writes() == 0
    made = ten.here("select count(*) from duckdb_tables() where schema_name = 'shop'")
    assert made == [(0 if "drop" in statement else 1,)]
    assert guard in {each.name for each in ten.plan().guards}
    ten.run("deletes", "changes", "empty_side")
    assert ten.writes() == 1 and ten.items() != before


def test_what_disappears_from_iterable_is_guarded_too(ten):
    for each in range(4):
        ten.remove(f"i{each}")
    with pytest.raises(TwoWayRefused, match=r"4 of 10 items would be deleted from the table .*, more than 20%"):
        ten.run()
    for each in range(4, 10):
        ten.remove(f"i{each}")
    with pytest.raises(TwoWayRefused, match="Iterable is empty"):
        ten.run()
    assert len(ten.rows()) == 10


def test_a_listing_that_is_not_whole_deletes_nothing(ten):
    ten.sandbox.fault("status", "/api/catalogs/shop/items", times=None, status=403)
    with pytest.raises(IterableError):
        ten.run()
    assert len(ten.rows()) == 10


def test_a_catalog_that_is_not_there_is_refused(both_sides):
    both = both_sides(ITEMS.replace("catalog: shop", "catalog: nowhere"))
    with pytest.raises(TwoWayRefused, match="Iterable has no catalog nowhere"):
        both.run()


def test_another_project_is_refused(ten):
    other = ten.settings.model_copy(update={"base_url": ten.settings.url.replace("127.0.0.1", "localhost")})
    ten.settings = other
    with pytest.raises(TwoWayRefused, match="state_project_mismatch"):
        ten.run()


def test_a_file_that_is_switched_off_does_nothing(ten):
    ten.declare(STRICT + "enabled: false\n")
    ten.here("update shop.items set name = 'Cup' where item_id = 'i1'")
    assert ten.run().status == "skipped" and ten.writes() == 0


@pytest.mark.parametrize(
    "statement, said",
    [
        ("alter table shop.items add column sizes integer[]", "sizes is of type INTEGER"),
        ("alter table shop.items rename column item_id to sku", "no column item_id"),
        ('alter table shop.items add column "a.b" integer', "no periods"),
    ],
)
def test_a_table_that_cannot_be_kept_alike_is_refused(ten, statement, said):
    ten.here(statement)
    with pytest.raises(TwoWayRefused, match=said):
        ten.run()
    assert ten.writes() == 0


def test_members_whose_columns_would_have_one_name_are_refused(ten):
    ten.edit("i1", name="Mug", Name="Cup")
    with pytest.raises(TwoWayRefused, match="name is the name of two columns"):
        ten.run()
    assert issubclass(TwoWayRefused, TwoWayFailed)


def test_a_view_is_no_table(ten):
    ten.here("alter table shop.items rename to products", "create view shop.items as from shop.products")
    with pytest.raises(TwoWayRefused, match="is a view"):
        ten.run()
