"""Catalogs and their items: rows become documents (outbound.md 4.1, api.md 6.4)."""

import re
from collections.abc import Iterator
from datetime import date
from typing import Any

from iterable_pipelines.activation.catalogs import (
    NAME,
    CatalogSync,
    FieldType,
    WholeCatalogSync,
    item_identity,
    item_of,
)
from iterable_pipelines.activation.compile.compiler import Acknowledged, Row
from iterable_pipelines.activation.compile.identity import identifier
from iterable_pipelines.activation.compile.rows import RowCompiler, wrong
from iterable_pipelines.activation.compile.values import read_moment
from iterable_pipelines.activation.records import Compiled, Identity, Issue, Record, wire

ITEM, CATALOG = "item", "catalog"
_UPDATE = "catalog_item_update"
# api.md 2.1: 30 kB, taken for the smaller of what that can mean; and faults.md D32
LARGEST_VALUE, MOST_FIELDS = 30_000, 350
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


class CatalogCompiler(RowCompiler[CatalogSync]):
    """Rows of a catalog sync."""

    def compile(self, pk: str, row: Row, seq: int = 0, before: Acknowledged | None = None) -> Compiled:
        """The item of a row, or what is wrong with it."""
        issues: list[Issue] = []
        column = self.sync.catalog_column
        catalog = self.sync.catalog if column is None else _named(row.get(column), "catalog", issues)
        item_id = _named(row.get(self.sync.item_id), "item_id", issues)
        if self.sync.mode == "remove":
            gone = () if catalog is None or item_id is None else (_gone(catalog, item_id),)
            return Compiled(gone, tuple(issues))
        value, _ = self.fields.of_row(row, issues)
        self._check(value, issues)
        if catalog is None or item_id is None or wrong(issues):
            return Compiled(issues=tuple(issues))
        return Compiled((self._record(catalog, item_id, value),), tuple(issues))

    def leave(self, acknowledged: Acknowledged) -> Record | None:
        """The item is deleted, if the sync says so."""
        if self.sync.on_leave != "delete" or acknowledged.identity is None:
            return None
        return _gone(*item_of(acknowledged.identity.value))

    def _record(self, catalog: str, item_id: str, value: dict[str, Any]) -> Record:
        sync, identity = self.sync, item_identity(catalog, item_id)
        flags: dict[str, Any] = {"catalog": catalog}
        payload: dict[str, Any]
        if sync.delivery == "bulk" and sync.mode != "update":
            endpoint, payload = "catalog_items", {"id": item_id, "value": value}
            flags["replaceUploadedFieldsOnly"] = not sync.replace
        else:
            endpoint, payload = ("catalog_item", {"value": value}) if sync.replace else (_UPDATE, {"update": value})
            flags["itemId"] = item_id
        compared = {"value": {name: each for name, each in value.items() if name not in sync.volatile}}
        return Record(ITEM, endpoint, payload, identity, identity.key, flags, compared=compared)

    def _check(self, value: dict[str, Any], issues: list[Issue]) -> None:
        check_item(value, issues)
        for name, kind in self.sync.field_types.items():
            if not _is_of_type(value.get(name), kind):
                issues.append(Issue("field_type_mismatch", f"not of the type {kind} that `field_types` gives it", name))


class WholeCatalogCompiler(RowCompiler[WholeCatalogSync]):
    """Rows of a sync of catalogs."""

    def compile(self, pk: str, row: Row, seq: int = 0, before: Acknowledged | None = None) -> Compiled:
        """The catalog that a row names."""
        issues: list[Issue] = []
        catalog = _named(row.get(self.sync.catalog_column), "catalog", issues)
        if catalog is None:
            return Compiled(issues=tuple(issues))
        identity = Identity("catalog", catalog.lower())
        endpoint = "whole_catalog_gone" if self.sync.mode == "remove" else "whole_catalog"
        return Compiled((Record(CATALOG, endpoint, {}, identity, identity.key, {"catalog": catalog}),))

    def leave(self, acknowledged: Acknowledged) -> Record | None:
        """The catalog is deleted with all its items, if the sync says so."""
        identity = acknowledged.identity
        if self.sync.on_leave != "delete" or identity is None:
            return None
        return Record(CATALOG, "whole_catalog_gone", {}, identity, acknowledged.key, {"catalog": identity.value})


def check_item(value: dict[str, Any], issues: list[Issue]) -> None:
    """What Iterable would refuse of an item, or drop without a word because it looks at items after its answer."""
    for path in _with_period(value, ""):
        issues.append(Issue("catalog_field_name", "the fields of a catalog have no periods in their names", path))
    if len(value) > MOST_FIELDS:
        issues.append(Issue("catalog_field_limit", f"{len(value):,} fields, and {MOST_FIELDS} are the most"))
    size = len(wire(value).encode())
    if size > LARGEST_VALUE:
        issues.append(
            Issue("catalog_value_too_large", f"an item of {size:,} bytes, and {LARGEST_VALUE:,} are the most")
        )


def _gone(catalog: str, item_id: str) -> Record:
    identity = item_identity(catalog, item_id)
    return Record(ITEM, "catalog_items_gone", {"id": item_id}, identity, identity.key, {"catalog": catalog})


def _named(given: Any, what: str, issues: list[Issue]) -> str | None:
    """The name of a catalog or an item, as it is written; an Issue for what is none."""
    name = identifier(given)
    if name is not None and NAME.fullmatch(name):
        return name
    issues.append(Issue(f"invalid_{what}", "1 to 255 letters without accents, digits and dashes are a name", what))
    return None


def _with_period(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            here = f"{path}.{name}" if path else str(name)
            if "." in name:
                yield here
            yield from _with_period(inner, here)
    elif isinstance(value, list):
        for nth, inner in enumerate(value):
            yield from _with_period(inner, f"{path}[{nth}]")


def _is_date(text: str) -> bool:
    try:
        return read_moment(text) is not None or bool(_DAY.fullmatch(text) and date.fromisoformat(text))
    except ValueError:
        return False


def _is_of_type(value: Any, kind: FieldType) -> bool:
    """Whether a value is of a type; an array is if all its members are, and nothing is of every type."""
    if value is None:
        return True
    if isinstance(value, list):
        return all(_is_of_type(each, kind) for each in value)
    match kind:
        case "boolean":
            return isinstance(value, bool)
        case "string":
            return isinstance(value, str)
        case "date":
            return isinstance(value, str) and _is_date(value)
        case "object" | "geo_location":
            return isinstance(value, dict)
        case "long":
            return not isinstance(value, bool) and isinstance(value, int | float) and value == int(value)
        case "double":
            return not isinstance(value, bool | str | dict)
