"""Custom events: rows to events that go by an id of their own (1.4, T1–T4)."""

from hashlib import sha256
from typing import Any

from iterable_pipelines.activation.compile.compiler import Acknowledged, Row
from iterable_pipelines.activation.compile.identity import identifier
from iterable_pipelines.activation.compile.moments import Moments
from iterable_pipelines.activation.compile.rows import RowCompiler, Settled
from iterable_pipelines.activation.objects import Constant, EventSync, Given
from iterable_pipelines.activation.records import Compiled, Issue, Record

OUTPUT = "event"
_LONGEST_ID = 512


class EventCompiler(RowCompiler[EventSync]):
    """Rows of an event sync."""

    def __init__(self, settled: Settled[EventSync]) -> None:
        super().__init__(settled)
        sync = self.sync
        self._endpoint = "event" if sync.delivery == "single" else "events"
        self._moments = Moments(self.as_of, self.zone, sync.allow_missing_created_at)
        # a sync that was renamed goes on with its ids
        self._ids = sync.renamed_from or sync.name
        self._new_fields = {} if sync.create_new_fields is None else {"createNewFields": sync.create_new_fields}

    def compile(self, pk: str, row: Row, seq: int = 0, before: Acknowledged | None = None) -> Compiled:
        """One event."""
        issues: list[Issue] = []
        sync = self.sync
        who = self.who(row, issues)
        name = event_name(given(sync.event_name, row), issues)
        created = self._moments.created_at(row.get(sync.created_at) if sync.created_at else None, issues)
        own = row.get(sync.id) if sync.id else None
        if sync.mode == "update" and event_id(own, []) is None:
            issues.append(Issue("event_id_required", "an update needs the id of the event", "id"))
        known = event_id(own, issues) or generated_id(self._ids, pk)
        of = attribution(given(sync.campaign_id, row), given(sync.template_id, row), issues)
        data, _ = self.fields.of_row(row, issues)
        if who is None or any(each.severity == "error" for each in issues):
            return Compiled(issues=tuple(issues))
        payload = {**who.top, "eventName": name, "id": known, **of, **self._new_fields}
        if created is not None:
            payload["createdAt"] = created
        if data:
            payload["dataFields"] = data
        event = Record(OUTPUT, self._endpoint, payload, who.identity, pk, moment=created, volatile=sync.volatile)
        return Compiled((event,), tuple(issues))


def given(what: Given | None, row: Row) -> Any:
    """The value of a column, or a constant."""
    if isinstance(what, Constant):
        return what.constant
    return None if what is None else row.get(what)


def event_name(value: Any, issues: list[Issue]) -> str | None:
    """The name as it stands, without blanks around it (1.4)."""
    name = (identifier(value) or "").strip()
    if name:
        return name
    issues.append(Issue("missing_event_name", "eventName is required", "eventName"))
    return None


def event_id(value: Any, issues: list[Issue]) -> str | None:
    """A mapped id as text; None if there is none, or, with an Issue, if it is too long (T4)."""
    if value is None:
        return None
    known = identifier(value)
    known = str(value) if known is None else known
    if not known.strip():
        return None
    if len(known.encode()) <= _LONGEST_ID:
        return known
    issues.append(Issue("event_id_too_long", f"longer than {_LONGEST_ID} bytes", "id"))
    return None


def generated_id(sync: str, pk: str) -> str:
    """An id that nobody else's event has, the same for the same row (T4, G6)."""
    known = f"wh:{sync}:{pk}"
    return known if len(known.encode()) <= _LONGEST_ID else f"wh:{sync}:sha256:{sha256(pk.encode()).hexdigest()}"


def attribution(campaign: Any, template: Any, issues: list[Issue]) -> dict[str, int]:
    """campaignId and templateId, where there is one: 0 and blanks are none (T3)."""
    found = {}
    for name, code, value in (
        ("campaignId", "invalid_campaign_id", campaign),
        ("templateId", "invalid_template_id", template),
    ):
        text = "" if value is None else identifier(value)
        if text is not None and not text.strip():
            continue
        if text is None or not (text := text.strip()).isascii() or not text.isdigit() or int(text) >= 2**63:
            issues.append(Issue(code, "not a whole number", name))
        elif int(text):
            found[name] = int(text)
    return found
