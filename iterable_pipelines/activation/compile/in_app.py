"""In-app messages: each goes to one user, and to say so twice sends it twice (4.1, S8)."""

from typing import Any

from iterable_pipelines.activation.compile.campaigns import moment_to_send
from iterable_pipelines.activation.compile.compiler import Acknowledged, Row
from iterable_pipelines.activation.compile.events import given
from iterable_pipelines.activation.compile.identity import whole_number
from iterable_pipelines.activation.compile.rows import RowCompiler, wrong
from iterable_pipelines.activation.content import InAppSync
from iterable_pipelines.activation.records import Compiled, Issue, Record

OUTPUT = "in_app"
_RECIPIENT = {"email": "recipientEmail", "userId": "recipientUserId"}


class InAppCompiler(RowCompiler[InAppSync]):
    """Rows of an in_app sync."""

    def compile(self, pk: str, row: Row, seq: int = 0, before: Acknowledged | None = None) -> Compiled:
        """One message."""
        issues: list[Issue] = []
        sync = self.sync
        who = self.who(row, issues)
        campaign = whole_number(given(sync.campaign_id, row), "invalid_campaign_id", "campaignId", issues)
        send_at = moment_to_send(given(sync.send_at, row), self.zone, issues)
        data, _ = self.fields.of_row(row, issues)
        if who is None or wrong(issues):
            return Compiled(issues=tuple(issues))
        payload: dict[str, Any] = {
            "campaignId": campaign,
            # one of the two, never both (api.md 6.5)
            _RECIPIENT[who.identity.kind]: who.identity.value,
            # Iterable's default, true, would let a run that is repeated reach them again
            "allowRepeatMarketingSends": sync.allow_repeat_marketing_sends,
        }
        if data:
            payload["dataFields"] = data
        if send_at is not None:
            payload["sendAt"] = send_at
        return Compiled((Record(OUTPUT, "in_app", payload, who.identity, pk),), tuple(issues))
