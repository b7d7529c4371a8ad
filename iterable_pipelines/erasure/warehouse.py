"""The warehouse and the copy for readers, written anew from the rows that stay: a deleted row stays in its block.

The clean copy for readers is put in place first, then the clean warehouse: whoever is killed in between leaves a
warehouse from which the next run finds everybody again.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from iterable_pipelines.crashpoints import crashpoint
from iterable_pipelines.erasure.duckdb_rows import changed_rows
from iterable_pipelines.erasure.errors import ErasureFailed
from iterable_pipelines.erasure.follow import follow
from iterable_pipelines.erasure.held import PATIENCE, held
from iterable_pipelines.erasure.landed_files import landed_names
from iterable_pipelines.erasure.machine import machine_of
from iterable_pipelines.erasure.marts import recount_campaigns
from iterable_pipelines.erasure.parquet import scratch_duckdb
from iterable_pipelines.erasure.persons import Persons
from iterable_pipelines.erasure.rewritten import RewrittenFiles
from iterable_pipelines.erasure.store import Erased, Log
from iterable_pipelines.erasure.tables import Table, identifiers_sql, same_schema, tables_of
from iterable_pipelines.file_store import FileStore, sync
from iterable_pipelines.lake.layout import Lake
from iterable_pipelines.landing.manifest import Manifest
from iterable_pipelines.landing.scratch import check_space
from iterable_pipelines.quoting import literal, quoted
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams.warehouse import Warehouse

_OLD, _FRESH = "old", "fresh"


class WarehouseFiles:
    """`iterable.duckdb`, `iterable.read.duckdb`, and what lies beside them."""

    name = "warehouse"

    def __init__(self, wait_seconds: float = PATIENCE) -> None:
        """`wait_seconds` is how long the warehouse may be held by somebody else."""
        self.wait_seconds = wait_seconds

    def identifiers(self, settings: Settings, scratch: Path) -> list[Path]:
        """Who stands in a column of any table, and the addresses in records besides."""
        to = scratch / "warehouse.parquet"
        if not settings.warehouse_path.exists():
            return []
        with (
            _alone(settings, print, self.wait_seconds),
            scratch_duckdb(scratch, settings.memory_limit, "the warehouse") as con,
        ):
            # nobody else can be at work on these now; they may hold somebody whom no table knows any more
            _tidy(settings)
            _attach(con, settings.warehouse_path, _OLD)
            tables = tables_of(con, _OLD)
            _note_covered(con, settings, tables)
            select = identifiers_sql(tables, _OLD)
            con.execute(f"copy ({select}) to {literal(str(to))} (format parquet)")
        return [to]

    def erase(self, settings: Settings, persons: Persons, log: Log) -> list[Erased]:
        """Write both files anew. Raises StoreBusy if somebody keeps the warehouse open, ErasureFailed if the new file
        does not come to what the old one has but for the persons; both files are as they were then."""
        if not settings.warehouse_path.exists():
            return []
        path, fresh = settings.warehouse_path, settings.warehouse_path.with_suffix(".erasing")
        with _alone(settings, log, self.wait_seconds) as warehouse:
            _tidy(settings)
            files = RewrittenFiles(Manifest.of(settings), FileStore.of(settings))
            numbers = follow(warehouse, settings, files, log)
            before = path.stat().st_size
            check_space(path.parent, before + (settings.published_path.exists() and before))
            folder = path.with_suffix(".erasing.tmp")
            with scratch_duckdb(folder, settings.memory_limit, "the warehouse") as con:
                done = _copy(con, settings, fresh, persons)
            shutil.rmtree(folder, ignore_errors=True)
            sync(fresh)
            os.chmod(fresh, 0o600)
            crashpoint("erasure_warehouse_written")
            after = fresh.stat().st_size
            if settings.published_path.exists():
                publishing = settings.published_path.with_suffix(".publishing")
                shutil.copyfile(fresh, publishing)
                os.chmod(publishing, 0o600)
                sync(publishing)
                os.replace(publishing, settings.published_path)
                crashpoint("erasure_published")
            os.replace(fresh, path)
            sync(path.parent)
            sync(settings.published_path.parent)
            crashpoint("erasure_warehouse_replaced")
            files.followed(machine_of(settings), numbers)
        log(f"warehouse: written anew, {sum(rows for _, rows, _ in done):,} rows erased")
        whole = Erased(path.name, 0, before, after)
        return [whole, *(Erased(str(table), rows, mentions=mentions) for table, rows, mentions in done)]


@contextmanager
def _alone(settings: Settings, log: Log, wait_seconds: float) -> Iterator[Warehouse]:
    """The warehouse, with everybody else kept out and nothing left in a write-ahead log."""
    with held(settings, log, wait_seconds) as warehouse:
        # whoever has it open is waited for, and what a killed process left is played back
        warehouse.prepare()
        yield warehouse


def _attach(con: duckdb.DuckDBPyConnection, path: Path, name: str, read_only: bool = True) -> None:
    con.execute(f"attach {literal(str(path))} as {quoted(name)} {'(read_only)' if read_only else ''}")


def _copy(
    con: duckdb.DuckDBPyConnection, settings: Settings, fresh: Path, persons: Persons
) -> list[tuple[Table, int, int]]:
    """Write `fresh`; returns each table that lost rows, or in which others' rows named somebody, with both numbers."""
    con.execute("set preserve_insertion_order = true")
    lake = Lake.of(settings)
    if lake:
        # the views over it are looked at, too
        lake.open_for(con)
    _attach(con, settings.warehouse_path, _OLD)
    _attach(con, fresh, _FRESH, read_only=False)
    persons.into(con)
    con.execute(f"copy from database {_OLD} to {_FRESH} (schema)")
    done, tables = [], tables_of(con, _OLD)
    _note_covered(con, settings, tables)
    for table in tables:
        source = f"{_OLD}.{table.sql}"
        there, own, named = con.execute(
            "select count(*), count(*) filter (own), count(*) filter (not own and named) from "
            f"(select {table.own_sql} as own, {table.names_sql} as named from {source})"
        ).fetchall()[0]
        stays = f"from {source} where not ({table.own_sql})"
        # where nobody is named, texts are copied unread
        select = f"select {table.copied_sql} from (select *, {table.names_sql} as _named {stays})" if named else stays
        copied = changed_rows(con, f"insert into {_FRESH}.{table.sql} {select}")
        if copied != there - own:
            raise ErasureFailed(f"{table}: {there:,} rows, {own:,} to erase, but {copied:,} copied. {_AS_IT_WAS}")
        if own or named:
            done.append((table, own, named))
    recount_campaigns(con, tables, _OLD, _FRESH)
    if not same_schema(con, _OLD, _FRESH):
        raise ErasureFailed(
            f"The warehouse written anew has not the same tables, views, keys or comments. {_AS_IT_WAS}"
        )
    con.execute(f"detach {_FRESH}")
    return done


