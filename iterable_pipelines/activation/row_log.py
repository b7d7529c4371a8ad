"""The row log: tables of the warehouse's schema `activation`, each column with what it says (outbound.md 6.5)."""

from collections.abc import Mapping

import duckdb

from iterable_pipelines.quoting import literal

SCHEMA = "activation"
KEPT_DAYS = 90

_SYNC = "text: The sync: its file's name."
_RUN = "text: The run of the sync."
_PK = "text: Primary key of the row, as the source has it; several columns are joined by |."
_OUTPUT = "text: What was sent of the row: user, event, list, …; empty where no record came of it."
_PATH = "text: The field that is to blame, where one is."
_REQUEST = "text: The request in sync_requests."

# by name, what it says, and its columns
Tables = Mapping[str, tuple[str, Mapping[str, str]]]
_TABLES: Tables = {
    "sync_runs": (
        "One row for each run of a sync.",
        {
            "run_id": _RUN,
            "sync": _SYNC,
            "object": "text: What its rows become: user, event, …",
            "mode": "text: insert, update, upsert, mirror or remove.",
            "started_at": "timestamp: UTC.",
            "finished_at": "timestamp: UTC.",
            "status": "text: succeeded; partial: records wait for the next run; failed.",
            "rows": "bigint: Rows of the source.",
            "counts": "json: Records by operation and outcome.",
            "acknowledged": "bigint: Records that Iterable has, works on, or had already.",
            "rejected": "bigint: Records that Iterable refused, and rows that were invalid before they were sent.",
            "skipped": "bigint: Records that a rule of the sync kept back.",
            "pending": "bigint: Records that were not sent, or are in doubt; the next run takes them up.",
            "requests": "bigint: Requests that were sent.",
            "bytes": "bigint: Bytes of their bodies.",
            "http_429": "bigint: How often Iterable asked to wait.",
            "mapping_version": "bigint: Which version of the sync's mapping it was.",
            "as_of": "timestamp: The hour at which windows end, UTC.",
            "note": "text: Why it did not succeed.",
            "dagster_run_id": "text: The run in Dagster.",
        },
    ),
    "sync_rows": (
        "One row for each record of a run, with what became of it.",
        {
            "run_id": _RUN,
            "sync": _SYNC,
            "pk": _PK,
            "output": _OUTPUT,
            "op": "text: add, change, remove or retry.",
            "outcome": "text: acked, accepted, noop, skipped, invalid, rejected, deferred, aborted or unknown.",
            "standing": "text: acknowledged, rejected, skipped or pending.",
            "code": "text: Why it was not acknowledged, such as invalid_email.",
            "message": "text: The same in words.",
            "field_path": _PATH,
            "details": "text: Codes of what else was wrong.",
            "result": "json: What Iterable made of it: the id of a list or a campaign.",
            "identity_hash": "text: Salted hash of the address or user id.",
            "payload_hash": "text: Hash of what was sent.",
            "payload": "json: What was sent, where the sync says log_payloads.",
            "request_id": _REQUEST,
            "http_status": "bigint: What the request was answered.",
            "sent_at": "timestamp: UTC.",
            "acked_at": "timestamp: When it was acknowledged, UTC.",
            "verified_at": "timestamp: When it was last read back as it was sent, UTC.",
        },
    ),
    "sync_errors": (
        "What is wrong with rows now.",
        {
            "sync": _SYNC,
            "pk": _PK,
            "output": _OUTPUT,
            "code": "text: What is wrong, such as invalid_email.",
            "message": "text: The same in words.",
            "field_path": _PATH,
            "severity": "text: error: Iterable does not have the row. warning: it has, with something left out.",
            "first_seen": "timestamp: UTC.",
            "last_seen": "timestamp: UTC.",
            "attempts": "bigint: How many runs have tried it.",
            "tried_again": "boolean: Whether the next run tries it though nothing has changed.",
        },
    ),
    "sync_requests": (
        "One row for each request of a run.",
        {
            "request_id": "text: The request.",
            "run_id": _RUN,
            "sync": _SYNC,
            "endpoint": "text: What it was for: users, events, subscribe, …",
            "bytes": "bigint: Bytes of its body.",
            "attempts": "bigint: How often it was sent.",
            "state": "text: done; split: into smaller ones; sending or unknown: whether it arrived is in doubt.",
            "http_status": "bigint: The last answer.",
            "response": "text: The code of the last answer, if it was no yes.",
            "sent_at": "timestamp: UTC.",
            "done_at": "timestamp: UTC.",
        },
    ),
    "sync_verifications": (
        "One row each time that acknowledged records were read back from Iterable.",
        {
            "sync": _SYNC,
            "verified_at": "timestamp: When it began, UTC.",
            "is_full": "boolean: Whether all were looked for, and not a sample.",
            "checked": "bigint: Records that could be told: verified, mismatch, missing and drifted.",
            "verified": "bigint: Records that are as they were sent.",
            "mismatch": "bigint: Records with other values than were sent.",
            "missing": "bigint: Records that are not there.",
            "drifted": "bigint: Records that were right, and that somebody has changed in Iterable since.",
            "pending": "bigint: Records too young to be looked for.",
            "unseen": "bigint: Records of which Iterable shows too little to tell.",
            "from_copy": "bigint: How many of the verified were seen in what was imported, without a request.",
            "lookups": "bigint: Requests for single users.",
            "lists": "json: Lists: their size, and the members that were acknowledged.",
        },
    ),
    "sync_mismatches": (
        "Records that are not at Iterable as they were acknowledged, now.",
        {
            "sync": _SYNC,
            "pk": _PK,
            "output": _OUTPUT,
            "verdict": "text: mismatch, missing or drifted.",
            "fields": "text: The fields that differ.",
            "found": "json: What Iterable has instead, where the sync says log_payloads.",
            "noted_at": "timestamp: UTC.",
        },
    ),
}


def create_tables(con: duckdb.DuckDBPyConnection, schema: str = SCHEMA, tables: Tables = _TABLES) -> None:
    """Make the schema and its tables where they are not there yet, described for whoever looks at them."""
    con.execute(f"create schema if not exists {schema}")
    described = dict(
        con.execute("select table_name, comment from duckdb_tables() where schema_name = ?", [schema]).fetchall()
    )
    known = con.execute("select table_name, column_name from duckdb_columns() where schema_name = ?", [schema])
    there = set(known.fetchall())
    for name, (comment, columns) in tables.items():
        told = {column: each.split(": ", 1) for column, each in columns.items()}
        if name not in described:
            listed = ", ".join(f"{column} {kind}" for column, (kind, _) in told.items())
            con.execute(f"create table {schema}.{name} ({listed})")
            there |= {(name, column) for column in told}
        for column, (kind, _) in told.items():
            if (name, column) not in there:
                # of a table that was made before there was this column
                con.execute(f"alter table {schema}.{name} add column {column} {kind}")
        if described.get(name) == comment:
            continue
        for column, (_, text) in told.items():
            con.execute(f"comment on column {schema}.{name}.{column} is {literal(text)}")
        con.execute(f"comment on table {schema}.{name} is {literal(comment)}")
