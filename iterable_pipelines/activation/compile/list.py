"""Static lists: rows are put on a list, or taken off it (P3, 1.9)."""

from typing import Any

from iterable_pipelines.activation.compile.compiler import Acknowledged, Row
from iterable_pipelines.activation.compile.identity import Identifying
from iterable_pipelines.activation.compile.members import NOBODY, Members, key_of_member, names_of
from iterable_pipelines.activation.objects import ListSync, ToList
from iterable_pipelines.activation.project import ProjectType
from iterable_pipelines.activation.records import Compiled, Identity, Issue, Record

OUTPUT = "list"


class ListCompiler:
    """Modes `insert` and `mirror` put rows on the list, `remove` takes them off."""

    needs_before = False

    def __init__(self, sync: ListSync, project: ProjectType) -> None:
        self._sync = sync
        rules = Identifying(project, sync.identify_by, placeholder=sync.placeholder_email)
        self._members = Members.of(sync, rules, reject_placeholder=sync.reject_placeholder)

    @property
    def columns(self) -> frozenset[str]:
        """Those that name members."""
        return self._members.columns

    @property
    def mapping(self) -> dict[str, Any]:
        """Who is put on the list, or taken off it."""
        sync = self._sync
        return {
            "email": self._members.email,
            "userId": self._members.user_id,
            "identify_by": sync.identify_by,
            "remove": sync.mode == "remove",
        }

    def compile(self, pk: str, row: Row, seq: int = 0, before: Acknowledged | None = None) -> Compiled:
        """One record for the row's user; a row without any is skipped (P7)."""
        issues: list[Issue] = []
        members = self._members.of_row(row, issues)
        if issues:
            return Compiled(issues=tuple(issues))
        joins = self._sync.mode != "remove"
        records = tuple(self._record(who.identity, who.top, joins) for who in members)
        return Compiled(records, (), "" if members else NOBODY)

    def leave(self, acknowledged: Acknowledged) -> Record | None:
        """Off the list, if the sync mirrors it; None where `on_leave` is keep."""
        if self._sync.on_leave != "unsubscribe" or acknowledged.identity is None:
            return None
        return self._record(acknowledged.identity, names_of(acknowledged), False)

    def _record(self, identity: Identity, names: dict[str, Any], joins: bool) -> Record:
        endpoint = "subscribe" if joins else "unsubscribe"
        flags = list_flags(self._sync.list, subscribe=joins)
        return Record(OUTPUT, endpoint, names, identity, key_of_member(identity), flags)


def list_flags(to: ToList | None, *, subscribe: bool) -> dict[str, Any]:
    """What a request says beside its members; the id of the list is put in once it is known (lists.py)."""
    if subscribe:
        wanted = to.update_existing_users_only if to else None
        return {} if wanted is None else {"updateExistingUsersOnly": wanted}
    # true would unsubscribe them from everything (P3, 0.9)
    return {"channelUnsubscribe": False}
