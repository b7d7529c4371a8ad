"""Keys of metadata tables, each with a JSON object of up to 30 kB (4.1, api.md 5.9, 6.5)."""

import re
from typing import Any

from iterable_pipelines.activation.compile.compiler import Acknowledged, Row
from iterable_pipelines.activation.compile.fields import json_or_text
from iterable_pipelines.activation.compile.identity import identifier
from iterable_pipelines.activation.compile.rows import RowCompiler, wrong
from iterable_pipelines.activation.content import MetadataSync
from iterable_pipelines.activation.records import Compiled, Identity, Issue, Record, wire

OUTPUT = "metadata"
MOST_BYTES = 30_000
# documented as alphanumeric; what else Iterable may take goes too, unless it cannot stand in a path
_IN_A_PATH = re.compile(r"(?!\.{1,2}$)[^/\x00-\x1f]{1,255}")


class MetadataCompiler(RowCompiler[MetadataSync]):
    """Rows of a metadata sync."""

    def compile(self, pk: str, row: Row, seq: int = 0, before: Acknowledged | None = None) -> Compiled:
        """One key."""
        issues: list[Issue] = []
        sync = self.sync
        table = _named(sync.table or row.get(sync.table_column or ""), "table", issues)
        key = _named(row.get(sync.key), "key", issues)
        if sync.mode == "remove":
            gone = () if table is None or key is None else (_record("metadata_gone", table, key, {}),)
            return Compiled(gone, tuple(issues))
        value = self._value(row, issues)
        if table is None or key is None or wrong(issues):
            return Compiled(issues=tuple(issues))
        return Compiled((_record("metadata", table, key, {"value": value}),), tuple(issues))

    def leave(self, acknowledged: Acknowledged) -> Record | None:
        """The key is deleted, where the sync says so."""
        if self.sync.on_leave != "delete" or acknowledged.identity is None:
            return None
        table, _, key = acknowledged.identity.value.partition("/")
        return _record("metadata_gone", table, key, {})

    def _value(self, row: Row, issues: list[Issue]) -> Any:
        if self.sync.value is None:
            value: Any = self.fields.of_row(row, issues)[0]
        else:
            value = self.values.plain(json_or_text(row.get(self.sync.value)), "value", issues)
        if not isinstance(value, dict):
            issues.append(Issue("invalid_metadata_value", "not a JSON object", "value"))
        elif len(wire(value).encode()) > MOST_BYTES:
            issues.append(Issue("metadata_value_too_large", f"more than {MOST_BYTES:,} bytes", "value"))
        return value


def _record(endpoint: str, table: str, key: str, payload: dict[str, Any]) -> Record:
    # tables are called so in any case, keys in one
    identity = Identity("metadata", f"{table.lower()}/{key}")
    return Record(OUTPUT, endpoint, payload, identity, identity.key, {"table": table, "key": key})


def _named(value: Any, what: str, issues: list[Issue]) -> str | None:
    name = (identifier(value) or "").strip()
    if _IN_A_PATH.fullmatch(name):
        return name
    issues.append(Issue(f"invalid_metadata_{what}", "1 to 255 letters and digits, no slash", what))
    return None
