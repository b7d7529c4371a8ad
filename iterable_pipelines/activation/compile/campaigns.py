"""Campaigns, made once for each row (4.1, K17). What starts one is no sync: see campaigns/ (4.2)."""

from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from iterable_pipelines.activation.compile.compiler import Acknowledged, Row
from iterable_pipelines.activation.compile.events import given
from iterable_pipelines.activation.compile.fields import json_or_text
from iterable_pipelines.activation.compile.identity import identifier, whole_number
from iterable_pipelines.activation.compile.rows import RowCompiler, wrong
from iterable_pipelines.activation.compile.values import read_moment
from iterable_pipelines.activation.content import CampaignSync
from iterable_pipelines.activation.declaration import Given
from iterable_pipelines.activation.records import Compiled, Identity, Issue, Record

OUTPUT = "campaign"
_SEND_MODES = ("ProjectTimeZone", "RecipientTimeZone")
# read back they are always empty: nothing is ever compared with them (K17)
WRITE_ONLY = ("sendAt", "sendMode", "startTimeZone", "defaultTimeZone", "dataFields", "campaignDataFields")


class CampaignCompiler(RowCompiler[CampaignSync]):
    """Rows of a campaign sync."""

    def compile(self, pk: str, row: Row, seq: int = 0, before: Acknowledged | None = None) -> Compiled:
        """One campaign."""
        issues: list[Issue] = []
        sync = self.sync
        name = (identifier(given(sync.campaign_name, row)) or "").strip()
        if not name:
            issues.append(Issue("missing_campaign_name", "name is required", "name"))
        # Iterable would send a blast at once if this were left out
        schedules = _yes(sync.schedule_send, row, issues)
        payload: dict[str, Any] = {"name": name, "scheduleSend": schedules}
        payload["templateId"] = whole_number(given(sync.template_id, row), "invalid_template_id", "templateId", issues)
        for member, setting in (("listIds", sync.list_ids), ("suppressionListIds", sync.suppression_list_ids)):
            if ids := _ids(given(setting, row), member, issues):
                payload[member] = ids
        if (send_at := moment_to_send(given(sync.send_at, row), self.zone, issues)) is not None:
            payload["sendAt"] = send_at
        for member, text in self._texts(row):
            if text is not None:
                payload[member] = text
        for member, setting in (("dataFields", sync.data_fields), ("campaignDataFields", sync.campaign_data_fields)):
            if (fields := self._object(setting, row, member, issues)) is not None:
                payload[member] = fields
        if payload.get("sendMode", _SEND_MODES[0]) not in _SEND_MODES:
            issues.append(Issue("invalid_send_mode", f"neither {' nor '.join(_SEND_MODES)}", "sendMode"))
        if schedules and "listIds" not in payload:
            issues.append(Issue("missing_list_ids", "only a blast, which has lists, can be sent", "listIds"))
        if wrong(issues):
            return Compiled(issues=tuple(issues))
        compared = {member: value for member, value in payload.items() if member not in WRITE_ONLY}
        record = Record(OUTPUT, "campaign", payload, Identity("campaign", name), pk, compared=compared)
        return Compiled((record,), tuple(issues))

    def _texts(self, row: Row) -> list[tuple[str, str | None]]:
        sync = self.sync
        named = (
            ("sendMode", sync.send_mode),
            ("startTimeZone", sync.start_time_zone),
            ("defaultTimeZone", sync.default_time_zone),
        )
        return [(member, (identifier(given(setting, row)) or "").strip() or None) for member, setting in named]

    def _object(self, setting: Given | None, row: Row, path: str, issues: list[Issue]) -> Any:
        value = json_or_text(given(setting, row))
        if value is None:
            return None
        if not isinstance(value, dict):
            issues.append(Issue("unserializable_value", "not an object: cast it in SQL", path))
            return None
        return self.values.plain(value, path, issues)


def moment_to_send(value: Any, zone: ZoneInfo, issues: list[Issue]) -> str | None:
    """When to send, in UTC as Iterable takes it: 2026-11-01 09:30:00; None for now."""
    moment = read_moment(value.strip()) if isinstance(value, str) else value
    if isinstance(moment, date) and not isinstance(moment, datetime):
        moment = datetime.combine(moment, time(), zone)
    if isinstance(moment, datetime):
        utc = (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
        return utc.replace(microsecond=0, tzinfo=None).isoformat(" ")
    if value is not None and value != "":
        # without it the message would go at once
        issues.append(Issue("invalid_send_at", "no moment such as 2026-11-01 09:30:00", "sendAt"))
    return None


def _yes(said: bool | str, row: Row, issues: list[Issue]) -> bool:
    """Whether to send: as the file says, or a column of it, in which nothing is no."""
    value = said if isinstance(said, bool) else row.get(said)
    text = str(value).strip().lower()
    if value is None or text in ("true", "false", ""):
        return text == "true"
    issues.append(Issue("invalid_schedule_send", "neither true nor false", "scheduleSend"))
    return False


def _ids(value: Any, path: str, issues: list[Issue]) -> list[int]:
    """Sorted ids, each once: their order means nothing. One alone may stand without brackets."""
    value = json_or_text(value)
    if value is None or value == "":
        return []
    texts = [(identifier(each) or "?").strip() for each in (value if isinstance(value, list | tuple) else [value])]
    if all(each.isascii() and each.isdigit() and int(each) < 2**63 for each in texts):
        return sorted({int(each) for each in texts})
    issues.append(Issue("invalid_list_ids", "not a list of ids", path))
    return []
