"""Which records a RequestFieldsTypesMismatched is about (R8): Iterable names the field and a value, not the record."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from iterable_pipelines.activation.outcomes import Outcome
from iterable_pipelines.activation.requests import Change

# what JSON types a field of Iterable's takes; None is taken by all
_TAKES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "keyword": (str,),
    "date": (str,),
    "long": (int, float),
    "double": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "nested": (dict,),
    "geo_location": (dict,),
}


@dataclass(frozen=True)
class Mismatch:
    """A field of a record whose value is not of the field's type."""

    field: str
    incoming: str
    expected: str

    @property
    def outcome(self) -> Outcome:
        """The rejection of the record."""
        text = f"{self.field}: {self.incoming}→{self.expected}"
        return Outcome("rejected", "field_type_mismatch", text, f"dataFields.{self.field}")


def mismatched(changes: Sequence[Change], errors: Any) -> dict[int, list[Mismatch]]:
    """The records that hold an offending value, by number; empty if none is found."""
    found: dict[int, list[Mismatch]] = {}
    if not isinstance(errors, dict):
        return found
    payloads = [(change, change.read()) for change in changes]
    for key, error in errors.items():
        scope, _, name = str(key).rpartition(":::")
        if not isinstance(error, dict):
            continue
        incoming, expected = error.get("incomingTypes") or ["another type"], str(error.get("expectedType"))
        mismatch = Mismatch(name, str(incoming[0]), expected)
        of_event = any(payload.get("eventName") == scope for _, payload in payloads)
        for change, payload in payloads:
            if of_event and payload.get("eventName") != scope:
                continue
            for value in _values(payload, name):
                if _same(value, error.get("offendingValue")) or not _fits(value, expected):
                    found.setdefault(change.number, []).append(mismatch)
                    break
    return found


def without(change: Change, wrong: Sequence[Mismatch]) -> Change:
    """The record without those fields (on_type_mismatch: drop_field)."""
    payload = change.read()
    for each in wrong:
        inside = _fields(payload)
        *parents, last = [each.field] if each.field in inside else each.field.split(".")
        for parent in parents:
            inside = inside.get(parent) or {}
        inside.pop(last, None)
    return replace(change, payload=json.dumps(payload, separators=(",", ":"), ensure_ascii=False))


def _fields(payload: dict[str, Any]) -> dict[str, Any]:
    # a purchase has its user's fields besides its own
    return payload.get("dataFields") or (payload.get("user") or {}).get("dataFields") or {}


def _values(payload: dict[str, Any], name: str) -> list[Any]:
    """The values at a field, whose name may hold dots or stand for a path."""
    fields = _fields(payload)
    if name in fields:
        return [fields[name]]
    at: list[Any] = [fields]
    for part in name.split("."):
        parts = [each for one in at for each in (one if isinstance(one, list) else [one])]
        at = [each[part] for each in parts if isinstance(each, dict) and part in each]
    return at


def _same(value: Any, other: Any) -> bool:
    return type(value) is type(other) and bool(value == other)


def _fits(value: Any, expected: str) -> bool:
    takes = _TAKES.get(expected)
    if value is None or takes is None:
        return True
    if isinstance(value, list):
        return all(_fits(each, expected) for each in value)
    return isinstance(value, takes) and (expected == "boolean" or not isinstance(value, bool))
