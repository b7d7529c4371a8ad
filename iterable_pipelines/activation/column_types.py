"""How values of every DuckDB type travel: through Parquet, which knows fewer types, and Arrow, to Python."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from iterable_pipelines.activation.compile.values import read_json
from iterable_pipelines.quoting import quoted

if TYPE_CHECKING:
    from duckdb.sqltypes import DuckDBPyType

Read = Callable[[Any], Any]

# Parquet would make doubles of them
_BEYOND_64_BITS = {"hugeint", "uhugeint", "bignum"}
# their members have no name, or any of several types
_BEST_AS_JSON = {"union", "variant", "tuple"}


@dataclass(frozen=True)
class Carried:
    """The type that a value is cast to for its journey, and how it is read at the end; None for as it is."""

    type: str
    read: Read | None = None


def carried(kind: "DuckDBPyType") -> Carried:
    """How values of a type travel, so that none is changed by it.

    At the end they are str, int, float, Decimal, bool, date, datetime (aware for a TIMESTAMPTZ), time, timedelta,
    bytes, list, or dict for a STRUCT and a MAP; a JSON is what its text says.
    """
    name = str(kind.id)
    if str(kind) == "JSON" or name in _BEST_AS_JSON:
        return Carried("JSON", _json)
    if name in _BEYOND_64_BITS:
        return Carried("VARCHAR", int)
    if name == "timestamp_ns":
        # pyarrow makes something of pandas of it; Iterable knows whole seconds
        return Carried("TIMESTAMP")
    if name == "interval":
        return Carried("INTERVAL", lambda found: timedelta(days=found.months * 30 + found.days))
    if name in ("list", "array"):
        inner = _inner(kind)["child"]
        return Carried(f"{inner.type}[]", _each(inner.read))
    if name == "map":
        key, inner = _inner(kind).values()
        return Carried(f"MAP({key.type}, {inner.type})", _pairs(inner.read))
    if name == "struct":
        members = _inner(kind)
        text = ", ".join(f"{quoted(member)} {inner.type}" for member, inner in members.items())
        reads = {member: inner.read for member, inner in members.items() if inner.read}
        return Carried(f"STRUCT({text})", _members(reads) if reads else None)
    return Carried(str(kind))


def _inner(kind: "DuckDBPyType") -> dict[str, Carried]:
    # an array's size is among them too
    return {name: carried(each) for name, each in kind.children if not isinstance(each, int | list)}


def values_of(column: pa.Array, read: Read | None) -> list[Any]:
    """The values of an Arrow column. One that Python cannot hold, such as the year 20000, is NaN: it is not JSON."""
    try:
        found = column.to_pylist()
    except (OverflowError, ValueError):
        found = [_one(each) for each in column]
    return [None if each is None else read(each) for each in found] if read else found


def _one(value: pa.Scalar) -> Any:
    try:
        return value.as_py()
    except (OverflowError, ValueError):
        return float("nan")


def _json(text: Any) -> Any:
    try:
        return read_json(text)
    except (ValueError, RecursionError):
        return text


def _each(read: Read | None) -> Read | None:
    return (lambda found: [None if each is None else read(each) for each in found]) if read else None


def _pairs(read: Read | None) -> Read:
    if read is None:
        return dict
    return lambda found: {key: None if value is None else read(value) for key, value in found}


def _members(reads: dict[str, Read]) -> Read:
    def read(found: Any) -> Any:
        if not isinstance(found, dict):
            return found
        return found | {member: inner(found[member]) for member, inner in reads.items() if found[member] is not None}

    return read
