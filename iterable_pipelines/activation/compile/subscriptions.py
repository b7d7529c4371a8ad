"""Subscriptions: each array that is given replaces the one that the user has (api.md 6.1)."""

from typing import Any

from iterable_pipelines.activation.compile.compiler import Acknowledged, Row
from iterable_pipelines.activation.compile.events import attribution, given
from iterable_pipelines.activation.compile.fields import json_or_text
from iterable_pipelines.activation.compile.identity import identifier
from iterable_pipelines.activation.compile.rows import RowCompiler, wrong
from iterable_pipelines.activation.objects import SubscriptionSync
from iterable_pipelines.activation.records import Compiled, Issue, Record

OUTPUT = "subscription"
_ARRAYS = (
    ("emailListIds", "email_list_ids"),
    ("unsubscribedChannelIds", "unsubscribed_channel_ids"),
    ("unsubscribedMessageTypeIds", "unsubscribed_message_type_ids"),
    ("subscribedMessageTypeIds", "subscribed_message_type_ids"),
)


class SubscriptionCompiler(RowCompiler[SubscriptionSync]):
    """Rows of a subscription sync."""

    def compile(self, pk: str, row: Row, seq: int = 0, before: Acknowledged | None = None) -> Compiled:
        """One user's arrays; NULL leaves an array as it is, an empty one clears it."""
        issues: list[Issue] = []
        who = self.who(row, issues)
        of = attribution(given(self.sync.campaign_id, row), given(self.sync.template_id, row), issues)
        arrays = {}
        for name, setting in _ARRAYS:
            column = getattr(self.sync, setting)
            ids = None if column is None else _ids(row.get(column), name, issues)
            if ids is not None:
                arrays[name] = ids
        if who is None or wrong(issues):
            return Compiled(issues=tuple(issues))
        if not arrays:
            return Compiled(skipped="nothing_to_send")
        record = Record(OUTPUT, "subscriptions", {**who.top, **arrays, **of}, who.identity, pk)
        return Compiled((record,), tuple(issues))


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
