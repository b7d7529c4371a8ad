"""Metadata tables: seeded ones, and what clients made of them (api.md 5.9, 6.5)."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from iterable_pipelines.sandbox.people import EPOCH

TABLES = {"Test": 3, "prices": 30}
Row = dict[str, Any]


def metadata_of(table: str) -> list[Row]:
    """Every key of a seeded table, in order, without the values; names of tables ignore case, keys do not."""
    name = next((each for each in TABLES if each.lower() == table.lower()), "")
    keys = [f"key-{nth:04d}" if nth != 2 else "Key-0001" for nth in range(TABLES.get(name, 0))]
    return [
        {"table": name, "key": key, "size": 17, "lastModified": (EPOCH + nth) * 1000}
        for nth, key in enumerate(sorted(keys))
    ]


def value_of(row: Row) -> Row:
    """A row of a seeded table with its value."""
    return row | {"value": {"of": row["key"], "größe": [row["size"], None]}}


class MetadataTables:
    """Every table of a project: its rows by key, each with its value."""

    def __init__(self, now: Callable[[], datetime]):
        self._now = now
        self._names = {name.lower(): name for name in TABLES}
        self._rows = {name.lower(): {row["key"]: value_of(row) for row in metadata_of(name)} for name in TABLES}
        self.written: dict[tuple[str, str], None] = {}  # tables and keys clients wrote, in order

    def names(self) -> list[str]:
        """The names as they were given."""
        return list(self._names.values())

    def rows(self, table: str) -> list[Row]:
        """The rows of a table with their values, by key; none if there is no such table."""
        return [row for _, row in sorted(self._rows.get(table.lower(), {}).items())]

    def find(self, table: str, key: str) -> Row | None:
        """One row with its value; None for none."""
        return self._rows.get(table.lower(), {}).get(key)

    def write(self, table: str, key: str, value: Any) -> None:
        """Make or replace the value of a key, and its table."""
        name = self._names.setdefault(table.lower(), table)
        size, moment = len(json.dumps(value, ensure_ascii=False).encode()), int(self._now().timestamp() * 1000)
        row = {"table": name, "key": key, "size": size, "lastModified": moment, "value": value}
        self._rows.setdefault(table.lower(), {})[key] = row
        self.written[table.lower(), key] = None

    def delete(self, table: str, key: str) -> None:
        """The key goes, if it is there."""
        if self._rows.get(table.lower(), {}).pop(key, None):
            self.written[table.lower(), key] = None

    def delete_table(self, table: str) -> None:
        """The table goes with all its keys, if it is there."""
        for row in self.rows(table):
            self.delete(table, row["key"])
        self._rows.pop(table.lower(), None)
        self._names.pop(table.lower(), None)

    def writes(self) -> dict[str, Any]:
        """What clients made of keys, by table and key; None for those they deleted."""
        found = {f"{table}/{key}": self.find(table, key) for table, key in self.written}
        return {name: row and row["value"] for name, row in found.items()}
