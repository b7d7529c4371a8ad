"""The manifest, the ledger and the tombstones somewhere else: in SQLite files or in PostgreSQL, from either."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from iterable_pipelines.api import Ledger
from iterable_pipelines.database import Connection, Database
from iterable_pipelines.erasure.rewritten import RewrittenFiles
from iterable_pipelines.erasure.tombstones import Tombstones
from iterable_pipelines.file_store import FileStore
from iterable_pipelines.landing.expired import ExpiredHours
from iterable_pipelines.landing.exports import Exports
from iterable_pipelines.landing.manifest import Manifest
from iterable_pipelines.settings import Settings
from iterable_pipelines.webhooks.parts import WebhookParts

# by purpose: the tables, and the column that counts up where there is one
TABLES: dict[str, dict[str, str | None]] = {
    "manifest": {
        "parts": "id",
        "quarantine": "id",
        "acceptances": None,
        "tokens": "token",
        "fetches": "id",
        "lateness": None,
        "settling": None,
        "exports": "id",
        "expired": None,
        "webhook_parts": "id",
        "rewritten": "id",
        "follows": None,
    },
    "ledger": {"calls": "id", "stops": None, "jobs": None, "job_labels": None},
    "tombstones": {"tombstones": None},
}
_ROWS_AT_ONCE = 5_000


class MoveFailed(Exception):
    """What was copied is not what was there, or belongs to somebody else. The old landing is as it was."""


def copy_tables(source: Settings, target: Settings) -> int:
    """Make the tables of `target` those of `source`; returns their rows. Raises MoveFailed, PostgresFailed."""
    rows = 0
    moving = [purpose for purpose in TABLES if _place(source, purpose) != _place(target, purpose)]
    for purpose in moving:
        # all of them before the first is written
        with _open(source, purpose).connection() as old, _open(target, purpose).connection() as new:
            _refuse_newer(old, new, TABLES[purpose])
    for purpose in moving:
        tables = TABLES[purpose]
        before, after = _open(source, purpose), _open(target, purpose)
        with before.connection() as old, after.transaction() as new:
            _refuse_newer(old, new, tables)
            rows += sum(_copy(old, new, table) for table in tables)
            for table, column in tables.items():
                if column:
                    after.count_on(new, table, column)
    return rows


def named_files(settings: Settings) -> set[str]:
    """The files that the manifest names, as landing has them. Raises PostgresFailed."""
    with _open(settings, "manifest").connection() as con:
        return {
            path
            for table in ("parts", "webhook_parts", "quarantine")
            for (path,) in con.execute(f"select path from {table} where path is not null").fetchall()
        }


def _place(settings: Settings, purpose: str) -> str | Path:
    if settings.postgres is not None:
        return settings.postgres.get_secret_value()
    # with SQLite, the other two never lie with landing
    return settings.landing_dir if purpose == "manifest" else settings.data_dir


def _open(settings: Settings, purpose: str) -> Database:
    """The database with all tables of the purpose, made where they are not there yet."""
    if purpose == "ledger":
        return Ledger.of(settings).database
    if purpose == "tombstones":
        return Tombstones(settings).made()
    manifest = Manifest.of(settings)
    for table in (Exports, ExpiredHours, WebhookParts):
        table(manifest)
    RewrittenFiles(manifest, FileStore.of(settings))
    return manifest.database


def _refuse_newer(old: Connection, new: Connection, tables: dict[str, str | None]) -> None:
    for table, column in tables.items():
        if column and table != "calls":
            newest = f"select coalesce(max({column}), 0) from {table}"
            if new.execute(newest).fetchone()[0] > old.execute(newest).fetchone()[0]:
                raise MoveFailed(
                    f"The new place has a newer manifest (table {table}): somebody imports there already. No table was "
                    "changed there.\nNext: name an empty place"
                )
    if "tombstones" in tables:
        _refuse_later_tombstones(old, new)


def _refuse_later_tombstones(old: Connection, new: Connection) -> None:
    """Raise MoveFailed if the copy would bring somebody back who was forgotten at the new place."""
    known = dict[tuple[str, str], str | None]()
    for hash, origin, lifted_at in old.execute("select hash, origin, lifted_at from tombstones").fetchall():
        known[hash, origin] = lifted_at
    standing = new.execute("select hash, origin, since from tombstones where lifted_at is null").fetchall()
    # whom the old place let come back after that may come back
    later = sum(
        (hash, origin) not in known or (known[hash, origin] or since) < since for hash, origin, since in standing
    )
    if later:
        raise MoveFailed(
            f"The new place has {later:,} tombstones that the old one lacks: people were forgotten there, and the copy "
            "would bring them back. No table was changed there.\n"
            "Next: let the old place forget them too, with iterable-pipelines erase; or name an empty place"
        )


def _copy(old: Connection, new: Connection, table: str) -> int:
    names = [each[0] for each in old.execute(f"select * from {table} where 1 = 0").description]
    columns = ", ".join(f'"{name}"' for name in names)
    # unique by its first three columns, each of these tables
    select = f"select {columns} from {table} order by {', '.join(str(n) for n in range(1, min(3, len(names)) + 1))}"
    new.execute(f"delete from {table}")
    count, wanted = 0, hashlib.sha256()
    for rows in _batches(old, select):
        marks = ", ".join("?" * len(names))
        new.executemany(f"insert into {table} ({columns}) values ({marks})", rows)
        wanted.update(repr(rows).encode())
        count += len(rows)
    arrived = hashlib.sha256()
    for rows in _batches(new, select):
        arrived.update(repr(rows).encode())
    if wanted.digest() != arrived.digest():
        raise MoveFailed(f"The table {table} is not the same at the new place. Nothing is stored there. Run it again")
    return count


def _batches(con: Connection, select: str) -> Iterator[list[tuple[Any, ...]]]:
    cursor = con.execute(select)
    while rows := cursor.fetchmany(_ROWS_AT_ONCE):
        yield [tuple(row) for row in rows]
