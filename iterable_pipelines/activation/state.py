"""What a sync knows: a DuckDB file of its own, what Iterable has acknowledged, and what is on its way (S1, S3).

`state` is that file, `scratch` a file that is thrown away: both are attached to one connection, so that SQL compares
them. One transaction writes only one of them.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
from filelock import FileLock, Timeout

from iterable_pipelines.activation.errors import AlreadyRunning
from iterable_pipelines.landing.scratch import scratch_folder, sweep
from iterable_pipelines.memory import take_share
from iterable_pipelines.quoting import literal
from iterable_pipelines.settings import Settings

FOLDER = "activation"
SCHEMA_VERSION = "1"

# a record goes by `key` and `output`: key is the row's pk, or the identity where membership is what counts (P5), or
# where the record is about a thing that other rows may name
_RECORD = (
    "key text not null, pk text not null, output text not null, endpoint text, flags json, identity_kind text, "
    "identity text, payload json, "
    "payload_hash text not null, mapping_version bigint not null, member boolean not null, seq bigint not null"
)
# all of them lack primary keys on purpose: keys are proved by the plan, and an index would grow with the rows
SCHEMA = (
    # schema_version, project (its fingerprint), salt (of hashed identifiers)
    "create table if not exists state.meta (name text, value text)",
    "create table if not exists state.mappings (version bigint, mapping json, noted_at timestamp)",
    # the list that the sync writes to (P3); without an id while it is not known whether it was made (S9)
    "create table if not exists state.lists (name text, list_id bigint, noted_at timestamp)",
    "create table if not exists state.runs (run_id text, status text, as_of timestamp, started_at timestamp, "
    "finished_at timestamp, mapping_version bigint, rows bigint, requests bigint, bytes bigint, http_429 bigint, "
    "note text, dagster_run_id text, whole boolean default true, published boolean not null default false, "
    "merged boolean not null default false)",
    # what a run means to do, written down before anything is sent: op is add, change, remove or retry
    f"create table if not exists state.changes (run_id text, number bigint, op text, "
    f"stage bigint, needs text, moment bigint, {_RECORD})",
    # what became of it, appended only: a change without an outcome is pending
    "create table if not exists state.outcomes (run_id text, number bigint, kind text, code text, message text, "
    "path text, details text, request_id text, http_status bigint, sent_at timestamp, noted_at timestamp)",
    # what Iterable made, JSON: the id of a list or a campaign. Later than the tables
    "alter table state.outcomes add column if not exists result text",
    # one row per key and output: the newest that Iterable acknowledged (S5). in_doubt: something later may have arrived
    f"create table if not exists state.acked ({_RECORD}, first_acked_at timestamp, last_acked_at timestamp, "
    "run_id text, request_id text, in_doubt boolean not null default false, verified_at timestamp, verdict text)",
    "alter table state.acked add column if not exists result text",
    # from when till when removals of ours were sent that they have not come back from since: the first may have arrived
    # though nobody said so
    "alter table state.acked add column if not exists exits_from timestamp",
    "alter table state.acked add column if not exists exits_until timestamp",
    # rows of the source that need no look unless they change, once for each key of their records
    "create table if not exists state.seen (pk text, source_hash text, key text)",
    "create table if not exists state.issues (key text, pk text, output text, code text, message text, path text, "
    "severity text, first_seen timestamp, last_seen timestamp, attempts bigint, payload_hash text, terminal boolean)",
    # planned, sending, done, split (into others), unknown. body: kept while it may have to go again byte for byte
    "create table if not exists state.outbox (request_id text, run_id text, endpoint text, method text, path text, "
    "state text, attempts bigint, bytes bigint, body blob, body_hash text, http_status bigint, response text, "
    "planned_at timestamp, sent_at timestamp, done_at timestamp)",
    "create table if not exists state.outbox_rows (request_id text, place bigint, number bigint)",
    # since when somebody is known to have left a channel or message type, for which Iterable tells no moment
    "create table if not exists state.unsubscribed (identity_kind text, identity text, what text, id bigint, "
    "first_seen timestamp)",
    # what is not found at Iterable as it was acknowledged; and each verification, its figures as JSON
    "create table if not exists state.mismatches (key text, pk text, output text, verdict text, fields text, "
    "found json, noted_at timestamp)",
    "create table if not exists state.verifications (verified_at timestamp, figures json, published boolean)",
)


@dataclass(frozen=True)
class Workspace:
    """One connection with `state` and `scratch`. For one thread."""

    con: duckdb.DuckDBPyConnection
    folder: Path

    @contextmanager
    def transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Committed at the end, rolled back on any error."""
        self.con.execute("begin")
        try:
            yield self.con
        except BaseException:
            self.con.execute("rollback")
            raise
        self.con.execute("commit")


