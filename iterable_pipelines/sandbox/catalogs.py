"""Catalogs and their items: the seeded ones, and what clients, or people in the UI, made of them (api.md 5.8, 6.4)."""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple

from iterable_pipelines.sandbox.chance import dice
from iterable_pipelines.sandbox.people import EPOCH

CATALOGS = {"products": 2_400, "stores": 3, "empty": 0}
Value = dict[str, Any]


@lru_cache(maxsize=10_000)
def item(seed: int, catalog: str, nth: int) -> dict[str, Any]:
    """One seeded item of a catalog; lastModified in epoch milliseconds, as clients have seen it."""
    chance = dice(seed, "catalog", catalog, nth)
    value = {
        "name": f"Thing {nth}",
        "price": round(chance.random() * 90, 2),
        "tags": ["a", "ü"],
        "sizes": {"s": 1},
        "stock": None,
    }
    return {
        "catalogName": catalog,
        # Item-3 is another item than item-3
        "itemId": f"item-{nth}" if nth != 7 else "Item-3",
        "lastModified": (EPOCH + nth) * 1000,
        "size": 96 + nth,
        "value": value,
    }


def compact(value: Value) -> bytes:
    """A value as it is stored and measured: JSON without blanks, as UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


class Item(NamedTuple):
    """What is kept of an item: epoch milliseconds, bytes, and its value as JSON, so that 100,000 of them are cheap."""

    modified: int
    size: int
    line: bytes


class Catalog:
    """One catalog. written: the ids that clients wrote or removed, in order; made: by a client."""

    def __init__(self, name: str, mappings: Mapping[str, str] | None = None, made: bool = True):
        self.name, self.made = name, made
        self.mappings = dict(mappings or {})
        self.fields: dict[str, None] = {}  # every field an item ever had, in order
        self.written: dict[str, None] = {}
        self._items: dict[str, Item] = {}

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, page: slice) -> list[dict[str, Any]]:
        """The items of a page, in the order of their first writing, as reads show them."""
        return [self._shown(*each) for each in islice(self._items.items(), page.start, page.stop)]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self._shown(*each) for each in self._items.items())

    def find(self, item_id: str) -> dict[str, Any] | None:
        """One item as reads show it; ids do not ignore case."""
        found = self._items.get(item_id)
        return self._shown(item_id, found) if found else None

    def put(self, item_id: str, value: Value, moment: int, size: int | None = None) -> None:
        """Make `value` all there is of an item; it is newer than before however little time went by."""
        before, line = self._items.get(item_id), compact(value)
        modified = max(moment, before.modified + 1) if before else moment
        self._items[item_id] = Item(modified, len(line) if size is None else size, line)
        self.fields |= dict.fromkeys(value)

    def remove(self, item_id: str) -> None:
        """Remove an item, if it is there."""
        self._items.pop(item_id, None)

    def writes(self) -> dict[str, Value | None]:
        """What clients made of items, by id; None for those they removed."""
        found = {each: self._items.get(each) for each in self.written}
        return {each: json.loads(kept.line) if kept else None for each, kept in found.items()}

    def _shown(self, item_id: str, kept: Item) -> dict[str, Any]:
        return {
            "catalogName": self.name,
            "itemId": item_id,
            "lastModified": kept.modified,
            "size": kept.size,
            "value": json.loads(kept.line),
        }


class Catalogs:
    """Every catalog of a project; names ignore case."""

    def __init__(self, seed: int, now: Callable[[], datetime]):
        self._seed, self._now = seed, now
        self._catalogs: dict[str, Catalog | None] = dict.fromkeys(CATALOGS)  # None: seeded, not looked at yet

    def names(self) -> list[str]:
        """The names as they were given, in order of creation."""
        return [key if each is None else each.name for key, each in self._catalogs.items()]

    def find(self, name: str) -> Catalog | None:
        """The catalog of this name, in any case; None for none."""
        key = name.lower()
        if self._catalogs.get(key, True) is None:
            self._catalogs[key] = self._seeded(key)
        return self._catalogs.get(key)

    def create(self, name: str) -> None:
        """An empty catalog."""
        self._catalogs[name.lower()] = Catalog(name)

    def delete(self, name: str) -> None:
        """The catalog goes, and all its items."""
        self._catalogs.pop(name.lower(), None)

    def write(self, name: str, item_id: str, value: Value | None, merge: bool = False) -> None:
        """Replace an item, lay `value` over it, or remove it (None). What was deleted meanwhile stays so."""
        catalog = self.find(name)
        if catalog is None:
            return
        catalog.written[item_id] = None
        if value is None:
            catalog.remove(item_id)
            return
        before = catalog.find(item_id) if merge else None
        catalog.put(item_id, (before["value"] if before else {}) | value, int(self._now().timestamp() * 1000))

    def writes(self) -> dict[str, Any]:
        """What clients made of catalogs: field types and items of those they created or wrote to; None for deleted."""
        known = {name: self._catalogs.get(name) for name in dict.fromkeys((*CATALOGS, *self._catalogs))}
        return {
            name: {"mappings": each.mappings, "items": each.writes()} if each is not None else None
            for name, each in known.items()
            if name not in self._catalogs or (each is not None and (each.made or each.written))
        }

    def _seeded(self, name: str) -> Catalog:
        catalog = Catalog(name, {"price": "double", "name": "string"}, made=False)
        for nth in range(CATALOGS[name]):
            each = item(self._seed, name, nth)
            catalog.put(each["itemId"], each["value"], each["lastModified"], each["size"])
        catalog.fields |= dict.fromkeys(("name", "price", "tags", "sizes", "stock"))
        return catalog
