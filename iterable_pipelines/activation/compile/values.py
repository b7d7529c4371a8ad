"""Values of a row as Iterable takes them: dates, numbers, text, nested ones (V1–V4, V8)."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson

from iterable_pipelines.activation.records import Issue, number

# api.md 1.9: about 32,000 characters of a value
LONGEST_TEXT = 32_000
_DATE_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2}(?::[0-9]{2})?)(?:[.,][0-9]+)?"
    r"\s?(Z|[+-][0-9]{2}(?::?[0-9]{2})?)?"
)
# of objects within objects: the JSON library stops at 254
_DEEPEST = 100
_INT64 = range(-(2**63), 2**63)


@dataclass(frozen=True)
class Values:
    """How values are read. `zone`: of timestamps without one. `iso`: whether texts may be date-times. `nulls`: whether
    NULLs inside objects are kept (V5). `truncate`: whether a text of more than `longest` characters is cut (V8).
    """

    zone: tzinfo = UTC
    iso: bool = True
    nulls: bool = True
    truncate: bool = False
    longest: int = LONGEST_TEXT

    def plain(self, value: Any, path: str, issues: list[Issue], depth: int = 0) -> Any:
        """`value` as JSON has it. What cannot be sent becomes an Issue with its `path`, and None."""
        kind = type(value)
        if kind is str:
            return self._text(value, path, issues)
        if value is None or kind is bool:
            return value
        if kind is int:
            return value if value in _INT64 else _unserializable("an integer beyond 64 bits", path, issues)
        if kind is float:
            return value if math.isfinite(value) else _unserializable("not a finite number", path, issues)
        if isinstance(value, datetime):
            return self._moment(value, path, issues)
        if isinstance(value, date):
            return value.isoformat()
        if isinstance(value, Decimal):
            return self._decimal(value, path, issues)
        if depth == _DEEPEST:
            return _unserializable("nested too deeply", path, issues)
        if isinstance(value, Mapping):
            return self._object(value.items(), path, issues, depth + 1)
        if isinstance(value, list | tuple):
            # Arrow gives a MAP as pairs
            if value and all(type(each) is tuple and len(each) == 2 for each in value):
                return self._object(value, path, issues, depth + 1)
            return [self.plain(each, f"{path}[{at}]", issues, depth + 1) for at, each in enumerate(value)]
        if isinstance(value, UUID):
            return str(value)
        return _unserializable(_named(value), path, issues)

    def moment(self, value: datetime) -> str:
        """A timestamp in UTC, its parts of a second cut off (V1). Raises OverflowError beyond the calendar."""
        if value.tzinfo is None:
            value = value.replace(tzinfo=self.zone)
        return f"{value.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat(' ')} +00:00"

    def _text(self, value: str, path: str, issues: list[Issue]) -> str | None:
        if self.iso and 16 <= len(value) <= 40 and value[4] == "-" and value[13] == ":":
            found = read_moment(value)
            if found is not None:
                try:
                    return self.moment(found)
                except OverflowError:
                    return value
        if len(value) <= self.longest:
            return value
        if not self.truncate:
            issues.append(Issue("value_too_long", f"longer than {self.longest:,} characters", path))
            return None
        issues.append(Issue("value_near_limit", f"cut to {self.longest:,} characters", path, "warning"))
        return value[: self.longest]

    def _moment(self, value: datetime, path: str, issues: list[Issue]) -> Any:
        try:
            return self.moment(value)
        except OverflowError:
            return _unserializable("a timestamp beyond the calendar", path, issues)

    def _decimal(self, value: Decimal, path: str, issues: list[Issue]) -> Any:
        if not value.is_finite():
            return _unserializable("not a finite number", path, issues)
        if value.as_tuple().exponent < 0:  # type: ignore[operator]
            # 5.00 is a double: a first 5 would make the field one of integers for ever (api.md 1.9)
            exact = number(value)
            return float(exact) if type(exact) is int and abs(exact) < 2**53 else exact
        whole = int(value)
        return whole if whole in _INT64 else _unserializable("an integer beyond 64 bits", path, issues)

    def _object(self, items: Any, path: str, issues: list[Issue], depth: int) -> dict[str, Any]:
        given = {}
        for name, value in items:
            if value is not None or self.nulls:
                name = key_of(name)
                given[name] = self.plain(value, f"{path}.{name}" if path else name, issues, depth)
        return given


def verbatim(zone: tzinfo, nulls: bool) -> Values:
    """For content, such as HTML: texts as they are, however long. The limit of a profile's field is none of theirs."""
    return Values(zone, iso=False, nulls=nulls, longest=2**31)


def read_moment(text: str) -> datetime | None:
    """An ISO 8601 date-time, parts of a second cut off; None for what only resembles one (V2)."""
    found = _DATE_TIME.fullmatch(text)
    if not found:
        return None
    day, clock, offset = found.groups()
    try:
        return datetime.fromisoformat(f"{day}T{clock}{offset or ''}")
    except ValueError:
        return None


def read_json(text: str) -> Any:
    """The value of JSON text, its numbers exact. Raises ValueError for what is no JSON."""
    value = json.loads(text, parse_float=Decimal, parse_constant=_no_constant)
    if "\\u" in text:
        try:
            orjson.dumps(value, default=str)
        except orjson.JSONEncodeError as error:
            raise ValueError("half a character") from error
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def key_of(name: Any) -> str:
    """The key of an object, which may be of any type in a MAP, as JSON has it."""
    return name if isinstance(name, str) else str(name).lower() if isinstance(name, bool) else str(name)


def _named(value: Any) -> str:
    for kind, name in ((bytes, "a BLOB"), (timedelta, "an INTERVAL"), (time, "a TIME")):
        if isinstance(value, kind):
            return name
    return f"of type {type(value).__name__}"


def _unserializable(why: str, path: str, issues: list[Issue]) -> Any:
    issues.append(Issue("unserializable_value", f"{why}: cast it in SQL", path))
    return None
