"""Static lists: rows are put on a list, or taken off it (P3, 1.9)."""

from typing import Any

from iterable_pipelines.activation.compile.compiler import Acknowledged, Row
from iterable_pipelines.activation.compile.members import (
    LIST,
    NOBODY,
    MemberCompiler,
    list_endpoint,
    list_flags,
    name_of,
)
from iterable_pipelines.activation.compile.rows import Settled, wrong
from iterable_pipelines.activation.memberships import ListSync
from iterable_pipelines.activation.records import Compiled, Identity, Issue, Record


class ListCompiler(MemberCompiler[ListSync]):
    """Modes `insert` and `mirror` put rows on the list, `remove` takes them off."""

    def __init__(self, settled: Settled[ListSync]) -> None:
        super().__init__(settled)
        self.reject_placeholder = self.sync.reject_placeholder

    def compile(self, pk: str, row: Row, seq: int = 0, before: Acknowledged | None = None) -> Compiled:
        """One record for the row's user; a row without any is skipped (P7)."""
        issues: list[Issue] = []
        members = self.members(row, issues)
        opted_in = self.opted_in(row, issues)
        if wrong(issues):
            return Compiled(issues=tuple(issues))
        joins = self.sync.mode != "remove"
        records = tuple(self._record(who.identity, who.top, joins, opted_in) for who in members)
        return Compiled(records, tuple(issues), "" if members else NOBODY)

    def leave(self, acknowledged: Acknowledged) -> Record | None:
        """Off the list, if the sync mirrors it; None where `on_leave` is keep."""
        if self.sync.on_leave != "unsubscribe" or acknowledged.identity is None:
            return None
        return self._record(acknowledged.identity, name_of(acknowledged, acknowledged.identity), False)

    def _record(self, identity: Identity, names: dict[str, Any], joins: bool, opted_in: int | None = None) -> Record:
        flags = list_flags(self.sync.list, joins)
        return Record(LIST, list_endpoint(joins), names, identity, identity.key, flags, opted_in)
