"""Persons out of a DuckDB file that is not the warehouse: their rows go, and the file is written anew without them."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
from filelock import FileLock, Timeout

from iterable_pipelines.crashpoints import crashpoint
from iterable_pipelines.erasure.errors import StoreBusy, engine_failed
from iterable_pipelines.erasure.found import Found
from iterable_pipelines.erasure.named import OWNERS
from iterable_pipelines.erasure.persons import Persons
from iterable_pipelines.erasure.store import Erased
from iterable_pipelines.erasure.unfinished import is_unfinished, unfinished
from iterable_pipelines.file_store import sync
from iterable_pipelines.quoting import literal, quoted

_AT_ONCE = 10_000
_PATIENCE = 10.0
TEXTS = ("VARCHAR", "JSON")

# what else is to be done in the same transaction: takes the connection, returns how many rows went
Also = Callable[[duckdb.DuckDBPyConnection], int]


def erase_from_duckdb(
    path: Path, persons: Persons, place: str, memory_limit: str, also: Also = lambda con: 0
) -> Erased:
    """Take persons out of every table of a file, and out of every byte of it. `also` goes first.

    Raises StoreBusy if another process has it open.
    """
    before = path.stat().st_size
    with _alone(path, place), unfinished(path):
        rows, mentions = _delete(path, persons, memory_limit, also)
        crashpoint("erasure_duckdb_deleted")
        # what was deleted at any time, by anybody, is still in its block
        rewrite(path, memory_limit)
    return Erased(place, rows, before, path.stat().st_size, mentions)


def _delete(path: Path, persons: Persons, memory_limit: str, also: Also) -> tuple[int, int]:
    with duckdb.connect(path, config={"memory_limit": memory_limit}) as con:
        persons.into(con)
        con.execute("set timezone = 'UTC'")
        con.execute("begin")
        rows, mentions = also(con), 0
        for schema, table in _tables(con):
            gone, told = _erase_table(con, schema, table)
            rows, mentions = rows + gone, mentions + told
        con.execute("commit")
    return rows, mentions


def find_in_duckdb(path: Path, found: Found, place: str, memory_limit: str) -> None:
    """Note whom the rows of a file name, and finish what a killed erasure began. Raises StoreBusy."""
    with _alone(path, place):
        if is_unfinished(path):
            with unfinished(path):
                rewrite(path, memory_limit)
        with duckdb.connect(path, read_only=True) as con:
            _find(con, found)


def _find(con: duckdb.DuckDBPyConnection, found: Found) -> None:
    for schema, table in _tables(con):
        columns = _columns(con, schema, table)
        owners = [column for column, _ in columns if column.lower() in (*OWNERS, "key", "pk", "identity")]
        texts = [column for column, kind in columns if kind in TEXTS or is_nested(kind)]
        find_in_columns(con, f"{quoted(schema)}.{quoted(table)}", owners, texts, found)


def find_in_columns(
    con: duckdb.DuckDBPyConnection, source: str, owners: list[str], texts: list[str], found: Found
) -> None:
    """Note who stands in the columns `owners` of `source`, and which addresses in `texts`."""
    if owners:
        listed = ", ".join(f"{quoted(each)}::varchar as {quoted(each)}" for each in owners)
        rows = con.execute(f"select distinct {listed} from {source}")
        names = [name for name, *_ in rows.description or ()]
        while some := rows.fetchmany(_AT_ONCE):
            for row in some:
                found.row(dict(zip(names, row, strict=True)))
    for column in texts:
        rows = con.execute(
            f"select distinct {quoted(column)}::varchar from {source} "
            f"where regexp_matches({quoted(column)}::varchar, '@|%40')"
        )
        while some := rows.fetchmany(_AT_ONCE):
            for (text,) in some:
                found.text(text)


def names_sql(text: str) -> str:
    """Whether somebody stands in a text: `names_person` alone is true of a few more."""
    return f"case when names_person({text}) then without_persons({text}) <> {text}::varchar else false end"


def rewrite(path: Path, memory_limit: str) -> None:
    """A fresh file of the live rows takes the place of `path`: a deleted row would stay in its block."""
    fresh = path.with_name(f"{path.name}.fresh")
    fresh.unlink(missing_ok=True)
    with duckdb.connect(config={"memory_limit": memory_limit}) as con:
        con.execute(f"attach {literal(str(path))} as old (read_only)")
        con.execute(f"attach {literal(str(fresh))} as fresh")
        con.execute("copy from database old to fresh")
        con.execute("checkpoint fresh")
    os.chmod(fresh, path.stat().st_mode & 0o777)
    sync(fresh)
    crashpoint("erasure_duckdb_written")
    os.replace(fresh, path)
    path.with_name(f"{path.name}.wal").unlink(missing_ok=True)
    sync(path.parent)


def _tables(con: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    return con.execute(
        "select schema_name, table_name from duckdb_tables() where database_name = current_database() "
        "and not temporary order by all"
    ).fetchall()


def _columns(con: duckdb.DuckDBPyConnection, schema: str, table: str) -> list[tuple[str, str]]:
    return con.execute(
        "select column_name, data_type from duckdb_columns() where database_name = current_database() "
        "and schema_name = ? and table_name = ?",
        [schema, table],
    ).fetchall()


def is_nested(kind: str) -> bool:
    """Whether a column of such a type holds values within values."""
    return kind.endswith("]") or kind.startswith(("STRUCT", "MAP", "UNION"))


@contextmanager
def _alone(path: Path, place: str) -> Iterator[None]:
    """Hold the lock that every process of ours holds that opens such a file."""
    try:
        with FileLock(f"{path}.lock", timeout=_PATIENCE, mode=0o600):
            yield
    except Timeout:
        raise StoreBusy(f"{place}: a run of this project is at work on it") from None
    except duckdb.Error as error:
        if isinstance(error, duckdb.IOException) and "Could not set lock" in str(error):
            raise StoreBusy(f"{place}: another program has it open") from None
        raise engine_failed(place, error) from None


def _erase_table(con: duckdb.DuckDBPyConnection, schema: str, table: str) -> tuple[int, int]:
    name = f"{quoted(schema)}.{quoted(table)}"
    columns = _columns(con, schema, table)
    theirs = [f"is_person({quoted(column)})" for column, _ in columns if column.lower() in OWNERS]
    # what is nested cannot be mended in its place
    theirs += [names_sql(quoted(column)) for column, kind in columns if is_nested(kind)]
    rows = changed_rows(con, f"delete from {name} where {' or '.join(theirs)}") if theirs else 0
    told = 0
    for column, kind in columns:
        if kind in TEXTS:
            text = quoted(column)
            told += changed_rows(con, f"update {name} set {text} = without_persons({text}) where {names_sql(text)}")
    return rows, told


def changed_rows(con: duckdb.DuckDBPyConnection, sql: str) -> int:
    """Insert, update or delete; returns of how many rows."""
    found = con.execute(sql).fetchone()
    return int(found[0]) if found else 0
