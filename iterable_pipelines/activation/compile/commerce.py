"""Orders and carts: items and totals, from a list column or a call's `products` alike (C1–C7)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from iterable_pipelines.activation.compile.fields import Fields, json_or_text
from iterable_pipelines.activation.compile.identity import identifier
from iterable_pipelines.activation.compile.loose_names import pick, spellings
from iterable_pipelines.activation.records import Issue, number

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")
_TEXTS = (("sku", "sku"), ("description", "description"), ("url", "url"), ("imageUrl", "image_url"))


@dataclass(frozen=True)
class Items:
    """How items are read. `fields`: what becomes of members without a name of their own. `id_from_sku`: whether an SKU
    may stand for the id. `split`: what separates categories in a text.
    """

    fields: Fields
    id_from_sku: bool = False
    split: str | None = None

    def of(self, given: Any, issues: list[Issue], *, may_be_empty: bool) -> list[dict[str, Any]]:
        """`items` of a list of objects, or of JSON text of one; one that is wrong spoils the whole (C5)."""
        given = json_or_text(given)
        if given is None or (given == [] and not may_be_empty) or given == "":
            issues.append(Issue("missing_products", "items are required", "items"))
            return []
        if not isinstance(given, list | tuple):
            issues.append(Issue("invalid_products", "not a list of items", "items"))
            return []
        return [self._item(each, f"items[{at}]", issues) for at, each in enumerate(given)]

    def _item(self, given: Any, path: str, issues: list[Issue]) -> dict[str, Any]:
        if not isinstance(given, Mapping):
            issues.append(Issue("invalid_item", "not an object", path))
            return {}
        used: set[str] = set()

        def take(*names: str) -> Any:
            key, value = pick(given, *names)
            used.update({key} if key else ())
            return value

        def required(name: str, value: Any, why: str) -> Any:
            if value is None:
                issues.append(Issue("invalid_item", why, f"{path}.{name}"))
            return value

        key = take("product_id", "id")
        if key is None and self.id_from_sku:
            key = pick(given, "sku")[1]
        item = {
            "id": required("id", _text(key), "an id is required"),
            "name": required("name", _text(take("name")), "a name is required"),
            "price": required("price", amount(take("price")), "a number is required"),
            "quantity": required("quantity", _count(take("quantity")), "a whole number is required"),
        }
        for to, name in _TEXTS:
            value = take(name)
            if value is not None:
                item[to] = required(to, _text(value), "not a text")
        categories = self._categories(take("categories", "category"), f"{path}.categories", issues)
        if categories is not None:
            item["categories"] = categories
        # other spellings of what is taken already say nothing new
        used |= spellings(given, *(name for _, name in _TEXTS), "product_id", "name", "price", "quantity")
        data = self.fields.of_object(given, used, issues, path=path)
        return {**item, "dataFields": data} if data else item

    def _categories(self, given: Any, path: str, issues: list[Issue]) -> list[Any] | None:
        if isinstance(given, str):
            parts = given.split(self.split) if self.split else [given]
            return [part.strip() for part in parts if part.strip()]
        if given is None:
            return None
        if not isinstance(given, list | tuple):
            issues.append(Issue("invalid_item", "not a list of texts", path))
            return None
        return [self.fields.values.plain(each, f"{path}[{at}]", issues) for at, each in enumerate(given)]


def total_of(given: Any, items: list[dict[str, Any]], fallback: Any, issues: list[Issue]) -> Any:
    """`total`: a number, or a plain decimal text; where there is none, `fallback`, or the sum of the items (C3)."""
    if given is None or (isinstance(given, str) and not given.strip()):
        given = sum_of(items) if fallback == "sum_of_items" else fallback
    if given is None:
        issues.append(Issue("missing_total", "total is required", "total"))
        return None
    total = amount(given)
    if total is None:
        issues.append(Issue("invalid_total", "not a plain number", "total"))
    return total


def sum_of(items: list[dict[str, Any]]) -> Decimal | None:
    """Price times quantity of all items, exact; None if one of them is wrong."""
    if any(each.get("price") is None or each.get("quantity") is None for each in items):
        return None
    return sum((Decimal(str(each["price"])) * each["quantity"] for each in items), Decimal())


def amount(given: Any) -> Any:
    """A finite number, or a text of one without signs of thousands or currency; None for all else."""
    if isinstance(given, str):
        text = given.strip()
        return number(Decimal(text)) if _NUMBER.fullmatch(text) else None
    if isinstance(given, bool) or not isinstance(given, int | float | Decimal):
        return None
    exact = Decimal(str(given)) if isinstance(given, float) else Decimal(given)
    if not exact.is_finite():
        return None
    return given if isinstance(given, float) else number(exact)


def _count(given: Any) -> int | None:
    found = amount(given)
    return int(found) if found is not None and found == int(found) and abs(found) < 2**63 else None


def _text(given: Any) -> str | None:
    known = None if given is None else identifier(given)
    return known.strip() or None if known is not None else None
