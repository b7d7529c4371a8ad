"""Identifiers found in places that are no tables of ours, as stores offer them: which stand together in one record."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from iterable_pipelines.erasure.parquet import ADDRESS
from iterable_pipelines.erasure.tombstones import KINDS
from iterable_pipelines.quoting import literal

_AT_ONCE = 100_000
_KIND = {
    "email": "email",
    "recipientemail": "email",
    "user_id": "user_id",
    "userid": "user_id",
    "recipientuserid": "user_id",
    "itbl_user_id": "itbl_user_id",
    "itbluserid": "itbl_user_id",
}
# these hold an address or a user id
_EITHER = ("user_key", "anonymousid", "user", "identity", "key", "pk")
_ADDRESS = re.compile(ADDRESS)

Names = tuple[str | None, ...]


def _is_surrogate(sign: str) -> bool:
    return "\ud800" <= sign <= "\udfff"


class Found:
    """Collects identifiers, each combination once, into a Parquet file."""

    def __init__(self, to: Path) -> None:
        self._to, self._con = to, duckdb.connect()
        self._con.execute(f"create table found ({', '.join(f'{kind} varchar' for kind in KINDS)})")
        self._names: set[Names] = set()

    def row(self, row: Mapping[str, Any]) -> None:
        """A row or record: what its columns say of whom it is, and the addresses in all its texts."""
        names: dict[str, str] = {}
        for key, value in row.items():
            if not isinstance(value, str | int) or isinstance(value, bool):
                continue
            low = key.lower()
            if low in _EITHER:
                # by itself: a primary key, or what somebody else's key says, links nobody to anybody
                plain = str(value).removeprefix("email:").removeprefix("userId:")
                self._add((plain, None, None) if "@" in plain else (None, plain, None))
            elif low in _KIND:
                names[_KIND[low]] = str(value)
        self._add(tuple(names.get(kind) for kind in KINDS))
        for key in ("dataFields", "context", "traits"):
            if isinstance(row.get(key), Mapping):
                self.row(row[key])

    def text(self, text: str) -> None:
        """Any text: as a record, if it is one, and all addresses in it."""
        if text.lstrip()[:1] == "{":
            try:
                record = json.loads(text)
            except (ValueError, RecursionError):
                record = None
            if isinstance(record, dict):
                self.row(record)
        if "@" in text or "%40" in text:
            for address in _ADDRESS.findall(text.replace("%40", "@")):
                self._add((address.strip(".-"), None, None))

    def close(self) -> Path:
        """Write what is left; returns the file."""
        self._flush()
        self._con.execute(f"copy (select distinct * from found) to {literal(str(self._to))} (format parquet)")
        self._con.close()
        return self._to

    def _add(self, names: Names) -> None:
        # bytes that are no text, such as a packed snapshot of Dagster's, are nobody's name
        if any(names) and not any(_is_surrogate(sign) for name in names for sign in name or ""):
            self._names.add(names)
            if len(self._names) >= _AT_ONCE:
                self._flush()

    def _flush(self) -> None:
        if self._names:
            columns = zip(*self._names, strict=True)
            self._con.register("batch", pa.table([pa.array(each, pa.string()) for each in columns], names=list(KINDS)))
            self._con.execute("insert into found from batch")
            self._con.unregister("batch")
        self._names.clear()
