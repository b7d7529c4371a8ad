"""Audiences: who belongs is told by a field, an event or a list; whoever leaves is told of too (P3–P8)."""

from collections.abc import Sequence
from functools import partial
from hashlib import sha256
from typing import Any

from iterable_pipelines.activation.compile.compiler import Acknowledged, Row
from iterable_pipelines.activation.compile.identity import Who
from iterable_pipelines.activation.compile.members import (
    LIST,
    NOBODY,
    MemberCompiler,
    list_endpoint,
    list_flags,
    listed,
    name_of,
)
from iterable_pipelines.activation.compile.moments import Moments
from iterable_pipelines.activation.compile.rows import Settled
from iterable_pipelines.activation.memberships import AudienceSync
from iterable_pipelines.activation.records import Compiled, Identity, Issue, Record

IDENTIFY, TRACK = "identify", "track"


class AudienceCompiler(MemberCompiler[AudienceSync]):
    """Rows are members. Each output gives a record per identity, which says no more than that they belong."""

    def __init__(self, settled: Settled[AudienceSync]) -> None:
        super().__init__(settled)
        sync = self.sync
        self._key, self._now = sync.field, int(self.as_of.timestamp())
        self._moments = Moments(self.as_of, self.zone)
        self._users, self._events = ("user", "event") if sync.delivery == "single" else ("users", "events")
        self._new_fields = {} if sync.create_new_fields is None else {"createNewFields": sync.create_new_fields}

    def compile(self, pk: str, row: Row, seq: int = 0, before: Acknowledged | None = None) -> Compiled:
        """An entry per identity and output. `seq` counts the earlier entries of its key."""
        issues: list[Issue] = []
        members = self.members(row, issues)
        moment, opted_in = self._since(row, issues), self.opted_in(row, issues)
        if any(issue.severity == "error" for issue in issues):
            return Compiled(issues=tuple(issues))
        records = tuple(
            self._record(output, who.identity, self._names(output, who), True, seq, moment, opted_in)
            for who in members
            for output in self.sync.outputs
        )
        return Compiled(records, tuple(issues), "" if members else NOBODY)

    def leave(self, acknowledged: Acknowledged) -> Record | None:
        """The exit, of the same `seq` as the entry; None for an output that the sync does not have any more."""
        output, identity = acknowledged.output, acknowledged.identity
        if output not in self.sync.outputs or identity is None:
            return None
        return self._record(output, identity, name_of(acknowledged, identity), False, acknowledged.seq, self._now)

    def addresses(self, row: Row) -> Sequence[Any]:
        """All addresses of the column that has several, or the first or last of them."""
        column = self.sync.emails_column
        known = listed(row.get(column)) if column else []
        return {"all": known, "first": known[:1], "last": known[-1:]}[self.sync.emails]

    def _names(self, output: str, who: Who) -> dict[str, Any]:
        return {**who.top, **(self.identifying.preference(who) if output == IDENTIFY else {})}

    def _since(self, row: Row, issues: list[Issue]) -> int:
        """When a membership changed: as its column says, else the moment that the run is as of (P3, P13)."""
        column = self.sync.changed_at
        given = row.get(column) if column and TRACK in self.sync.outputs else None
        found = None if given is None else self._moments.created_at(given, issues, column or "")
        return self._now if found is None else found

    def _record(
        self,
        output: str,
        identity: Identity,
        names: dict[str, Any],
        member: bool,
        seq: int,
        moment: int,
        opted_in: int | None = None,
    ) -> Record:
        record = partial(Record, output, identity=identity, key=identity.key, compared={self._key: member})
        if output == IDENTIFY:
            # false, never null and never gone: segments tell by it (P3)
            payload = {**names, "dataFields": {self._key: member}}
            return record(self._users, payload, flags=self._new_fields)
        if output == LIST:
            return record(list_endpoint(member), names, flags=list_flags(self.sync.list, member), moment=opted_in)
        fields = {"audience_key": self._key, self._key: member}
        if self.sync.include_name:
            fields["audience_name"] = self.sync.audience_name
        event = {
            **names,
            "eventName": self.sync.entered_event if member else self.sync.exited_event,
            "id": event_id(self._key, identity, seq, member),
            "createdAt": moment,
            "dataFields": fields,
        }
        return record(self._events, event, moment=moment)


def event_id(key: str, identity: Identity, seq: int, entered: bool) -> str:
    """The same for a retry, another for each re-entry (P3, P6). Not salted: a state that is lost must give the same."""
    person = sha256(identity.key.encode()).hexdigest()[:16]
    return f"aud:{key}:{person}:{seq}:{'in' if entered else 'out'}"
