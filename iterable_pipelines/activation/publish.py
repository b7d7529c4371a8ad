"""What runs did, as tables of the warehouse's schema `activation` (outbound.md 6.5): one transaction a run.

Identifiers are hashed, payloads are only there where the sync says so. A warehouse that is locked gets it next time.
"""

from collections.abc import Callable

from iterable_pipelines.activation.declaration import Sync
from iterable_pipelines.activation.state import Workspace
from iterable_pipelines.quoting import literal
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse
from iterable_pipelines.streams.warehouse import WarehouseFailed

KEPT_DAYS = 90
SCHEMA = "activation"

_TABLES = {
    "sync_runs": (
        "run_id text, sync text, object text, mode text, started_at timestamp, finished_at timestamp, status text, "
        "rows bigint, planned json, attempted json, succeeded json, failed json, requests bigint, bytes bigint, "
        "http_429 bigint, mapping_version bigint, as_of timestamp, note text, dagster_run_id text"
    ),
    "sync_rows": (
        "run_id text, sync text, pk text, output text, op text, outcome text, code text, message text, "
        "field_path text, details text, identity_hash text, payload_hash text, payload json, request_id text, "
        "http_status bigint, sent_at timestamp, acked_at timestamp, verified_at timestamp"
    ),
    "sync_errors": (
        "sync text, pk text, output text, code text, message text, field_path text, severity text, "
        "first_seen timestamp, last_seen timestamp, attempts bigint, tried_again boolean"
    ),
    "sync_requests": (
        "request_id text, run_id text, sync text, endpoint text, bytes bigint, attempts bigint, state text, "
        "http_status bigint, response text, sent_at timestamp, done_at timestamp"
    ),
}


def create_statements() -> list[str]:
    """The schema and its tables, where they are not there yet."""
    tables = [f"create table if not exists {SCHEMA}.{name} ({columns})" for name, columns in _TABLES.items()]
    return [f"create schema if not exists {SCHEMA}", *tables]