_AS_IT_WAS = "The warehouse is as it was. Next: iterable-pipelines erase run"


def _note_covered(con: duckdb.DuckDBPyConnection, settings: Settings, tables: list[Table]) -> None:
    """The hours that were loaded from the landed file which counts now, and which is there and was looked through."""
    con.execute("create or replace temp table covered (data_type VARCHAR, hour TIMESTAMP)")
    if {"streams.loads", "streams.landed"} <= {str(table) for table in tables}:
        con.execute(
            f"insert into covered select distinct data_type, hour from {_OLD}.streams.loads "
            f"join {_OLD}.streams.landed using (data_type, hour, digest) where path in (select unnest($1::varchar[]))",
            [landed_names(settings, "events")],
        )


def leftovers(settings: Settings) -> list[Path]:
    """What lies beside the warehouse while somebody who holds it is at work; after that they were killed."""
    path = settings.warehouse_path
    return [
        path.with_suffix(".erasing"),
        path.with_suffix(".erasing.wal"),
        settings.published_path.with_suffix(".publishing"),
        path.with_suffix(".erasing.tmp"),
        Path(f"{path}.tmp"),
    ]


def _tidy(settings: Settings) -> None:
    """Remove what a killed erasure, or a killed copy, has left."""
    for left in leftovers(settings):
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)
