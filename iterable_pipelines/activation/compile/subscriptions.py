"""Subscriptions: what is to change of a user's, or whole arrays (api.md 6.1).

A request replaces arrays: those of changes are made of what the user has right before it is sent (consent/gate.py).
"""

from typing import Any

from iterable_pipelines.activation.compile.compiler import Acknowledged, Row
from iterable_pipelines.activation.compile.events import attribution, given
from iterable_pipelines.activation.compile.fields import json_or_text
from iterable_pipelines.activation.compile.identity import identifier
from iterable_pipelines.activation.compile.rows import RowCompiler, wrong
from iterable_pipelines.activation.memberships import SubscriptionSync
from iterable_pipelines.activation.records import Compiled, Issue, Record

OUTPUT = "subscription"
_ARRAYS = (
    ("emailListIds", "email_list_ids"),
    ("unsubscribedChannelIds", "unsubscribed_channel_ids"),
    ("unsubscribedMessageTypeIds", "unsubscribed_message_type_ids"),
    ("subscribedMessageTypeIds", "subscribed_message_type_ids"),
)
# the member of a payload that says what is to change; it never leaves as it is
CHANGES = "changes"
_VERBS = (("in", "subscribe"), ("out", "unsubscribe"))


class SubscriptionCompiler(RowCompiler[SubscriptionSync]):
    """Rows of a subscription sync."""

    def compile(self, pk: str, row: Row, seq: int = 0, before: Acknowledged | None = None) -> Compiled:
        """One user's arrays or changes; NULL leaves an array as it is, an empty one clears it."""
        issues: list[Issue] = []
        who = self.who(row, issues)
        of = attribution(given(self.sync.campaign_id, row), given(self.sync.template_id, row), issues)
        arrays = {}
        for name, setting in _ARRAYS:
            column = getattr(self.sync, setting)
            ids = None if column is None else _ids(row.get(column), name, issues)
            if ids is not None:
                arrays[name] = ids
        changes = self._changes(row, issues)
        opted_in = self.opted_in(row, issues)
        if who is None or wrong(issues):
            return Compiled(issues=tuple(issues))
        if not arrays and not changes:
            return Compiled(skipped="nothing_to_send")
        payload = {**who.top, **arrays, **({CHANGES: changes} if changes else {}), **of}
        # a newer opt-in is another wish, though it may be for the same
        compared = None if opted_in is None else {**payload, "optedInAt": opted_in}
        record = Record(OUTPUT, "subscriptions", payload, who.identity, pk, moment=opted_in, compared=compared)
        return Compiled((record,), tuple(issues))

    def _changes(self, row: Row, issues: list[Issue]) -> dict[str, dict[str, list[int]]]:
        """By kind, the ids that are to be subscribed (in) and unsubscribed (out); what is in both is out."""
        found: dict[str, dict[str, list[int]]] = {}
        for what in ("list", "channel", "message_type"):
            ids: dict[str, list[int]] = {}
            for side, verb in _VERBS:
                column = getattr(self.sync, f"{verb}_{what}_ids")
                ids[side] = (_ids(row.get(column), column, issues) if column else None) or []
            ids["in"] = [each for each in ids["in"] if each not in ids["out"]]
            if ids["in"] or ids["out"]:
                found[what] = ids
        return found


def _ids(value: Any, path: str, issues: list[Issue]) -> list[int] | None:
    """Sorted ids, each once: their order means nothing."""
    value = json_or_text(value)
    if value is None:
        return None
    texts = [identifier(each) for each in value] if isinstance(value, list | tuple) else [None]
    if not all(each is not None and each.strip().isascii() and each.strip().isdigit() for each in texts):
        issues.append(Issue("unserializable_value", "not a list of ids", path))
        return None
    ids = sorted({int(each or "") for each in texts})
    if ids and ids[-1] >= 2**63:
        issues.append(Issue("unserializable_value", "an id beyond 64 bits", path))
        return None
    return ids
