"""Whole static lists: made by name, deleted by id (4.1, api.md 6.3). Who is on them is told by list.py."""

from typing import Any

from iterable_pipelines.activation.compile.compiler import Acknowledged, Row
from iterable_pipelines.activation.compile.identity import identifier, whole_number
from iterable_pipelines.activation.compile.rows import RowCompiler, wrong
from iterable_pipelines.activation.content import WholeListSync
from iterable_pipelines.activation.records import Compiled, Identity, Issue, Record

OUTPUT = "whole_list"


class WholeListCompiler(RowCompiler[WholeListSync]):
    """Rows of a whole_list sync."""

    def compile(self, pk: str, row: Row, seq: int = 0, before: Acknowledged | None = None) -> Compiled:
        """One list."""
        issues: list[Issue] = []
        sync = self.sync
        if sync.mode == "remove":
            list_id = whole_number(row.get(sync.list_id or ""), "invalid_list_id", "listId", issues)
            return Compiled(() if list_id is None else (_gone(list_id),), tuple(issues))
        name = (identifier(row.get(sync.list_name or "")) or "").strip()
        if not name:
            issues.append(Issue("missing_list_name", "name is required", "name"))
        payload: dict[str, Any] = {"name": name}
        told = row.get(sync.list_description) if sync.list_description else None
        if told is not None:
            payload["description"] = identifier(told) or str(told)
        if wrong(issues):
            return Compiled(issues=tuple(issues))
        identity = Identity("list", name)
        key = pk if sync.allow_duplicate_name else identity.key
        return Compiled((Record(OUTPUT, "whole_list", payload, identity, key),))

    def leave(self, acknowledged: Acknowledged) -> Record | None:
        """The list that was made of the row is deleted, where the sync says so."""
        list_id = acknowledged.result.get("listId")
        if self.sync.on_leave != "delete" or not isinstance(list_id, int):
            return None
        return _gone(list_id, acknowledged.identity, acknowledged.key)


def _gone(list_id: int, identity: Identity | None = None, key: str = "") -> Record:
    identity = identity or Identity("list", str(list_id))
    return Record(OUTPUT, "whole_list_gone", {"listId": list_id}, identity, key or identity.key, {"listId": list_id})
