"""Types of the fields that clients write: the first value fixes one for ever (api.md 1.9), and too many are refused."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from iterable_pipelines.sandbox.errors import Refused, refusal

LONGEST_VALUE = 32_000
MOST_EVENT_FIELDS = 8_000
PROJECT = "sandbox"
DRIFTING = ("score",)  # the seeded world's own fields that never had one type
GEO, LEFT_OUT = "_geo_location", object()
MANAGED = {"email", "userId"}  # names of people, never typed
PLAIN = {bool: "boolean", int: "long", float: "double", str: "string"}
NUMBERS = {"long", "double"}
# api.md 1.6: these and no others are dates, without milliseconds the T-form is a string
DATE = re.compile(r"\d{4}-\d\d-\d\d( \d\d:\d\d:\d\d( [+-]\d\d:\d\d)?|T\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d:\d\d))?")

Fields = dict[str, Any]


def field_types(records: Iterable[Fields]) -> dict[str, str]:
    """Name and Iterable's type of every field in the records; the first type ever seen stays (api.md 1.9)."""
    types: dict[str, str] = {}
    for record in records:
        for name, value in record.items():
            if value is not None:
                types.setdefault(name, type_of(name, value))
    return types


def type_of(name: str, value: Any) -> str:
    """Iterable's name for the type of a value; fields named for moments are dates."""
    if name.endswith(("At", "Date")):
        return "date"
    kinds = ((bool, "boolean"), (int, "long"), (float, "double"), (str, "string"))
    return next((kind for python, kind in kinds if isinstance(value, python)), "object")


def kind_of(value: Any) -> str | None:
    """Iterable's name for the type of a value; of a list, the type of what is in it; None if it has none yet."""
    if isinstance(value, list):
        return next((kind for each in value if (kind := kind_of(each)) is not None), None)
    if isinstance(value, dict):
        return "object"
    if isinstance(value, str) and DATE.fullmatch(value):
        return "date"
    return PLAIN.get(type(value))


def fits(value: Any, kind: str | None, expected: str) -> bool:
    """Whether a value of this kind may go where `expected` was stored first."""
    if kind is None or kind == expected or {kind, expected} <= NUMBERS:
        return True
    if expected == "object":  # what the seeded world calls its lists
        return isinstance(value, list)
    return (expected == "string" and kind == "date") or (expected == "date" and kind in NUMBERS)


@dataclass
class Schema:
    """The fields of users, or of the events of one name: type by name, dotted inside objects. `most` may be."""

    category: str
    most: int
    types: dict[str, str] = field(default_factory=dict)
    seeded: Callable[[], dict[str, str]] | None = None

    def known(self) -> dict[str, str]:
        """Every field so far; those of the seeded world are looked up the first time."""
        if self.seeded is not None:
            self.types, self.seeded = self.seeded() | self.types, None
        return self.types


@dataclass
class Looked:
    """One row's fields: those that may be stored, and whether any of their values is one that nothing can store."""

    fields: Fields
    spoilt: bool = False


class Examination:
    """Looks at all rows of a request before any of them is stored; one wrong type refuses them all (api.md 1.4)."""

    def __init__(self) -> None:
        self.created: set[str] = set()
        self.filtered: set[str] = set()
        self._wrong: dict[str, Fields] = {}
        self._fresh: dict[int, tuple[Schema, dict[str, str]]] = {}

    def look(self, schema: Schema, fields: Fields, create: bool) -> Looked:
        """Check one row. With `create`, unknown fields are new ones, otherwise they are left out."""
        known, (_, fresh) = schema.known(), self._fresh.setdefault(id(schema), (schema, {}))
        looked = Looked(fields)
        for name, value in fields.items():
            expected = known.get(name) or fresh.get(name)
            # nearly all values are numbers, flags and short text of the type expected
            if PLAIN.get(type(value)) == expected and expected is not None:
                if expected == "string" and len(value) > LONGEST_VALUE:
                    looked.spoilt = True
            elif value is not None and name not in MANAGED:
                if not create:
                    looked.fields = looked.fields | {name: self._known_only(known, name, value)}
                    if looked.fields[name] is LEFT_OUT:
                        looked.fields.pop(name)
                        continue
                looked.spoilt |= self._odd(schema, known, fresh, name, looked.fields[name])
        return looked

    def _known_only(self, known: dict[str, str], path: str, value: Any) -> Any:
        """The value without what has no field yet, inside objects too (outbound R5); LEFT_OUT if it has none itself."""
        if path not in known:
            self.filtered.add(path)
            return LEFT_OUT
        if not isinstance(value, dict) or path.endswith(GEO):
            return value
        inside = {name: self._known_only(known, f"{path}.{name}", each) for name, each in value.items()}
        return {name: each for name, each in inside.items() if each is not LEFT_OUT}

    def _odd(self, schema: Schema, known: dict[str, str], fresh: dict[str, str], path: str, value: Any) -> bool:
        """Type the value at `path` and what is inside it; True if it can never be stored."""
        if path.endswith(GEO):
            fresh.setdefault(path, "geo_location")
            numbers = isinstance(value, dict) and all(type(each) in (int, float) for each in value.values())
            return not numbers or set(value) != {"lat", "lon"}
        kind, expected = kind_of(value), known.get(path) or fresh.get(path)
        if expected is None and kind is not None:
            fresh[path] = kind
        elif path not in DRIFTING and expected is not None and not fits(value, kind, expected):
            self._mismatch(schema, path, kind or "", expected, value)
        inside = value if isinstance(value, list) else [value]
        spoilt = any(isinstance(each, str) and len(each) > LONGEST_VALUE for each in inside)
        for each in inside:
            if isinstance(each, dict):
                for name, child in each.items():
                    spoilt |= child is not None and self._odd(schema, known, fresh, f"{path}.{name}", child)
        return spoilt

    def _mismatch(self, schema: Schema, path: str, kind: str, expected: str, value: Any) -> None:
        self._wrong.setdefault(
            f"{PROJECT}:::{path}",
            {
                "incomingTypes": ["string", "keyword"] if kind == "string" else [kind],
                "expectedType": expected,
                "category": schema.category,
                "offendingValue": value,
                "_type": "UnexpectedType",
            },
        )

    def finish(self) -> None:
        """Keep the new fields. Raises Refused for wrong types, or for more fields than there may be."""
        if self._wrong:
            errors = {"validationErrors": self._wrong}
            raise Refused(refusal(400, "RequestFieldsTypesMismatched", "Request fields types mismatched", errors))
        for schema, fresh in self._fresh.values():
            if fresh and len(schema.types) + len(fresh) > schema.most:
                message = f"Unique fields limit exceeded: at most {schema.most} {schema.category} fields"
                raise Refused(refusal(400, "UniqueFieldsLimitExceeded", message))
        for schema, fresh in self._fresh.values():
            schema.types.update(fresh)
            self.created.update(fresh)
