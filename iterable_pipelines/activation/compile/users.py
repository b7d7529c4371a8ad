"""Profiles: rows to user records, with changes of an address before them (1.3, I6–I8, P2)."""

from typing import Any

from iterable_pipelines.activation.compile.compiler import Acknowledged, Row
from iterable_pipelines.activation.compile.identity import PLACEHOLDER, Who, email_of
from iterable_pipelines.activation.compile.rows import RowCompiler, Settled, wrong
from iterable_pipelines.activation.declaration import IDENTIFIERS
from iterable_pipelines.activation.objects import ProfileSync
from iterable_pipelines.activation.records import Compiled, Identity, Issue, Record

OUTPUT, EMAIL_CHANGE = "user", "email_change"


class UserCompiler(RowCompiler[ProfileSync]):
    """Rows of a user or trait sync."""

    profile = True

    def __init__(self, settled: Settled[ProfileSync]) -> None:
        super().__init__(settled)
        sync = self.sync
        self._endpoint = "user" if sync.delivery == "single" else "users"
        self._flags: dict[str, Any] = {}
        if sync.create_new_fields is not None:
            self._flags["createNewFields"] = sync.create_new_fields
        if sync.update_only_flag and sync.mode == "update":
            self._flags["updateOnly"] = True
        self.needs_before = self.project == "email" and sync.placeholder_email

    def compile(self, pk: str, row: Row, seq: int = 0, before: Acknowledged | None = None) -> Compiled:
        """One user record, and the change of the address that must come first."""
        issues: list[Issue] = []
        who = self.who(row, issues)
        new = email_of(row.get(self.sync.new_email), issues, "new_email") if self.sync.new_email else None
        data, nested = self.fields.of_row(row, issues)
        if who is None or wrong(issues):
            return Compiled(issues=tuple(issues))
        change = None
        if self.project == "email":
            change = self._email_change(pk, who, new, before)
            if new and who.email:
                who = Who(new, who.user_id)
        data |= who.spare | self.kept(who)
        if new and self.project != "email":
            data["email"] = new
        merge = True if nested and self.sync.merge_nested_objects is None else self.sync.merge_nested_objects
        payload = user_payload(who, self.identifying.preference(who), data, merge)
        user = Record(
            OUTPUT,
            self._endpoint,
            payload,
            who.identity,
            pk,
            self._flags,
            needs=EMAIL_CHANGE if change else "",
            volatile=self.sync.volatile,
        )
        return Compiled((change, user) if change else (user,), tuple(issues))

    def _email_change(self, pk: str, who: Who, new: str | None, before: Acknowledged | None) -> Record | None:
        """The old address, a placeholder perhaps (I8), becomes the new one; None if nothing changes."""
        old = {"email": who.email} if who.email else {"userId": who.user_id or ""}
        acknowledged = before.payload.get("email") if before else None
        if isinstance(acknowledged, str) and acknowledged.endswith(PLACEHOLDER):
            old = {"email": acknowledged}
        new = new or who.email
        return None if new is None or old.get("email") == new else email_change(pk, old, new)

    def leave(self, acknowledged: Acknowledged) -> Record | None:
        """Its fields are cleared, or the user is deleted, where the sync says so."""
        if acknowledged.output != OUTPUT or self.sync.mode in ("insert", "update"):
            return None
        identity = acknowledged.identity
        if self.sync.on_leave == "delete" and identity is not None:
            return Record(OUTPUT, "delete", {identity.kind: identity.value}, identity, acknowledged.key)
        top = {name: acknowledged.payload[name] for name in IDENTIFIERS if name in acknowledged.payload}
        merged = bool(acknowledged.payload.get("mergeNestedObjects"))
        cleared = _cleared(acknowledged.payload.get("dataFields", {}), merged)
        if self.sync.on_leave != "null_fields" or not cleared:
            return None
        payload = {**top, "dataFields": cleared}
        if merged:
            payload["mergeNestedObjects"] = True
        if "preferUserId" in acknowledged.payload:
            # clearing must not bring back a user who is gone
            payload["preferUserId"] = False
        return Record(OUTPUT, self._endpoint, payload, acknowledged.identity, acknowledged.key, self._flags)


def user_payload(who: Who, preference: dict[str, bool], data: dict[str, Any], merge: bool | None) -> dict[str, Any]:
    """A user as bulkUpdate takes it; without data it is created or touched (1.3). `merge` None: as Iterable does."""
    payload: dict[str, Any] = {**who.top, **preference}
    if merge is not None:
        payload["mergeNestedObjects"] = merge
    if data:
        payload["dataFields"] = data
    return payload


def email_change(pk: str, old: dict[str, str], new: str) -> Record:
    """POST users/updateEmail; `old` holds an email or a userId, never both (1.6)."""
    ((name, value),) = old.items()
    current = "currentEmail" if name == "email" else "currentUserId"
    identity = Identity("email" if name == "email" else "userId", value)
    return Record(EMAIL_CHANGE, "email_change", {current: value, "newEmail": new}, identity, pk)


def _cleared(data: dict[str, Any], merged: bool) -> dict[str, Any]:
    """The same fields without values; an identity stays, and so do others' fields of an object that was merged into."""
    return {
        name: _cleared(value, merged) if merged and isinstance(value, dict) else None
        for name, value in data.items()
        if name not in IDENTIFIERS
    }
