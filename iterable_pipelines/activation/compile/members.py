"""Who a row of an audience or a list stands for: one identity or several, and what membership goes by (P5, P7, P8)."""

from collections.abc import Sequence
from typing import Any, TypeVar

from iterable_pipelines.activation.compile.compiler import Acknowledged, Row
from iterable_pipelines.activation.compile.fields import json_or_text
from iterable_pipelines.activation.compile.identity import PLACEHOLDER, Who
from iterable_pipelines.activation.compile.rows import RowCompiler
from iterable_pipelines.activation.declaration import Sync
from iterable_pipelines.activation.memberships import ToList
from iterable_pipelines.activation.records import Identity, Issue

S = TypeVar("S", bound=Sync)
NOBODY = "no_identifier"
LIST = "list"


class MemberCompiler(RowCompiler[S]):
    """What audiences and lists have in common: their rows are members, and nothing else is said of them."""

    reject_placeholder = False

    def members(self, row: Row, issues: list[Issue]) -> list[Who]:
        """Everybody the row stands for; nobody, without an Issue, where it names no user (P7)."""
        given = self.addresses(row)
        if given:
            found = [self.identifying.who(each, None, issues) for each in given]
        elif _blank(row.get(self._email)) and _blank(row.get(self._user_id)):
            return []
        else:
            found = [self.who(row, issues)]
        members = list({who.identity: who for who in found if who}.values())
        if self.reject_placeholder and any((who.email or "").endswith(PLACEHOLDER) for who in members):
            issues.append(Issue("placeholder_address", "an address that stands for none is put on no list", "email"))
        return members

    def addresses(self, row: Row) -> Sequence[Any]:
        """The addresses of a user who has several (P8)."""
        return ()


def listed(given: Any) -> list[Any]:
    """What a column with several values holds, also as JSON, without what is blank."""
    given = json_or_text(given)
    return [each for each in (given if isinstance(given, list) else [given]) if not _blank(each)]


def name_of(acknowledged: Acknowledged, identity: Identity) -> dict[str, Any]:
    """Who leaves, by the one identity that entered: another name beside it may be somebody who stays (P8)."""
    preference = {each: acknowledged.payload[each] for each in ("preferUserId",) if each in acknowledged.payload}
    return {identity.kind: identity.value, **preference}


def list_endpoint(joins: bool) -> str:
    """Where a list is told of somebody."""
    return "subscribe" if joins else "unsubscribe"


def list_flags(to: ToList | None, joins: bool) -> dict[str, Any]:
    """What a request says beside its members; the id of the list is put in once it is known (lists.py)."""
    if not joins:
        # true unsubscribes them from everything: always written, and never true unless the file says so (P3, 0.9)
        return {"channelUnsubscribe": bool(to and to.channel_unsubscribe)}
    wanted = to.update_existing_users_only if to else None
    return {} if wanted is None else {"updateExistingUsersOnly": wanted}


def _blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())
