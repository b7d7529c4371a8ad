"""Imports into PostgreSQL, by URL."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path

import duckdb

from iterable_pipelines.imports.file import KEY
from iterable_pipelines.imports.staging import Staged
from iterable_pipelines.imports.store import Mark, Noted
from iterable_pipelines.imports.values import REFERENCE
from iterable_pipelines.postgres import (
    Connection,
    CopyFile,
    column_list,
    connect,
    copy_file,
    identifier,
    url_of,
    write_copy_file,
)
from iterable_pipelines.quoting import literal

_STATE = (
    "create table if not exists _imports (name text, asked text, up_to timestamptz, rows bigint, run_id text, "
    "stored_at timestamptz, primary key (asked))"
)


class PostgresStore:
    """One PostgreSQL database. `database` is its URL, or ${VARIABLE} for the variable that holds it."""

    def __init__(self, database: str, root: Path, memory_limit: str) -> None:
        """Raises SettingsError if the variable is not set."""
        named = REFERENCE.fullmatch(database)
        self._variable = named[1] if named else "out.database"
        self._url = url_of(named[1], root) if named else database
        self.shown, self._memory_limit = self._variable, memory_limit

    def exists(self) -> bool:
        return True

    @contextmanager
    def transaction(self) -> Iterator["PostgresTransaction"]:
        """Raises PostgresFailed; nothing is changed then."""
        with connect(self._url, self._variable) as con:
            yield PostgresTransaction(con, self._memory_limit)


class PostgresTransaction:
    """One transaction on PostgreSQL."""

    def __init__(self, con: Connection, memory_limit: str) -> None:
        self._con, self._memory_limit = con, memory_limit
        self._copied: CopyFile | None = None

    def lock(self, name: str) -> None:
        self._con.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])

    def types(self, staged: Staged) -> dict[str, str]:
        return {each.name: each.type for each in self._copy_of(staged).columns}

    def columns(self, table: str) -> dict[str, str]:
        found = self._con.execute(
            "select attname, format_type(atttypid, atttypmod) from pg_attribute "
            "where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped",
            [_named(table)],
        )
        return dict(found.fetchall())

    def noted(self, asked: str) -> Noted | None:
        if not self.columns("_imports"):
            return None
        found = self._con.execute("select up_to, rows, run_id from _imports where asked = %s", [asked]).fetchone()
        return Noted(found[0] and found[0].astimezone(UTC), *found[1:]) if found else None

    def create(self, table: str, staged: Staged) -> None:
        schema, _, _ = table.rpartition(".")
        if schema:
            self._con.execute(f"create schema if not exists {identifier(schema)}")
        self._con.execute(f"create table {_named(table)} ({column_list(self._copy_of(staged).columns)})")

    def add_columns(self, table: str, columns: Mapping[str, str]) -> None:
        for name, kind in columns.items():
            self._con.execute(f"alter table {_named(table)} add column {identifier(name)} {kind}")

    def empty(self, table: str) -> None:
        self._con.execute(f"truncate {_named(table)}")

    def drop(self, table: str) -> None:
        self._con.execute(f"drop table {_named(table)}")

    def delete(self, table: str, staged: Staged) -> None:
        copied = self._copy_of(staged)
        self._con.execute(f"create temp table staged_rows ({column_list(copied.columns)}) on commit drop")
        copy_file(self._con, "staged_rows", copied)
        self._con.execute(f"delete from {_named(table)} where {KEY} in (select {KEY} from staged_rows)")

    def insert(self, table: str, staged: Staged) -> None:
        copy_file(self._con, _named(table), self._copy_of(staged))

    def note(self, mark: Mark, rows: int) -> None:
        self._con.execute(_STATE)
        self._con.execute("delete from _imports where asked = %s", [mark.asked])
        self._con.execute(
            "insert into _imports values (%s, %s, %s, %s, %s, now())",
            [mark.name, mark.asked, mark.up_to, rows, mark.run_id],
        )

    def _copy_of(self, staged: Staged) -> CopyFile:
        """The staged rows as COPY takes them, written once."""
        if self._copied is None:
            with duckdb.connect() as con:
                con.execute(f"set memory_limit = '{self._memory_limit}'")
                con.execute("set timezone = 'UTC'")
                query = f"from read_parquet({literal(str(staged.path))})"
                self._copied = write_copy_file(con, query, staged.path.with_suffix(".csv"))
        return self._copied


def _named(table: str) -> str:
    return ".".join(identifier(part) for part in table.split("."))
