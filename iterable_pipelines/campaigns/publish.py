"""The ledger as tables of the warehouse: `activation.campaign_calls` and `activation.campaign_decisions`.

They are small, and written as a whole: whatever a run that was killed has left out comes with the next.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime

import pyarrow as pa

from iterable_pipelines.activation.publish import WAIT_SECONDS
from iterable_pipelines.activation.row_log import SCHEMA, Tables, create_tables
from iterable_pipelines.campaigns.ledger import Call, CallLedger, Decision
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse
from iterable_pipelines.streams.warehouse import WarehouseFailed

_CALLS = {
    "id": "text: The call.",
    "procedure": "text: abort_campaign, trigger_campaign, …",
    "campaign_id": "bigint: The campaign, where it is of one.",
    "arguments": "json: As they were given; nobody is named, and of data fields the names are kept.",
    "who": "text: Who asked for it: a user of this machine, or Dagster.",
    "approved": "boolean: Whether it was to be sent; otherwise it was a dry run.",
    "state": "text: planned, dry_run, refused: nothing happened. sending, unknown: it may have. done. not_done: it "
    "was in doubt, and has not happened.",
    "note": "text: Why, or what has shown it.",
    "settled_by": "text: answer, reading, or who said so.",
    "http_status": "bigint: Iterable's answer.",
    "response": "text: What Iterable said.",
    "list_size": "bigint: Members of its lists at that moment.",
    "before": "json: The campaign as it was read before.",
    "path": "text: Where the request went.",
    "body_hash": "text: Salted hash of its body.",
    "gate": "text: The file in campaigns/ whose gate it passed.",
    "planned_at": "timestamp: UTC.",
    "sent_at": "timestamp: When its bytes left, UTC.",
    "done_at": "timestamp: UTC.",
    "dagster_run_id": "text: The run in Dagster.",
}
_DECISIONS = {
    "id": "text: The decision.",
    "gate": "text: The file in campaigns/.",
    "campaign_id": "bigint: The campaign.",
    "decided_at": "timestamp: UTC.",
    "who": "text: Who asked for it.",
    "outcome": "text: passed or refused.",
    "approved": "boolean: Whether it was to be sent if it passed.",
    "evidence": "json: Each check: its name, whether it passed (null: not known), what it found, its figures.",
    "overridden": "json: Checks that did not pass and were set aside by somebody.",
    "because": "text: Why they were.",
    "call_id": "text: The call in campaign_calls.",
    "dagster_run_id": "text: The run in Dagster.",
}
_TABLES: Tables = {
    "campaign_calls": ("Every call of a procedure, dry runs too (outbound.md 4.2).", _CALLS),
    "campaign_decisions": ("What the gates of campaigns decided, and on which evidence.", _DECISIONS),
}


def publish(settings: Settings, ledger: CallLedger, log: Callable[[str], None]) -> bool:
    """Bring the ledger into the warehouse, in one transaction. False if that cannot be had now: the next call does."""
    rows: dict[str, Sequence[Call] | Sequence[Decision]] = {
        "campaign_calls": ledger.calls(),
        "campaign_decisions": ledger.decisions(),
    }
    warehouse = Warehouse.of(settings, log, WAIT_SECONDS)
    try:
        with warehouse.transaction() as con:
            create_tables(con, SCHEMA, _TABLES)
            for name, (_, columns) in _TABLES.items():
                con.execute(f"delete from {SCHEMA}.{name}")
                if rows[name]:
                    con.register("fresh", _as_arrow(rows[name], list(columns)))
                    con.execute(f"insert into {SCHEMA}.{name} by name from fresh")
                    con.unregister("fresh")
        if warehouse.copy_is_due():
            warehouse.publish()
    except (WarehouseFailed, OSError) as error:
        # whoever called must hear what became of the call, and not of this
        log(f"what was called is noted, and will be published by the next call: {error}")
        return False
    return True


def _as_arrow(rows: Sequence[Call] | Sequence[Decision], columns: list[str]) -> pa.Table:
    found = [asdict(each) for each in rows]
    return pa.table({name: [_plain(row[name]) for row in found] for name in columns})


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None)
    return json.dumps(value) if isinstance(value, dict | list) else value
