"""Who a row of an audience or a list stands for: one identity or several, and what membership goes by (P5, P7, P8)."""

from dataclasses import dataclass
from typing import Any, Literal

from iterable_pipelines.activation.compile.compiler import Acknowledged, Row
from iterable_pipelines.activation.compile.identity import PLACEHOLDER, Identifying, Who
from iterable_pipelines.activation.declaration import Sync
from iterable_pipelines.activation.records import Identity, Issue

NOBODY = "no_identifier"
_NAMES = ("email", "userId", "preferUserId")


@dataclass(frozen=True)
class Members:
    """Which columns name the members. `emails`: which addresses of the column `emails_column`, a list, count (P8)."""

    rules: Identifying
    email: str | None
    user_id: str | None
    emails_column: str | None = None
    emails: Literal["all", "first", "last"] = "all"
    reject_placeholder: bool = False

    @classmethod
    def of(cls, sync: Sync, rules: Identifying, **more: Any) -> "Members":
        """The members of a sync: `match` names one identifier, `fields` may name the other."""
        columns = {to.to: column for column, to in sync.fields.items()}
        if sync.match:
            columns[sync.match.field] = sync.match.column
        return cls(rules, columns.get("email"), columns.get("userId"), **more)

    @property
    def columns(self) -> frozenset[str]:
        """The columns that are read."""
        return frozenset(each for each in (self.email, self.user_id, self.emails_column) if each)

    def of_row(self, row: Row, issues: list[Issue]) -> list[Who]:
        """Everybody the row stands for; nobody, without an Issue, where it names no user (P7)."""
        given = self._addresses(row)
        if given:
            found = [self.rules.who(each, None, issues) for each in given]
        else:
            email, user_id = (row.get(column) if column else None for column in (self.email, self.user_id))
            if _blank(email) and _blank(user_id):
                return []
            found = [self.rules.who(email, user_id, issues)]
        members = list({who.identity: who for who in found if who}.values())
        if self.reject_placeholder and any((who.email or "").endswith(PLACEHOLDER) for who in members):
            issues.append(Issue("placeholder_address", "an address that stands for none is put on no list", "email"))
        return members

    def _addresses(self, row: Row) -> list[Any]:
        """The addresses of a user that has several, or the one of them that counts; each is a user to Iterable (P8)."""
        given = row.get(self.emails_column) if self.emails_column else None
        given = [given] if isinstance(given, str) else given or []
        known = [each for each in given if not _blank(each)]
        return {"all": known, "first": known[:1], "last": known[-1:]}[self.emails]


def key_of_member(identity: Identity) -> str:
    """What membership goes by: whichever rows carry it, an identity is a member once (P5)."""
    return f"{identity.kind}:{identity.value}"


def names_of(acknowledged: Acknowledged) -> dict[str, Any]:
    """The members of the acknowledged payload that name the user."""
    if not acknowledged.payload and acknowledged.identity:
        return {acknowledged.identity.kind: acknowledged.identity.value}
    return {name: acknowledged.payload[name] for name in _NAMES if name in acknowledged.payload}


def _blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())
