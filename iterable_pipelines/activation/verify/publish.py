"""What verifications found, for readers: tables of the warehouse's schema `activation`, written in one transaction."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from iterable_pipelines.activation.declaration import Sync
from iterable_pipelines.activation.errors import AlreadyRunning
from iterable_pipelines.activation.row_log import KEPT_DAYS, SCHEMA, create_tables
from iterable_pipelines.activation.state import open_workspace
from iterable_pipelines.activation.verify.promises import WRONG
from iterable_pipelines.landing.scratch import scratch_folder
from iterable_pipelines.quoting import literal
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse
from iterable_pipelines.streams.warehouse import WarehouseFailed

_NUMBERS = (
    *("checked", "verified", "mismatch", "missing", "drifted"),
    *("pending", "unseen", "from_copy", "lookups"),
)
_SINCE = "(select min(verified_at) from state.verifications where not published)"
_QUERIES = {
    "sync_verifications": "select $sync as sync, verified_at, cast(figures ->> '$.full' as boolean) as is_full, "
    + ", ".join(f"cast(figures ->> '$.{name}' as bigint) as {name}" for name in _NUMBERS)
    + ", figures -> '$.lists' as lists from state.verifications where not published",
    # a row that was acknowledged anew since then is as good as any other until it is looked at
    "sync_mismatches": "select $sync as sync, m.* exclude (key) from state.mismatches as m "
    "join state.acked as a using (key, output) where m.noted_at >= a.last_acked_at",
    "rows": "select run_id, pk, output, payload_hash, verified_at, verdict from state.acked "
    f"where verified_at >= {_SINCE}",
}


def publish_findings(settings: Settings, sync: Sync, log: Callable[[str], None], wait_seconds: float = 60.0) -> bool:
    """Bring what is not published yet into the warehouse. False if that, or the state, cannot be had now."""
    with scratch_folder(settings.landing_dir, "verified-") as folder:
        try:
            newest = _write_files(settings, sync, folder, log)
            if newest is None:
                return True
            _store(settings, sync, folder, wait_seconds, log)
            with open_workspace(settings, sync.name, write=True, log=log) as state:
                state.con.execute("update state.verifications set published = true where verified_at <= ?", [newest])
        except (AlreadyRunning, WarehouseFailed) as error:
            log(f"{sync.name}: what was found is noted, and will be published by the next verification: {error}")
            return False
    return True


def _write_files(settings: Settings, sync: Sync, folder: Path, log: Callable[[str], None]) -> datetime | None:
    with open_workspace(settings, sync.name, log=log) as state:
        for name, query in _QUERIES.items():
            file = literal(str(folder / f"{name}.parquet"))
            state.con.execute(f"copy ({query.replace('$sync', literal(sync.name))}) to {file}")
        ((newest,),) = state.con.execute(
            "select max(verified_at) from state.verifications where not published"
        ).fetchall()
    return newest if isinstance(newest, datetime) else None


def _store(settings: Settings, sync: Sync, folder: Path, wait_seconds: float, log: Callable[[str], None]) -> None:
    files = {name: f"read_parquet({literal(str(folder / f'{name}.parquet'))})" for name in _QUERIES}
    warehouse = Warehouse.of(settings, log, wait_seconds)
    with warehouse.transaction() as there:
        create_tables(there)
        # published before, by a process that was killed before it could note that
        there.execute(
            f"delete from {SCHEMA}.sync_verifications where sync = ? and verified_at in "
            f"(select verified_at from {files['sync_verifications']})",
            [sync.name],
        )
        there.execute(f"delete from {SCHEMA}.sync_mismatches where sync = ?", [sync.name])
        for name in ("sync_verifications", "sync_mismatches"):
            there.execute(f"insert into {SCHEMA}.{name} by name select * from {files[name]}")
        there.execute(
            f"update {SCHEMA}.sync_rows as r set verified_at = case when f.verdict in {WRONG} then null "
            f"when f.verdict = 'verified' then f.verified_at else r.verified_at end from {files['rows']} as f "
            "where r.sync = ? and r.run_id = f.run_id and r.pk = f.pk and r.output = f.output "
            "and r.payload_hash = f.payload_hash",
            [sync.name],
        )
        there.execute(
            f"delete from {SCHEMA}.sync_verifications where verified_at < now()::timestamp - interval {KEPT_DAYS} days"
        )
    if warehouse.copy_is_due():
        warehouse.publish()
