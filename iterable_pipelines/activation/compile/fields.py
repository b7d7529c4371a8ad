"""Which columns become which fields of dataFields: names, nesting, NULLs, phones, geo points, managed fields."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from iterable_pipelines.activation.compile.compiler import Row
from iterable_pipelines.activation.compile.values import Values, key_of, read_json
from iterable_pipelines.activation.declaration import To
from iterable_pipelines.activation.managed_fields import managed
from iterable_pipelines.activation.records import Issue, canonical

_GEO = "_geo_location"
_PHONE = re.compile(r"\+?[1-9][0-9]{6,14}")
_FORMATTING = re.compile(r"[\s().\-/]")


@dataclass(frozen=True)
class Target:
    """A column and where it goes. `nulls`: whether NULL is sent."""

    column: str
    to: To
    nulls: bool

    @property
    def path(self) -> tuple[str, ...]:
        """The names that nest (V6)."""
        return tuple(self.to.to.split("."))


class Fields:
    """From a row, or an object such as a call's traits, to dataFields. `profile`: those of a user (K1, K3),
    where `allowed` are fields of Iterable's own that may be written.
    """

    def __init__(
        self,
        targets: Iterable[Target],
        constants: Mapping[str, Any],
        values: Values,
        *,
        profile: bool = False,
        allowed: Collection[str] = (),
    ) -> None:
        self.values = values
        self._allowed = allowed
        self._profile = profile
        # one tuple each: this is read for every row
        self._steps = [
            (each.column, each.to.to, each.path, each.nulls, _shape(each.to), self._special(each.path[-1]))
            for each in targets
        ]
        self._constants = [(tuple(name.split(".")), value) for name, value in constants.items()]

    def of_row(self, row: Row, issues: list[Issue]) -> tuple[dict[str, Any], bool]:
        """dataFields of a row, and whether something was written into a nested path (V6)."""
        data: dict[str, Any] = {}
        nested = False
        for path, constant in self._constants:
            nested = _put(data, path, self.values.plain(constant, ".".join(path), issues)) or nested
        for column, name, path, nulls, shape, special in self._steps:
            given = row.get(column)
            if given is None:
                if nulls:
                    nested = _put(data, path, None) or nested
                continue
            value = self.values.plain(given, name, issues)
            if shape is not None and value is not None:
                value = shape(value, name, issues)
            if special is not None and value is not None:
                value = special(value, name, issues)
            # the issue says why
            if value is None:
                continue
            nested = _put(data, path, value) or nested
        return data, nested

    def of_object(
        self, given: Mapping[str, Any], without: Collection[str], issues: list[Issue], *, path: str = ""
    ) -> dict[str, Any]:
        """dataFields of an object, `without` some of its members; `path` leads there."""
        data: dict[str, Any] = {}
        for key, member in given.items():
            name = key_of(key)
            if name in without or (member is None and not self.values.nulls):
                continue
            if self._profile and name not in self._allowed and managed(name):
                issues.append(Issue("managed_field", "managed by Iterable, not sent", name, "warning"))
                continue
            to = "phoneNumber" if self._profile and name == "phone" and "phoneNumber" not in given else name
            there = f"{path}.{to}" if path else to
            value = self.values.plain(member, there, issues)
            special = self._special(to) if value is not None else None
            if special is not None:
                value = special(value, there, issues)
            # the issue says why
            if value is not None or member is None:
                data[to] = value
        return data

    def _special(self, name: str) -> Callable[[Any, str, list[Issue]], Any] | None:
        if name == "phoneNumber" and self._profile:
            return _phone
        return _geo_point if name.endswith(_GEO) else None


def targets_of(fields: Mapping[str, To], *, nulls: bool, without: Iterable[str] = ()) -> list[Target]:
    """The targets of a mapping without "*". `nulls` holds where To says nothing."""
    return [
        Target(column, to, nulls if to.null is None else to.null == "send")
        for column, to in fields.items()
        if to.to not in without
    ]


def json_or_text(given: Any) -> Any:
    """The value of JSON text, where a structure is expected; a text that is no JSON stays a text (V4)."""
    if not isinstance(given, str):
        return given
    try:
        return read_json(given)
    except (ValueError, RecursionError):
        return given


def _put(data: dict[str, Any], path: tuple[str, ...], value: Any) -> bool:
    if len(path) == 1:
        data[path[0]] = value
        return False
    for name in path[:-1]:
        data = data.setdefault(name, {})
    data[path[-1]] = value
    return True


def _phone(value: Any, path: str, issues: list[Issue]) -> str | None:
    """A number that Iterable takes, or None with a warning: the rest of the record goes (K1)."""
    if isinstance(value, str | int) and not isinstance(value, bool):
        number = _FORMATTING.sub("", str(value))
        if _PHONE.fullmatch(number):
            return number
    issues.append(Issue("invalid_phone_number", "no phone number: sent without it", path, "warning"))
    return None


def _geo_point(value: Any, path: str, issues: list[Issue]) -> Any:
    """Exactly lat and lon, both numbers (V7)."""
    if (
        isinstance(value, dict)
        and value.keys() == {"lat", "lon"}
        and all(isinstance(each, int | float | Decimal) and not isinstance(each, bool) for each in value.values())
    ):
        return value
    issues.append(Issue("invalid_geo_location", "it must be {lat, lon}, two numbers", path))
    return None


def _shape(to: To) -> Callable[[Any, str, list[Issue]], Any] | None:
    """What a mapping says of the value beyond where it goes."""
    if to.type is not None:
        convert = _TYPES[to.type]

        def typed(value: Any, path: str, issues: list[Issue]) -> Any:
            try:
                return convert(value)
            except (ValueError, TypeError, KeyError, OverflowError):
                issues.append(Issue("unserializable_value", f"not a {to.type}: cast it in SQL", path))
                return None

        return typed
    if to.unordered:
        return lambda value, path, issues: sorted(value, key=canonical) if isinstance(value, list) else value
    return None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else canonical(value)


def _long(value: Any) -> int:
    if isinstance(value, bool | list | dict) or (value != (whole := int(value)) and not isinstance(value, str)):
        raise ValueError
    return whole


def _double(value: Any) -> float:
    if isinstance(value, bool):
        raise ValueError
    return float(value)


def _boolean(value: Any) -> bool:
    known = {"true": True, "false": False, "1": True, "0": False}
    return value if isinstance(value, bool) else known[str(value).strip().lower()]


def _json(value: Any) -> Any:
    return read_json(value) if isinstance(value, str) else value


_TYPES: dict[str, Callable[[Any], Any]] = {
    "string": _text,
    "long": _long,
    "double": _double,
    "boolean": _boolean,
    "json": _json,
}
