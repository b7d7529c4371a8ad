"""Whole listings: every page, and pages that shift while they are read are read again (faults.md H35)."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from iterable_pipelines.api import Iterable as Client
from iterable_pipelines.api import Refused
from iterable_pipelines.api.paging import Page, pages_by_marker, pages_by_number, pages_by_offset, unwrapped
from iterable_pipelines.objects.lines import Fetched, Lines
from iterable_pipelines.objects.object_type import Listing, ObjectType
from iterable_pipelines.objects.questions import Question

_READINGS = 5


def fetch_listing(client: Client, kind: ObjectType, read: Listing, questions: Sequence[Question], to: Path) -> Fetched:
    """Write the listings of all questions to `to`. Raises IterableError if any page is missing.

    One question of several that is refused, such as a catalog that is gone by now, holds up no other. An answer without
    the expected array is Refused or Broken, not an empty listing.
    """
    reader = _Reader(client, kind, read, to)
    with to.open("wb") as file:
        for nth, question in enumerate(questions):
            try:
                parts = reader.read_until_steady(question)
            except Refused as refused:
                nothing_came = nth + 1 == len(questions) and not reader.fetched.requests
                if refused.status not in (400, 404) or nothing_came:
                    raise
                reader.fetched.lacks(str(refused))
                continue
            for part in parts:
                with part.open("rb") as reading:
                    shutil.copyfileobj(reading, file)
    return reader.fetched


@dataclass
class _Reader:
    """Reads listings into files beside `to`."""

    client: Client
    kind: ObjectType
    read: Listing
    to: Path
    lines: Lines = field(default_factory=Lines)
    fetched: Fetched = field(default_factory=Fetched)

    def read_until_steady(self, question: Question) -> list[Path]:
        """The files of the readings that count: the last one if it found the same as the one before it, else all.

        Rows move between pages when others come or go, so what takes more than one page, or has not as many rows as it
        says, is read again until two readings find the same.
        """
        path = question.at(self.read.endpoint)[0]
        parts: list[Path] = []
        before: tuple[set[int], int | None] | None = None
        for nth in range(_READINGS):
            parts.append(self.to.with_name(f"{self.to.name}.{nth}"))
            keys: set[int] = set()
            answers, total = 0, None
            # a lone surrogate is valid JSON and not valid UTF-8
            with parts[-1].open("w", encoding="utf-8", errors="replace") as file:
                for page in self._pages(question):
                    answers, total = answers + 1, page.total
                    for record in map(_as_object, page.items):
                        self.lines.add_record(file, question, record)
                        keys.add(_key_of(record, self.kind))
            self.fetched.requests += answers
            lacking = 0 if total is None else max(0, total - len(keys))
            if (answers == 1 and not lacking) or (keys, total) == before:
                if lacking:
                    self.fetched.lacks(f"{path} lists {len(keys):,} of the {total:,} it says there are")
                return parts[-1:]
            before = keys, total
        self.fetched.lacks(f"{path} changed while it was read, {_READINGS} times")
        return parts

    def _pages(self, question: Question) -> Iterator[Page]:
        path, query = question.at(self.read.endpoint)
        array, size, what = self.read.array, self.read.page_size, f"GET {path}"

        def ask(page: dict[str, Any]) -> dict[str, Any]:
            return self.client.get(path, query | page)

        if self.read.paging == "pages":
            return pages_by_number(ask, array, size, what)
        if self.read.paging == "offset":
            return pages_by_offset(ask, array, size, what)
        if self.read.paging == "marker":
            return pages_by_marker(ask, array, what)
        return iter([_one_answer(ask({}), self.read)])


def _one_answer(answer: dict[str, Any], read: Listing) -> Page:
    inner = unwrapped(answer, read.array)
    if not read.array:
        return Page([inner], None)
    items = inner.get(read.array)
    if isinstance(items, dict):
        return Page([{"name": name, "type": value} for name, value in items.items()], None)
    if not isinstance(items, list):
        raise Refused(f"{read.endpoint} answered without the array {read.array}")
    return Page(items, None)


def _as_object(item: Any) -> Any:
    """A bare text is its own name."""
    return {"name": item} if isinstance(item, str) else item


def _key_of(record: Any, kind: ObjectType) -> int:
    fields = [column.field_name for column in kind.columns if column.name in kind.key and not column.asked]
    return hash(tuple(repr(record.get(name)) for name in fields) if isinstance(record, dict) else repr(record))
