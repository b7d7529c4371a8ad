"""Listings that change while they are read: rows leave and come between two pages (faults.md H35)."""

import threading
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request

_NAMES = ("id", "templateId", "itemId", "key", "name")


class Shifts:
    """What left each listing, and what came to its beginning, where it moves all other rows on."""

    def __init__(self) -> None:
        self._left: dict[str, set[str]] = {}
        self._came: dict[str, list[dict[str, Any]]] = {}
        self._lock = threading.Lock()

    def shown(self, listing: str, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """The rows of a listing as it is now."""
        left = self._left.get(listing, set())
        return [*self._came.get(listing, ()), *(each for each in rows if _name(each)[1] not in left)]

    def strike(self, request: Request, listing: str, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """The rows to answer a request with, after the fault that struck it, if any, has changed the listing."""
        fault = getattr(request.state, "fault", None)
        for _ in range(fault.options.get("rows", 1) if fault else 0):
            with self._lock:
                first = self.shown(listing, rows)[0]
                field, name = _name(first)
                if fault.kind == "row_leaves":
                    came = self._came.get(listing, [])
                    self._came[listing] = [each for each in came if _name(each)[1] != name]
                    self._left.setdefault(listing, set()).add(name)
                else:
                    fresh = first | {field: f"a-{name}" if isinstance(first[field], str) else first[field] - 1_000_000}
                    self._came.setdefault(listing, []).insert(0, fresh)
        return self.shown(listing, rows)


def _name(row: dict[str, Any]) -> tuple[str, str]:
    field = next(each for each in _NAMES if each in row)
    return field, str(row[field])
