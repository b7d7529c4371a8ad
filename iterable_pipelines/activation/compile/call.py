"""A row that is one of Segment's calls: its members, and who it is of (I1, K4)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from iterable_pipelines.activation.compile.compiler import Row
from iterable_pipelines.activation.compile.fields import json_or_text
from iterable_pipelines.activation.compile.loose_names import pick
from iterable_pipelines.activation.records import Issue

Object = Mapping[str, Any]


@dataclass(frozen=True)
class Call:
    """One call. `members`: what stands in its columns; the objects are never None."""

    members: Object
    traits: Object
    properties: Object
    context: Object

    @classmethod
    def of(cls, row: Row, columns: Mapping[str, str], issues: list[Issue]) -> "Call":
        """The call of a row; `columns`: the column of each member."""
        members = {member: row.get(column) for member, column in columns.items()}
        return cls(
            members,
            _object(members.get("traits"), "traits", issues),
            _object(members.get("properties"), "properties", issues),
            _object(members.get("context"), "context", issues),
        )

    @property
    def type(self) -> str:
        """identify, track, page, screen, alias or group; "" if it says none."""
        said = self.members.get("type")
        return said.strip().lower() if isinstance(said, str) else ""

    @property
    def of_context(self) -> Object:
        """context.traits."""
        inner = self.context.get("traits")
        return inner if isinstance(inner, Mapping) else {}

    def email(self) -> Any:
        """The first there is; only the word email counts (I1)."""
        own = self.traits if self.type == "identify" else self.properties
        return _first(own.get("email"), self.members.get("email"), self.of_context.get("email"))

    def user_id(self, *, anonymous: bool) -> Any:
        """The first there is; `anonymous`: an anonymousId may stand for it (0.18)."""
        there = (self.traits.get("userId"), self.traits.get("id"))
        around = (self.of_context.get("userId"), self.of_context.get("id"))
        last = self.members.get("anonymous_id") if anonymous else None
        return _first(self.members.get("user_id"), *there, *around, last)

    def named(self, name: str) -> str:
        """A member, or else the property, of that name, as text without blanks around it; "" if there is none."""
        found = _first(self.members.get(name), pick(self.properties, name)[1])
        return found.strip() if isinstance(found, str) else ""


def _first(*values: Any) -> Any:
    return next(
        (each for each in values if each is not None and not (isinstance(each, str) and not each.strip())), None
    )


def _object(given: Any, path: str, issues: list[Issue]) -> Object:
    given = json_or_text(given)
    if given is None or given == "" or given == []:
        return {}
    if isinstance(given, Mapping):
        return given
    # Arrow gives a MAP as pairs
    if isinstance(given, list) and all(isinstance(each, tuple) and len(each) == 2 for each in given):
        return {str(name): value for name, value in given}
    issues.append(Issue("unserializable_value", "not an object", path))
    return {}
