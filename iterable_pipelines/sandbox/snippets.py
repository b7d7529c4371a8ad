"""Snippets: seeded ones, and what clients made of them (api.md 5.9, 6.5)."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

SNIPPETS = 3
Fields = dict[str, Any]


def snippet(nth: int) -> Fields:
    """A seeded snippet; its times are ISO 8601."""
    when = "2025-01-01T00:00:00.000Z"
    return {
        "id": 700 + nth,
        "name": f"footer-{nth}",
        "description": "",
        "content": "<p>{{unsubscribeUrl}} größe</p>",
        "variables": ["unsubscribeUrl"],
        "projectId": 9079,
        "createdAt": when,
        "createdBy": "marketing@example.com",
        "updatedAt": when,
        "updatedBy": "marketing@example.com",
    }


class Snippets:
    """Every snippet of a project, by id."""

    def __init__(self, now: Callable[[], datetime]):
        self._now = now
        self._by_id: dict[int, Fields] = {each["id"]: each for each in map(snippet, range(SNIPPETS))}
        self._next = max(self._by_id) + 1
        self.written: dict[str, None] = {}  # the names clients wrote, in order

    def all(self) -> list[Fields]:
        """Every snippet, as GET /api/snippets lists it."""
        return list(self._by_id.values())

    def find(self, identifier: str) -> Fields | None:
        """The snippet of this id, if all are digits, or of this name; None for none."""
        if identifier.isdigit():
            return self._by_id.get(int(identifier))
        return next((each for each in self.all() if each["name"] == identifier), None)

    def write(self, name: str, fields: Fields, by: str) -> int:
        """Make a snippet, or lay `fields` over the one of this name; returns its id."""
        when = f"{self._now():%Y-%m-%dT%H:%M:%S}.000Z"
        known = self.find(name) if not name.isdigit() else None
        if known is None:
            known = snippet(0) | {"id": self._next, "name": name, "content": "", "variables": []}
            known |= {"createdAt": when, "createdBy": by}
            self._next += 1
        self._by_id[known["id"]] = known | fields | {"updatedAt": when, "updatedBy": by}
        self.written[name] = None
        return int(known["id"])

    def delete(self, snippet_id: int) -> None:
        """The snippet goes."""
        self.written[self._by_id.pop(snippet_id)["name"]] = None

    def writes(self) -> dict[str, Fields | None]:
        """What clients made of snippets, by name; None for those they deleted."""
        found = {name: self.find(name) for name in self.written}
        keys = ("description", "content", "variables")
        return {name: each and {key: each[key] for key in keys} for name, each in found.items()}
