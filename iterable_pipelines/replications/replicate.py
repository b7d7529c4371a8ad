"""Bring one target up to date: a file as a whole, a table of PostgreSQL by what has changed, in one transaction.

The published copy is read, so that whoever writes the warehouse is never held up by the network.
"""

import errno
from dataclasses import dataclass
from pathlib import Path

import duckdb

from iterable_pipelines.crashpoints import crashpoint
from iterable_pipelines.landing.scratch import scratch_folder, sweep
from iterable_pipelines.postgres import Connection, connect, url_of
from iterable_pipelines.published import PASSING, passing_cause, reading, without_values
from iterable_pipelines.replications import postgres_table
from iterable_pipelines.replications.changes import Changes, find_changes, source_columns
from iterable_pipelines.replications.declaration import FOLDER, Replication
from iterable_pipelines.replications.errors import ReplicationRefused
from iterable_pipelines.replications.postgres_table import Target
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import WarehouseFailed
from iterable_pipelines.table_files import write_file

_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True)
class Replicated:
    """What became of the rows, and how many bytes of rows were written or sent.

    `mended` are values that could not go as they are: guarded cells of a CSV, characters that PostgreSQL cannot hold.
    """

    inserted: int
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0
    bytes: int = 0
    mended: int = 0
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        counts = ("inserted", "updated", "deleted", "unchanged")
        told = ", ".join(f"{getattr(self, name):,} {name}" for name in counts) + f", {self.bytes:,} bytes"
        mended = [f"{self.mended:,} values could not go as they are"] if self.mended else []
        return "; ".join([told, *mended, *self.notes])


def replicate(
    settings: Settings, replication: Replication, *, allow_deletes: bool = False, dry_run: bool = False
) -> Replicated:
    """Make the target what the source is now; a dry run only says what that would change.

    Until the end the target is as it was. Raises ReplicationRefused, PostgresFailed, SettingsError, NothingPublished,
    or WarehouseFailed for what may be otherwise the next time, such as a disk that is full.
    """
    try:
        if replication.file:
            return _into_file(settings, replication, settings.project_root / replication.file, dry_run)
        return _into_postgres(settings, replication, allow_deletes, dry_run)
    except ReplicationRefused as error:
        look = (
            f"correct {FOLDER}/{replication.name}.yml, then iterable-pipelines replicate {replication.name} --dry-run"
        )
        raise ReplicationRefused(
            f"{replication.name}: {error}. Nothing was changed there.\nNext: {error.then or look}"
        ) from None
    except PASSING as error:
        cause, then = passing_cause(error, settings)
        raise WarehouseFailed(
            f"{replication.name}: {cause}. Nothing was changed there.\nNext: {then}run it again"
        ) from None
    except duckdb.Error as error:
        raise ReplicationRefused(
            f"{replication.name}: its query cannot be run: {without_values(error)}. Nothing was changed there.\n"
            f"Next: correct {FOLDER}/{replication.name}.yml; iterable-pipelines query shows what a query brings"
        ) from None


def _into_file(settings: Settings, replication: Replication, file: Path, dry_run: bool) -> Replicated:
    if dry_run:
        with reading(settings) as con:
            found = con.execute(f"select count(*) from (\n{replication.source}\n)").fetchone()
        return Replicated(found[0] if found else 0)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        written = write_file(settings, replication.source, file)
    except OSError as error:
        if error.errno in _FULL:
            raise
        raise ReplicationRefused(f"{file} cannot be written ({error.strerror})") from None
    return Replicated(written.rows, bytes=written.bytes, mended=written.guarded)


def _into_postgres(settings: Settings, replication: Replication, allow_deletes: bool, dry_run: bool) -> Replicated:
    variable = replication.postgres or ""
    url = url_of(variable, settings.project_root)
    with reading(settings) as con:
        columns = source_columns(con, replication.source, replication.keys)
    sweep(settings.landing_dir)
    with scratch_folder(settings.landing_dir) as scratch, connect(url, variable) as postgres:
        schema, table = replication.target
        # whoever comes second waits here for the first, and then sees what it has done
        postgres.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"replication {schema}.{table}"])
        target = postgres_table.find(postgres, schema, table, replication.keys)
        is_new = not target.columns
        statements, notes = postgres_table.schema_changes(target, columns, replication.keys)
        if not dry_run:
            postgres_table.make_schema(postgres, target)
            for statement in statements:
                postgres.execute(statement)
            # readers go on
            postgres.execute(f"lock table {target.name} in share row exclusive mode")
        there = scratch / "there.csv"
        there.touch()
        if not is_new:
            postgres_table.fetch_marks(postgres, target, there)
        with reading(settings, scratch) as con:
            if source_columns(con, replication.source, replication.keys) != columns:
                raise WarehouseFailed(
                    f"{replication.name}: a new copy with other columns was published meanwhile. Nothing was changed "
                    "there.\nNext: run it again"
                )
            changes = find_changes(con, replication.source, columns, replication.keys, there, scratch)
        crashpoint("replica_compared")
        before = 0 if is_new else postgres_table.count_rows(postgres, target)
        if dry_run:
            deleted = changes.deleted + (0 if is_new else postgres_table.count_inserted_by_others(postgres, target))
            if not allow_deletes and (stop := _too_many(deleted, before, replication)):
                notes.append(f"a run would stop: {stop}; --allow-deletes lets it")
        else:
            target = postgres_table.find(postgres, schema, table, replication.keys)
            deleted = _send(postgres, target, changes, is_new)
            if not allow_deletes and (stop := _too_many(deleted, before, replication)):
                then = f"if that is meant, iterable-pipelines replicate {replication.name} --allow-deletes"
                raise ReplicationRefused(stop, then)
            crashpoint("replica_before_commit")
    if not dry_run:
        crashpoint("replica_after_commit")
    counts = changes.inserted, changes.updated, deleted, changes.unchanged
    return Replicated(*counts, changes.sent.bytes, changes.sent.replaced, tuple(notes))


def _send(postgres: Connection, target: Target, changes: Changes, is_new: bool) -> int:
    sent, deleted = postgres_table.send(postgres, target, changes, is_new)
    if sent != changes.inserted + changes.updated:
        raise ReplicationRefused("the query gave other rows when it was run a second time: give it a fixed order")
    return deleted


def _too_many(deleted: int, before: int, replication: Replication) -> str | None:
    """What the guard says to so many deletes; None where it lets them pass."""
    if deleted <= replication.delete_guard * before:
        return None
    return f"{deleted:,} of {before:,} rows would be deleted, and `delete_guard` allows {replication.delete_guard:.0%}"
