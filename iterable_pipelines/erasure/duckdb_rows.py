"""Persons out of a DuckDB file that is not the warehouse: their rows go, and the file is written anew without them."""

import os
from collections.abc import Callable
from pathlib import Path

import duckdb

from iterable_pipelines.crashpoints import crashpoint
from iterable_pipelines.erasure.errors import StoreBusy
from iterable_pipelines.erasure.mentions import without_sql
from iterable_pipelines.erasure.named import OWNERS, Named
from iterable_pipelines.erasure.persons import Persons
from iterable_pipelines.erasure.stores import Erased
from iterable_pipelines.erasure.unfinished import unfinished
from iterable_pipelines.landing.cut import sync
from iterable_pipelines.quoting import literal, quoted

_TEXTS = ("VARCHAR", "JSON")

# what else is to be done in the same transaction: takes the connection, returns how many rows went
Also = Callable[[duckdb.DuckDBPyConnection], int]


def erase_from_duckdb(
    path: Path, persons: Persons, place: str, memory_limit: str, also: Also = lambda con: 0
) -> Erased:
    """Take persons out of every table of a file, and out of every byte of it. `also` goes first.

    Raises StoreBusy if another process has it open.
    """
    before = path.stat().st_size
    try:
        with unfinished(path) as again:
            rows, mentions = _delete(path, persons, memory_limit, also)
            crashpoint("erasure_duckdb_deleted")
            # what was deleted at any time, by anybody, is still in its block
            if persons.count or again:
                rewrite(path, memory_limit)
    except duckdb.IOException as error:
        if "Could not set lock" not in str(error):
            raise
        raise StoreBusy(f"{place}: another program has it open") from None
    return Erased(place, rows, before, path.stat().st_size, mentions)


def _delete(path: Path, persons: Persons, memory_limit: str, also: Also) -> tuple[int, int]:
    pattern = Named.of(persons).pattern
    with duckdb.connect(path, config={"memory_limit": memory_limit}) as con:
        persons.into(con)
        con.execute("set timezone = 'UTC'")
        con.execute("begin")
        rows, mentions = also(con), 0
        for schema, table in _tables(con):
            gone, told = _erase_table(con, schema, table, pattern)
            rows, mentions = rows + gone, mentions + told
        con.execute("commit")
    return rows, mentions


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


def _erase_table(con: duckdb.DuckDBPyConnection, schema: str, table: str, pattern: str) -> tuple[int, int]:
    name = f"{quoted(schema)}.{quoted(table)}"
    columns = con.execute(
        "select column_name, data_type from duckdb_columns() where database_name = current_database() "
        "and schema_name = ? and table_name = ?",
        [schema, table],
    ).fetchall()
    theirs = [f"is_person({quoted(column)})" for column, _ in columns if column.lower() in OWNERS]
    # what is nested cannot be mended in its place
    nested = [column for column, kind in columns if kind.endswith("]") or kind.startswith(("STRUCT", "MAP", "UNION"))]
    if pattern:
        theirs += [f"regexp_matches({quoted(column)}::varchar, {literal(pattern)})" for column in nested]
    rows = _changed(con, f"delete from {name} where {' or '.join(theirs)}") if theirs else 0
    told = 0
    for column, kind in columns:
        if kind in _TEXTS and pattern:
            text = f"{quoted(column)}::varchar"
            told += _changed(
                con,
                f"update {name} set {quoted(column)} = {without_sql(text, literal(pattern))} "
                f"where regexp_matches({text}, {literal(pattern)})",
            )
    return rows, told


def _changed(con: duckdb.DuckDBPyConnection, sql: str) -> int:
    found = con.execute(sql).fetchone()
    return int(found[0]) if found else 0
