"""Imports into a DuckDB file of their own; never the project's warehouse."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path

import duckdb

from iterable_pipelines.imports.file import KEY
from iterable_pipelines.imports.staging import Staged
from iterable_pipelines.imports.store import Mark, Noted
from iterable_pipelines.quoting import literal, quoted
from iterable_pipelines.streams.warehouse import Warehouse

_STATE = (
    "create table if not exists _imports (name VARCHAR, asked VARCHAR, up_to TIMESTAMP, rows BIGINT, run_id VARCHAR, "
    "stored_at TIMESTAMP, PRIMARY KEY (asked))"
)


class DuckDBStore:
    """One DuckDB file, behind the same kind of door as the warehouse."""

    def __init__(self, path: Path, memory_limit: str, shown: str) -> None:
        self._path, self._door, self.shown = path, Warehouse(path, path, memory_limit), shown

    def exists(self) -> bool:
        return self._path.exists()

    @contextmanager
    def transaction(self) -> Iterator["DuckDBTransaction"]:
        """Raises WarehouseFailed; nothing is changed then."""
        with self._door.transaction() as con:
            # the rows are in the order of their time
            con.execute("set preserve_insertion_order = true")
            yield DuckDBTransaction(con)


class DuckDBTransaction:
    """One transaction on a DuckDB file."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self._con = con
        # a file may be called like a schema in it
        self._database = con.execute("select current_database()").fetchall()[0][0]

    def lock(self, name: str) -> None:
        """Nothing: the file is this transaction's alone."""

    def types(self, staged: Staged) -> dict[str, str]:
        # names that differ by case are one to DuckDB
        return {name.lower(): kind for name, kind in staged.columns.items()}

    def columns(self, table: str) -> dict[str, str]:
        found = self._con.execute(
            "select lower(column_name), data_type from duckdb_columns() where database_name = current_database() "
            "and lower(schema_name) = lower(?) and lower(table_name) = lower(?)",
            [*_parts(table)],
        )
        return dict(found.fetchall())

    def noted(self, asked: str) -> Noted | None:
        if not self.columns("_imports"):
            return None
        found = self._con.execute("select up_to, rows, run_id from _imports where asked = ?", [asked]).fetchone()
        return Noted(found[0] and found[0].replace(tzinfo=UTC), *found[1:]) if found else None

    def create(self, table: str, staged: Staged) -> None:
        schema = f"{quoted(self._database)}.{quoted(_parts(table)[0])}"
        self._con.execute(f"create schema if not exists {schema}")
        self._con.execute(
            f"create table {self._named(table)} as from read_parquet({literal(str(staged.path))}) limit 0"
        )

    def add_columns(self, table: str, columns: Mapping[str, str]) -> None:
        for name, kind in columns.items():
            self._con.execute(f"alter table {self._named(table)} add column {quoted(name)} {kind}")

    def empty(self, table: str) -> None:
        self._con.execute(f"delete from {self._named(table)}")

    def drop(self, table: str) -> None:
        self._con.execute(f"drop table {self._named(table)}")

    def delete(self, table: str, staged: Staged) -> None:
        source = f"read_parquet({literal(str(staged.path))})"
        self._con.execute(f"delete from {self._named(table)} where {KEY} in (select {KEY} from {source})")

    def insert(self, table: str, staged: Staged) -> None:
        source = f"read_parquet({literal(str(staged.path))})"
        self._con.execute(f"insert into {self._named(table)} by name select * from {source}")

    def note(self, mark: Mark, rows: int) -> None:
        self._con.execute(_STATE)
        self._con.execute("delete from _imports where asked = ?", [mark.asked])
        self._con.execute(
            "insert into _imports values (?, ?, ?, ?, ?, now() at time zone 'UTC')",
            [mark.name, mark.asked, mark.up_to and mark.up_to.replace(tzinfo=None), rows, mark.run_id],
        )

    def _named(self, table: str) -> str:
        return ".".join(quoted(part) for part in (self._database, *_parts(table)))


def _parts(table: str) -> tuple[str, str]:
    schema, _, name = table.rpartition(".")
    return schema or "main", name