def state_path(settings: Settings, name: str) -> Path:
    """The file of a sync. Not in the warehouse: one that is made anew must not send anything twice."""
    return settings.data_dir / FOLDER / f"{name}.duckdb"


@contextmanager
def open_workspace(
    settings: Settings,
    name: str,
    *,
    write: bool = False,
    renamed_from: str | None = None,
    log: Callable[[str], None] = print,
    path: Path | None = None,
    then: str = "",
) -> Iterator[Workspace]:
    """The state of a sync beside an empty scratch file. Without `write` nothing of the state changes, or is made.

    A sync that has no state yet takes that of the name it is `renamed_from`. `path` and `then`, the command that runs
    it, are for what is no sync and keeps the same tables.
    Raises AlreadyRunning while another run of the sync has it.
    """
    path = path or state_path(settings, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    settings.landing_dir.mkdir(parents=True, exist_ok=True)
    sweep(settings.landing_dir)
    # DuckDB's own lock lets the same process in twice
    lock = FileLock(f"{path}.lock", mode=0o600)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise AlreadyRunning(
            f"{name}: another run of this sync is at work. Nothing was sent by this one.\n"
            f"Next: wait for it, then {then or f'iterable-pipelines sync run {name}'}"
        ) from None
    try:
        former = state_path(settings, renamed_from) if renamed_from else path
        if former.exists() and not path.exists():
            if write:
                # what was committed last may still stand beside the file of a run that was killed
                if (last := Path(f"{former}.wal")).exists():
                    os.replace(last, f"{path}.wal")
                os.replace(former, path)
            else:
                path = former
        with (
            scratch_folder(settings.landing_dir, "activation-") as folder,
            duckdb.connect(config={"memory_limit": settings.memory_limit, "temp_directory": str(folder)}) as con,
        ):
            # what is compared goes through all of it, and DuckDB keeps as much as it may: a million rows need no more
            take_share(con, 1 / 4)
            con.execute("set timezone = 'UTC'")
            con.execute("set preserve_insertion_order = false")
            # thrown away at the end, so nothing of it has to be on the disk for certain
            con.execute(f"attach {literal(str(folder / 'scratch.duckdb'))} as scratch (recovery_mode no_wal_writes)")
            if write or path.exists():
                con.execute(f"attach {literal(str(path))} as state {'' if write else '(read_only)'}")
            else:
                con.execute("attach ':memory:' as state")
            if write:
                os.chmod(path, 0o600)
            if write or not path.exists():
                _make(con)
            elif _NEWEST_COLUMN not in con.sql("from state.acked").columns:
                # made before there was this column: nothing but the tables changes
                con.execute("detach state")
                con.execute(f"attach {literal(str(path))} as state")
                _make(con)
            yield Workspace(con, folder)
    finally:
        lock.release()


# what `state.acked` of an older version lacks
_NEWEST_COLUMN = "exits_until"


def _make(con: duckdb.DuckDBPyConnection) -> None:
    for statement in SCHEMA:
        con.execute(statement)
