"""Fetch one kind of object, all of it, into a file of one JSON object a line."""

import json
from collections.abc import Iterator
from math import ceil
from pathlib import Path
from typing import Any

from iterable_pipelines.api import Iterable as Client
from iterable_pipelines.api import Refused
from iterable_pipelines.objects.declarations import ObjectType


def fetch(client: Client, kind: ObjectType, to: Path) -> int:
    """Write every object to `to` as {"line": n, "asked": query, "record": object}. Returns how many answers it took.

    Keys are sorted, so that a record is the same text as long as it says the same. Raises IterableError if any page is
    missing: a file that is there is complete. An answer without the expected array is Refused, not an empty listing.
    """
    line = answers = 0
    # a lone surrogate is valid JSON and not valid UTF-8
    with to.open("w", encoding="utf-8", errors="replace") as file:
        for asked in kind.passes:
            first = line
            for record in _records(client, kind, asked):
                if not isinstance(record, dict) or not isinstance(record.get(kind.id_field), int):
                    raise Refused(f"{kind.endpoint} answered something in {kind.key} without a number {kind.id_field}")
                json.dump({"line": line, "asked": asked, "record": record}, file, ensure_ascii=False, sort_keys=True)
                file.write("\n")
                line += 1
            answers += max(1, ceil((line - first) / (kind.page_size or line + 1)))
    return answers


def _records(client: Client, kind: ObjectType, asked: dict[str, str]) -> Iterator[Any]:
    if kind.page_size is not None:
        yield from client.get_pages(kind.endpoint, kind.key, asked, page_size=kind.page_size)
        return
    answer = client.get(kind.endpoint, asked)
    if not isinstance(answer.get(kind.key), list):
        raise Refused(f"{kind.endpoint} answered without the array {kind.key}")
    yield from answer[kind.key]
