"""What runs did, as tables of the warehouse's schema `activation` (outbound.md 6.5): one transaction a run.

Identifiers are hashed, payloads are only there where the sync says so. A warehouse that is locked gets it next time.
"""

from collections.abc import Callable
from typing import get_args

import duckdb

from iterable_pipelines.activation.declaration import Sync
from iterable_pipelines.activation.merge import kinds_of
from iterable_pipelines.activation.outcomes import Standing, newest_outcomes
from iterable_pipelines.activation.row_log import KEPT_DAYS, SCHEMA, create_tables
from iterable_pipelines.activation.state import Workspace
from iterable_pipelines.crashpoints import crashpoint
from iterable_pipelines.quoting import literal
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse
from iterable_pipelines.streams.warehouse import WarehouseFailed

# for whoever has the warehouse; after that the next run publishes
WAIT_SECONDS = 60.0
STANDINGS: tuple[str, ...] = get_args(Standing)
# rows that are of a run, and go when it does
_OF_RUNS = ("sync_runs", "sync_rows", "sync_requests")
_STANDING = "case " + " ".join(f"when kind in ({kinds_of(each)}) then '{each}'" for each in STANDINGS) + " end"
_UNPUBLISHED = "run_id in (select run_id from state.runs where not published)"
# what became of each change, the newest of it
_ROWS = f"""
    create or replace temp table rows_now as
    select c.*, o.* exclude (run_id, number), coalesce(o.kind, 'aborted') as outcome,
        {_STANDING.replace("kind", "coalesce(o.kind, 'aborted')")} as standing
    from state.changes c left join {newest_outcomes(_UNPUBLISHED)} o on o.run_id = c.run_id and o.number = c.number
    where c.{_UNPUBLISHED}
"""


def publish(workspace: Workspace, settings: Settings, sync: Sync, log: Callable[[str], None]) -> bool:
    """Bring every run that is over and not published into the warehouse. False if that cannot be had now."""
    con = workspace.con
    runs = [run for (run,) in con.execute("select run_id from state.runs where not published and merged").fetchall()]
    if not runs:
        return True
    files = _write_files(workspace, sync)
    warehouse = Warehouse.of(settings, log, WAIT_SECONDS)
    listed = ", ".join(map(literal, runs))
    try:
        with warehouse.transaction() as there:
            create_tables(there)
            for name in _OF_RUNS:
                # published before, by a run that was killed before it could note that
                there.execute(f"delete from {SCHEMA}.{name} where run_id in ({listed})")
            there.execute(f"delete from {SCHEMA}.sync_errors where sync = ?", [sync.name])
            for name, file in files.items():
                there.execute(f"insert into {SCHEMA}.{name} by name from read_parquet({literal(file)})")
            _forget_old(there)
    except WarehouseFailed as error:
        log(f"{sync.name}: what this run did will be published by the next one: {error}")
        return False
    crashpoint("activation_published")
    with workspace.transaction():
        con.execute(f"update state.runs set published = true where run_id in ({listed})")
        # what may still have to go again stays
        con.execute(
            "create or replace temp table over as select run_id from state.runs where published and run_id not in "
            "(select run_id from state.outbox where body is not null and state in ('sending', 'unknown'))"
        )
        for name in ("changes", "outcomes", "outbox_rows", "outbox"):
            which = "run_id in (from over)"
            if name == "outbox_rows":
                which = "request_id in (select request_id from state.outbox where run_id in (from over))"
            con.execute(f"delete from state.{name} where {which}")
        con.execute("drop table over")
    if warehouse.copy_is_due():
        warehouse.publish()
    return True


def _write_files(workspace: Workspace, sync: Sync) -> dict[str, str]:
    con, name = workspace.con, literal(sync.name)
    con.execute(_ROWS)
    hashed = "left(sha256((select value from state.meta where name = 'salt') || identity_kind || identity), 16)"
    payload = "if(code is distinct from 'user_forgotten', payload, null)" if sync.log_payloads else "null::json"
    total = ", ".join(
        f"(select count(*) from rows_now r where r.run_id = runs.run_id and standing = '{each}') as {each}"
        for each in STANDINGS
    )
    counts = (
        "(select json_group_object(op, counts) from (select op, json_group_object(outcome, n) as counts from "
        "(select op, outcome, count(*) as n from rows_now r where r.run_id = runs.run_id group by all) group by op))"
    )
    queries = {
        "sync_runs": f"select run_id, {name} as sync, {literal(sync.object)} as object, {literal(sync.mode)} as mode, "
        f"started_at, finished_at, status, rows, {counts} as counts, {total}, requests, bytes, http_429, "
        "mapping_version, as_of, note, dagster_run_id from state.runs runs where not published and merged",
        "sync_rows": f"select run_id, {name} as sync, pk, output, op, outcome, standing, code, message, "
        f"path as field_path, details, result::json as result, {hashed} as identity_hash, payload_hash, "
        f"{payload} as payload, request_id, "
        f"http_status, sent_at, if(standing = 'acknowledged', noted_at, null) as acked_at, "
        "null::timestamp as verified_at from rows_now",
        "sync_errors": f"select {name} as sync, pk, output, code, message, path as field_path, severity, first_seen, "
        "last_seen, attempts, not terminal as tried_again from state.issues",
        "sync_requests": f"select request_id, run_id, {name} as sync, endpoint, bytes, attempts, state, http_status, "
        "response, sent_at, done_at from state.outbox where run_id in (select run_id from state.runs where not "
        "published and merged)",
    }
    files = {}
    for table, query in queries.items():
        files[table] = str(workspace.folder / f"{table}.parquet")
        con.execute(f"copy ({query}) to {literal(files[table])} (format parquet)")
    con.execute("drop table rows_now")
    return files


def _forget_old(con: duckdb.DuckDBPyConnection) -> None:
    """Runs that began more than KEPT_DAYS ago, with all that is of them."""
    old = f"select run_id from {SCHEMA}.sync_runs where started_at < now()::timestamp - interval {KEPT_DAYS} days"
    con.execute(f"create or replace temp table old_runs as {old}")
    for name in _OF_RUNS:
        con.execute(f"delete from {SCHEMA}.{name} where run_id in (from old_runs)")
