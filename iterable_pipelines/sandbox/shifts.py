"""Listings that change while they are read: rows leave and come between two pages (faults.md H35)."""

import threading
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from starlette.requests import Request

from iterable_pipelines.sandbox.faults import Fault

_NAMES = ("id", "templateId", "itemId", "key", "name")


class Rows(Protocol):
    """The rows of a listing, of which a page is taken without making all of them."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[dict[str, Any]]: ...

    def __getitem__(self, page: slice, /) -> Sequence[dict[str, Any]]: ...


class Shifts:
    """What left each listing, and what came to its beginning, where it moves all other rows on."""

    def __init__(self) -> None:
        self._left: dict[str, set[str]] = {}
        self._came: dict[str, list[dict[str, Any]]] = {}
        self._lock = threading.Lock()

    def shown(self, listing: str, rows: Rows) -> Rows:
        """The rows of a listing as it is now: `rows` themselves if nothing has moved."""
        if listing not in self._left and listing not in self._came:
            return rows
        left = self._left.get(listing, set())
        return [*self._came.get(listing, ()), *(each for each in rows if _name(each)[1] not in left)]

    def strike(self, request: Request, listing: str, rows: Rows) -> Rows:
        """The rows to answer a request with, after the fault that struck it, if any, has changed the listing."""
        fault: Fault | None = getattr(request.state, "fault", None)
        if fault is None:
            return self.shown(listing, rows)
        with self._lock:
            now = list(self.shown(listing, rows))
            for _ in range(fault.options.get("rows", 1)):
                field, name = _name(now[0])
                came = self._came.setdefault(listing, [])
                if fault.kind == "row_comes":
                    value = now[0][field]
                    came.insert(0, now[0] | {field: f"a-{value}" if isinstance(value, str) else value - 1_000_000})
                    now.insert(0, came[0])
                elif now.pop(0) in came:
                    came.pop(0)
                else:
                    self._left.setdefault(listing, set()).add(name)
            return now


def _name(row: dict[str, Any]) -> tuple[str, str]:
    field = next(each for each in _NAMES if each in row)
    return field, str(row[field])
