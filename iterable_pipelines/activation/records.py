"""What becomes of one row of a source: records that are sent, or the reason why not. And how a payload is hashed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import sha256
from typing import Any, Literal

import orjson

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Issue:
    """Something wrong with a row. `code` is one of outbound.md's, `path` names the place, such as items[1].price.

    `message` holds no value of the row: it is shown in logs.
    """

    code: str
    message: str
    path: str = ""
    severity: Severity = "error"


# users go by one of the first two; each of the others is a thing, which goes by a natural key of its own
Kind = Literal["email", "userId", "item", "catalog", "template", "snippet", "metadata", "list", "campaign"]
OF_USERS: tuple[Kind, ...] = ("email", "userId")


@dataclass(frozen=True)
class Identity:
    """Whom or what a record is of, normalised (I2)."""

    kind: Kind
    value: str

    @property
    def is_thing(self) -> bool:
        """Whether it is no user: a catalog's item, a template."""
        return self.kind not in OF_USERS

    @property
    def key(self) -> str:
        """What a record goes by that is not compared by its row: whichever row it comes from, it is about the same."""
        return f"{self.kind}:{self.value}"


@dataclass(frozen=True)
class Record:
    """One thing to send. `output` tells apart the records of one row; `key` is what is compared between runs.

    payload: the member of the bulk envelope, or the whole body of a single request. flags: members of the request
    beside the envelope, such as createNewFields or listId; records with different flags never share a request (B3).
    moment: epoch seconds, orders the records of a user where order matters (C9); of what subscribes somebody, when they
    opted in. needs: output of the same row that
    must be acknowledged first. volatile: members of dataFields that are sent, but do not count as a change (S4).
    compared: what counts instead of the payload, where that holds the moment of the run, as an audience's events do.
    """

    output: str
    endpoint: str
    payload: dict[str, Any]
    identity: Identity | None
    key: str = ""
    flags: Mapping[str, Any] = field(default_factory=dict)
    moment: int | None = None
    needs: str = ""
    volatile: tuple[str, ...] = ()
    compared: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Compiled:
    """All that one row gives. An error among the issues means that it gives no record; `skipped` is a reason (P7)."""

    records: tuple[Record, ...] = ()
    issues: tuple[Issue, ...] = ()
    skipped: str = ""


def wire(payload: Any) -> str:
    """The JSON text that is sent: keys sorted, no blanks, every number exact. 5.0 stays 5.0, so that the field becomes
    one of doubles (api.md 1.9).
    """
    return _dumps(payload)


def canonical(payload: Any) -> str:
    """JSON text that is equal for equal payloads: as `wire`, but 1.10 and 1.1, 5.0 and 5, 0 and -0 are alike (S4)."""
    return _dumps(_same(payload))


def payload_hash(record: Record) -> str:
    """The fingerprint of what would be sent, request-level flags included, volatile fields not."""
    payload = record.payload if record.compared is None else record.compared
    if record.volatile and isinstance(payload.get("dataFields"), dict):
        fields = {name: value for name, value in payload["dataFields"].items() if name not in record.volatile}
        payload = {**payload, "dataFields": fields}
    return sha256(canonical([record.endpoint, record.flags, payload]).encode()).hexdigest()[:32]


def _dumps(payload: Any) -> str:
    return orjson.dumps(payload, _exact, orjson.OPT_SORT_KEYS).decode()


def _exact(value: Any) -> Any:
    """What orjson does not know: decimals with more digits than a double holds, and read-only mappings."""
    if isinstance(value, Decimal) and value.is_finite():
        # normalize() would round to 28 digits
        text = format(value, "f")
        return orjson.Fragment(text.rstrip("0").rstrip(".") if "." in text else text)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def _same(value: Any) -> Any:
    kind = type(value)
    if kind is str or kind is int or kind is bool or value is None:
        return value
    if kind is float:
        return int(value) if value.is_integer() and abs(value) < 2**63 else value
    if isinstance(value, Mapping):
        return {str(name): _same(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_same(each) for each in value]
    if isinstance(value, Decimal):
        plain = number(value)
        return plain if isinstance(plain, Decimal) else _same(plain)
    return value


def number(value: Decimal) -> int | float | Decimal:
    """A decimal as a plain number, if that loses nothing: 41.50 is 41.5, and 7 is 7."""
    if value == value.to_integral_value() and abs(value) < 2**63:
        return int(value)
    double = float(value)
    return double if Decimal(repr(double)) == value else value
