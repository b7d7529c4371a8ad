"""What the file of a sync of catalogs may say, and what a wrong one is told."""

from pathlib import Path

import pytest

from iterable_pipelines.activation.catalogs import CatalogSync, WholeCatalogSync
from iterable_pipelines.activation.objects import load_syncs
from iterable_pipelines.settings import Settings, SettingsError
from iterable_pipelines_tests.activation.catalogs.shop import MIRROR, PRODUCTS

WHOLE = "object: whole_catalog\nsource: marts.shops\nprimary_key: id\ncatalog_column: name\n"


def load(folder: Path, text: str) -> object:
    (folder / "syncs").mkdir()
    (folder / "syncs" / "s.yml").write_text(text)
    (found,) = load_syncs(Settings(project_root=folder, data_dir=folder / "data", project_type="userid"))
    return found


def test_a_sync_of_items_names_no_user_in_any_project(tmp_path: Path) -> None:
    found = load(tmp_path, MIRROR + "field_types: {price: double}\nconstants: {email: shop@ex.com}\n")
    assert isinstance(found, CatalogSync) and not found.replace and found.roles == {"sku"}


def test_a_sync_of_catalogs_inserts_and_may_delete(tmp_path: Path) -> None:
    found = load(tmp_path, WHOLE + "on_leave: delete\n")
    assert isinstance(found, WholeCatalogSync) and found.mode == "insert"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (PRODUCTS + "mode: sync\n", "mode: it must be 'insert', 'update', 'upsert', 'mirror' or 'remove'"),
        (PRODUCTS + "on_leave: clear\n", "`on_leave` of a catalog must be keep or delete, not clear"),
        (PRODUCTS + "on_leave: delete\n", "`on_leave: delete` needs `mode: mirror`"),
        (PRODUCTS + "catalog_column: name\n", "write either `catalog`, its name, or `catalog_column`"),
        (PRODUCTS.replace("catalog: shop\n", ""), "write either `catalog`, its name, or `catalog_column`"),
        (PRODUCTS.replace("catalog: shop", "catalog: my_shop"), "a catalog's name has 1 to 255 letters"),
        (PRODUCTS.replace("item_id: sku\n", ""), "item_id: it is missing"),
        (PRODUCTS.replace("name: name", "name: title.de"), "title.de: the fields of a catalog have no periods"),
        (PRODUCTS + "constants: {a.b: 1}\n", "a.b: the fields of a catalog have no periods"),
        (PRODUCTS.replace("fields: {name: name, price: price}\n", ""), "`fields` says what an item holds"),
        (PRODUCTS + "match: {column: name, field: email}\n", "`match` names a user, and a catalog is none"),
        (PRODUCTS + "field_types: {prize: double}\n", "`field_types` names prize, which is no field"),
        (PRODUCTS + "field_types: {price: number}\n", "field_types.price: it must be 'boolean', 'date'"),
        (PRODUCTS + "field_types: {price: geo_location}\n", "price: a field is a geo_location if its name ends in"),
        (WHOLE + "mode: mirror\n", "mode: it must be 'insert'"),
        (WHOLE + "fields: {a: x}\n", "this object has no fields of your own"),
    ],
)
def test_what_a_wrong_file_is_told(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(SettingsError, match=rf"syncs/s.yml.*{told}"):
        load(tmp_path, text)
