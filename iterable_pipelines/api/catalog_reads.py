"""Catalogs, straight from Iterable: the types of their fields, one item, all items page by page (api.md 5.8)."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from iterable_pipelines.api.client import Iterable
from iterable_pipelines.api.errors import Refused
from iterable_pipelines.api.paging import page_of, unwrapped

# the largest page that clients have asked for (api.md 5.8)
ITEMS_A_PAGE = 1000


def read_field_types(client: Iterable, catalog: str) -> dict[str, str] | None:
    """The types of the fields that have one, by name; None if there is no such catalog."""
    return _read(client, f"{_path(catalog)}/fieldMappings", "definedMappings")


def read_item(client: Iterable, catalog: str, item_id: str) -> dict[str, Any] | None:
    """The value of an item; None if there is no such item, or no such catalog."""
    return _read(client, f"{_path(catalog)}/items/{quote(item_id, safe='')}", "value")


def read_items(client: Iterable, catalog: str) -> Iterator[dict[str, Any]]:
    """Every item: itemId, value, lastModified, size. How deep paging goes is not documented: some may not be shown."""
    return client.get_pages(f"{_path(catalog)}/items", "catalogItemsWithProperties", page_size=ITEMS_A_PAGE)


def count_items(client: Iterable, catalog: str) -> int | None:
    """How many items a catalog says it has; None if it does not say."""
    array = "catalogItemsWithProperties"
    return page_of(client.get(f"{_path(catalog)}/items", {"page": 1, "pageSize": 1}), array, catalog).total


def _path(catalog: str) -> str:
    return f"/api/catalogs/{quote(catalog, safe='')}"


def _read(client: Iterable, path: str, member: str) -> dict[str, Any] | None:
    """An object of an answer, in its envelope or bare (api.md 5.8); None for what is not there."""
    try:
        answer = client.get(path)
    except Refused as error:
        if error.status == 404:
            return None
        raise
    found = unwrapped(answer, member).get(member)
    return found if isinstance(found, dict) else {}
