"""What becomes of one row of a source: records that are sent, or the reason why not. And how a payload is hashed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import sha256
from typing import Any, Literal

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


@dataclass(frozen=True)
class Identity:
    """Whom a record is of, normalised (I2)."""

    kind: Literal["email", "userId"]
    value: str


@dataclass(frozen=True)
class Record:
    """One thing to send. `output` tells apart the records of one row; `key` is what is compared between runs.

    payload: the member of the bulk envelope, or the whole body of a single request. flags: members of the request
    beside the envelope, such as createNewFields or listId; records with different flags never share a request (B3).
    moment: epoch seconds, orders the records of a user where order matters (C9). needs: output of the same row that
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


def canonical(payload: Any) -> str:
    """JSON text that is equal for equal payloads: keys sorted, no blanks, 1.10 as 1.1, -0 as 0 (S4)."""
    return json.dumps(_plain(payload), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def payload_hash(record: Record) -> str:
    """The fingerprint of what would be sent, request-level flags included, volatile fields not."""
    payload = record.payload if record.compared is None else record.compared
    if record.volatile and isinstance(payload.get("dataFields"), dict):
        fields = {name: value for name, value in payload["dataFields"].items() if name not in record.volatile}
        payload = {**payload, "dataFields": fields}
    return sha256(canonical([record.endpoint, record.flags, payload]).encode()).hexdigest()[:32]


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Decimal | float) and not isinstance(value, bool):
        whole = int(value)
        return whole if value == whole else float(value)
    return value
