"""Custom events: rows to events that go by an id of their own (1.4, T1–T4)."""

from hashlib import sha256
from typing import Any

from iterable_pipelines.activation.compile.compiler import Acknowledged, Row
from iterable_pipelines.activation.compile.identity import Who, identifier
from iterable_pipelines.activation.compile.moments import Moments
from iterable_pipelines.activation.compile.rows import RowCompiler, Settled, wrong
from iterable_pipelines.activation.declaration import Constant, Given
from iterable_pipelines.activation.objects import EventSync
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
        self._new_fields = {} if sync.create_new_fields is None else {"createNewFields": sync.create_new_fields}

    def compile(self, pk: str, row: Row, seq: int = 0, before: Acknowledged | None = None) -> Compiled:
        """One event."""
        issues: list[Issue] = []
        sync = self.sync
        who = self.who(row, issues)
        name = event_name(given(sync.event_name, row), issues)
        created = self._moments.created_at(row.get(sync.created_at) if sync.created_at else None, issues)
        own = row.get(sync.id) if sync.id else None
        known = event_id(own, issues, required=sync.mode == "update") or generated_id(self.ids, pk)
        of = attribution(given(sync.campaign_id, row), given(sync.template_id, row), issues)
        data, _ = self.fields.of_row(row, issues)
        if who is None or name is None or wrong(issues):
            return Compiled(issues=tuple(issues))
        data |= self.kept(who)
        more = {**of, **self._new_fields}
        record = event(self._endpoint, pk, who, name, known, created, data, more, sync.volatile)
        return Compiled((record,), tuple(issues))


def event(
    endpoint: str,
    pk: str,
    who: Who,
    name: str,
    known: str,
    created: int | None,
    data: dict[str, Any],
    more: dict[str, Any],
    volatile: tuple[str, ...] = (),
) -> Record:
    """An event as trackBulk takes it: sent again under its id it replaces itself (S8)."""
    payload = {**who.top, "eventName": name, "id": known, **more}
    if created is not None:
        payload["createdAt"] = created
    if data:
        payload["dataFields"] = data
    return Record(OUTPUT, endpoint, payload, who.identity, pk, moment=created, volatile=volatile)


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


def event_id(value: Any, issues: list[Issue], *, required: bool = False) -> str | None:
    """A mapped id as text; None if there is none, or, with an Issue, if it is too long (T4) or `required` (G7)."""
    known = identifier(value)
    known = str(value) if known is None and value is not None else known
    if known is None or not known.strip():
        if required:
            issues.append(Issue("event_id_required", "an update needs the id of the event", "id"))
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
