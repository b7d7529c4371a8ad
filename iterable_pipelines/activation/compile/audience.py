"""Audiences: who belongs is told by a field, an event or a list; whoever leaves is told of too (P3–P8)."""

from datetime import datetime
from functools import partial
from hashlib import sha256
from typing import Any

from iterable_pipelines.activation.compile.compiler import Acknowledged, Row
from iterable_pipelines.activation.compile.identity import Identifying, Who
from iterable_pipelines.activation.compile.list import list_flags
from iterable_pipelines.activation.compile.members import NOBODY, Members, key_of_member, names_of
from iterable_pipelines.activation.compile.moments import Moments
from iterable_pipelines.activation.keys import key_of
from iterable_pipelines.activation.objects import AudienceSync
from iterable_pipelines.activation.project import ProjectType
from iterable_pipelines.activation.records import Compiled, Identity, Issue, Record


class AudienceCompiler:
    """Rows are members. Each output gives a record per identity, which says no more than that they belong."""

    needs_before = False

    def __init__(self, sync: AudienceSync, project: ProjectType, as_of: datetime) -> None:
        self._sync, self._key, self._as_of = sync, key_of(sync), as_of
        self._rules = Identifying(project, sync.identify_by, placeholder=sync.placeholder_email)
        self._members = Members.of(sync, self._rules, emails_column=sync.emails_column, emails=sync.emails)
        self._moments = Moments(as_of)
        single = sync.delivery == "single"
        self._users, self._events = ("user", "event") if single else ("users", "events")
        self._new_fields = {} if sync.create_new_fields is None else {"createNewFields": sync.create_new_fields}

    @property
    def columns(self) -> frozenset[str]:
        """Those that name members, and the one that says since when."""
        return self._members.columns | ({self._sync.changed_at} if self._sync.changed_at else set())

    @property
    def mapping(self) -> dict[str, Any]:
        """Who counts as a member. What is said of them is said once, so that it is no part of it."""
        sync = self._sync
        return {
            "columns": sorted(self.columns),
            "email": self._members.email,
            "userId": self._members.user_id,
            "emails": [sync.emails_column, sync.emails],
            "identify_by": sync.identify_by,
        }

    def compile(self, pk: str, row: Row, seq: int = 0, before: Acknowledged | None = None) -> Compiled:
        """An entry per identity and output. `seq` counts the earlier entries of its key."""
        issues: list[Issue] = []
        members = self._members.of_row(row, issues)
        moment = self._since(row, issues)
        if any(issue.severity == "error" for issue in issues):
            return Compiled(issues=tuple(issues))
        records = tuple(
            self._record(output, who.identity, self._names(output, who), True, seq + 1, moment)
            for who in members
            for output in self._sync.outputs
        )
        return Compiled(records, tuple(issues), "" if members else NOBODY)

    def leave(self, acknowledged: Acknowledged) -> Record | None:
        """The exit, of the same `seq` as the entry; None for an output that the sync does not have any more."""
        if acknowledged.output not in self._sync.outputs or acknowledged.identity is None:
            return None
        names, moment = names_of(acknowledged), int(self._as_of.timestamp())
        return self._record(acknowledged.output, acknowledged.identity, names, False, acknowledged.seq, moment)

    def _names(self, output: str, who: Who) -> dict[str, Any]:
        return {**who.top, **(self._rules.preference(who) if output == "identify" else {})}

    def _since(self, row: Row, issues: list[Issue]) -> int:
        """When a membership changed: as its column says, else the moment that the run is as of (P3, P13)."""
        given = row.get(self._sync.changed_at) if self._sync.changed_at and "track" in self._sync.outputs else None
        found = self._moments.created_at(given, issues, self._sync.changed_at or "") if given is not None else None
        return int(self._as_of.timestamp()) if found is None else found

    def _record(
        self, output: str, identity: Identity, names: dict[str, Any], member: bool, seq: int, moment: int
    ) -> Record:
        record = partial(Record, output, identity=identity, key=key_of_member(identity), compared={self._key: member})
        if output == "identify":
            # false, never null and never gone: segments tell by it (P3)
            payload = {**names, "dataFields": {self._key: member}}
            return record(self._users, payload, flags=self._new_fields)
        if output == "list":
            flags = list_flags(self._sync.list, subscribe=member)
            return record("subscribe" if member else "unsubscribe", names, flags=flags)
        event = {
            **names,
            "eventName": self._sync.entered_event if member else self._sync.exited_event,
            "id": event_id(self._key, identity, seq, member),
            "createdAt": moment,
            "dataFields": {"audience_key": self._key, self._key: member},
        }
        if self._sync.include_name:
            event["dataFields"]["audience_name"] = self._sync.audience_name
        return record(self._events, event, moment=moment)


def event_id(key: str, identity: Identity, seq: int, entered: bool) -> str:
    """The same for a retry, another for each re-entry (P3, P6). Not salted: a state that is lost must give the same."""
    person = sha256(key_of_member(identity).encode()).hexdigest()[:16]
    return f"aud:{key}:{person}:{seq}:{'in' if entered else 'out'}"
