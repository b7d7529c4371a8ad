"""The three ways in which Iterable gives a long listing: by page, by offset, by marker (api.md 1.7)."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from iterable_pipelines.api.errors import Broken, Refused

Ask = Callable[[dict[str, Any]], dict[str, Any]]

# the largest page every version of every endpoint takes
_SAFE_PAGE = 100
_TOTAL = re.compile(r"total(\w*Count)?")


@dataclass(frozen=True)
class Page:
    """The items of one answer, and how many it says there are in all, where it says so."""

    items: list[Any]
    total: int | None


def pages_by_number(ask: Ask, array: str, page_size: int, what: str) -> Iterator[Page]:
    """Pages 1, 2, … as long as there is a nextPageUrl, which itself is never followed, or the total is not reached.

    `ask` gets the parameters of a page. A page beyond the first that is refused with 400 ends the listing: how deep
    paging goes is not documented, and the total tells what is missing. Raises Broken for a page without its list, or
    one that comes a second time: paging that loops would never end (faults.md H34).
    """
    seen = _Seen(what)
    number, read, total = 1, 0, None
    while True:
        try:
            answer = ask({"page": number, "pageSize": page_size})
        except Refused as refused:
            if refused.status != 400 or (number == 1 and page_size <= _SAFE_PAGE):
                raise
            if number == 1:
                yield from pages_by_number(ask, array, _SAFE_PAGE, what)
                return
            if total is None:
                raise
            return
        page = page_of(answer, array, f"{what}: page {number}")
        yield page
        read, total = read + len(page.items), page.total
        if not unwrapped(answer, array).get("nextPageUrl") and (not page.items or read >= (total or 0)):
            return
        seen.check(page, number)
        number += 1


def pages_by_offset(ask: Ask, array: str, page_size: int, what: str) -> Iterator[Page]:
    """Pages by limit and offset, until the total is reached or, where none is told, a page is not full."""
    seen = _Seen(what)
    read = number = 0
    while True:
        page = page_of(ask({"limit": page_size, "offset": read}), array, f"{what}: offset {read}")
        yield page
        read, number = read + len(page.items), number + 1
        if not page.items or (len(page.items) < page_size if page.total is None else read >= page.total):
            return
        seen.check(page, number)


def pages_by_marker(ask: Ask, array: str, what: str) -> Iterator[Page]:
    """Pages as long as the answer names a nextMarker."""
    seen = _Seen(what)
    marker: Any = None
    number = 1
    while True:
        answer = ask({"nextMarker": marker} if marker else {})
        page = page_of(answer, array, f"{what}: page {number}")
        yield page
        marker = answer.get("nextMarker")
        if not marker:
            return
        seen.check(page, number)
        number += 1


def page_of(answer: dict[str, Any], array: str, what: str) -> Page:
    """One answer as a page. Raises Broken if there is no list under `array`."""
    inner = unwrapped(answer, array)
    items = inner.get(array)
    if not isinstance(items, list):
        raise Broken(f"{what} has no list {array!r}")
    pagination = inner.get("pagination")
    counts = inner | pagination if isinstance(pagination, dict) else inner
    totals = [value for name, value in counts.items() if _TOTAL.fullmatch(name) and isinstance(value, int)]
    return Page(items, totals[0] if totals else None)


def unwrapped(answer: dict[str, Any], array: str) -> dict[str, Any]:
    """What an answer holds, out of the envelope that reads of catalogs come in, and may not come in (api.md 5.8)."""
    params = answer.get("params")
    enveloped = array not in answer if array else set(answer) <= {"msg", "code", "params"}
    return params if enveloped and isinstance(params, dict) else answer


class _Seen:
    """The pages so far, by digest."""

    def __init__(self, what: str) -> None:
        self._what, self._digests = what, set[bytes]()

    def check(self, page: Page, number: int) -> None:
        digest = sha256(json.dumps(page.items).encode()).digest()
        if digest in self._digests:
            raise Broken(f"{self._what}: page {number} repeats an earlier page, so paging would never end")
        self._digests.add(digest)
