"""The copy for readers, opened so that SQL of anybody's can read its tables, and do nothing else."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from iterable_pipelines.lake.layout import Lake
from iterable_pipelines.quoting import literal
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams.warehouse import WarehouseFailed

# what may be otherwise the next time
PASSING = (duckdb.OperationalError, duckdb.InternalError, duckdb.FatalException, OSError)
_EXPLAIN = "explain "


class NothingPublished(WarehouseFailed):
    """There is no copy for readers yet: nothing was imported."""


@contextmanager
def reading(settings: Settings, folder: Path | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """The published copy, read-only: SQL reaches no file except in `folder` and the lake, no network, no extension and
    no setting.

    Raises NothingPublished, or WarehouseFailed for a copy that does not open. Never blocks whoever writes.
    """
    copy = settings.published_path
    if not copy.exists():
        raise NothingPublished(
            f"Nothing is imported yet: there is no copy for readers ({copy}).\n"
            "Next: iterable-pipelines backfill --from … --to …, or iterable-pipelines demo"
        )
    try:
        con = duckdb.connect(copy, read_only=True, config={"memory_limit": settings.memory_limit})
    except duckdb.Error as error:
        raise WarehouseFailed(
            f"{copy} does not open: {str(error).splitlines()[0]}. The warehouse itself is safe.\n"
            "Next: remove that file; the next import makes it anew"
        ) from None
    with con:
        con.execute("set timezone = 'UTC'")
        lake = Lake.of(settings)
        if lake:
            lake.open_for(con)
        allowed = [f"{each}/" for each in (folder, lake and lake.url) if each]
        con.execute(f"set allowed_directories = [{', '.join(map(literal, allowed))}]")
        # a name that is no table must not find a DataFrame of this process, or a file
        con.execute("set python_enable_replacements = false")
        con.execute("set enable_external_access = false")
        con.execute("set lock_configuration = true")
        yield con


def has_table(copy: duckdb.DuckDBPyConnection, schema: str, table: str) -> bool:
    """Whether the copy for readers has it yet: what was never imported, or sent, has none."""
    there = "select 1 from information_schema.tables where table_schema = ? and table_name = ?"
    return copy.execute(there, [schema, table]).fetchone() is not None


def only_query(sql: str) -> str:
    """`sql` without the semicolon at its end. Raises ValueError unless it is one query, and duckdb.Error for no SQL."""
    # parsed by itself, so that no text can break out of the brackets that are put around it later
    with duckdb.connect() as con:
        statements = con.extract_statements(sql)
        if len(statements) != 1:
            raise ValueError(f"one query is needed, and these are {len(statements)} statements")
        if statements[0].type is not duckdb.StatementType.SELECT:
            kinds = "select, from, with, values, show, describe or summarize"
            raise ValueError(f"{statements[0].type.name} is no query: begin with {kinds}")
        # what comes after the semicolon is blank or a comment, unless that semicolon stands in one itself
        for at in [at for at, sign in enumerate(sql) if sign == ";"]:
            if _count(con, sql[:at]) == 1 and _count(con, sql[at + 1 :]) == 0:
                return sql[:at]
    return sql


def tables_of(query: str) -> list[tuple[str, str]]:
    """Schema and name of the tables that a query reads, as far as it names the schema."""
    with duckdb.connect() as con:
        tree = con.execute("select json_serialize_sql(?::varchar)", [query]).fetchone()
    return sorted(set(_tables(json.loads(tree[0] if tree else "{}"))))


def without_values(error: duckdb.Error) -> str:
    """What DuckDB says, as far as it quotes no values that the query stumbled over."""
    named = (duckdb.CatalogException, duckdb.BinderException, duckdb.ParserException, duckdb.PermissionException)
    return str(error).splitlines()[0] if isinstance(error, named) else type(error).__name__


def passing_cause(error: Exception, settings: Settings) -> tuple[str, str]:
    """Why a query broke off for one of the reasons in PASSING, and what to do before it is run again."""
    first = str(error).strip().partition("\n")[0]
    if isinstance(error, duckdb.OutOfMemoryException):
        return f"{settings.memory_limit} of memory are not enough ({first})", "raise ITERABLE_MEMORY_LIMIT, and "
    if isinstance(error, OSError | duckdb.IOException):
        return f"the disk is full, or cannot be read or written ({first})", "free space, and "
    return f"DuckDB could not go on ({type(error).__name__})", ""


def check_query(con: duckdb.DuckDBPyConnection, query: str) -> None:
    """Raise duckdb.Error, with the place in the query, for names and types that do not fit. Nothing is run."""
    try:
        con.execute(f"{_EXPLAIN}{query}")
    except duckdb.Error as error:
        # the place is marked in the line below, by blanks
        first, mark, rest = str(error).partition(f"LINE 1: {_EXPLAIN}")
        line, _, pointer = rest.partition("\n")
        shifted = f"{first}LINE 1: {line}\n{pointer.removeprefix(' ' * len(_EXPLAIN))}" if mark else str(error)
        raise type(error)(shifted) from None


def _count(con: duckdb.DuckDBPyConnection, sql: str) -> int:
    try:
        return len(con.extract_statements(sql))
    except duckdb.Error:
        return -1


def _tables(tree: Any) -> Iterator[tuple[str, str]]:
    if isinstance(tree, dict):
        if tree.get("type") == "BASE_TABLE" and tree.get("schema_name"):
            yield str(tree["schema_name"]), str(tree["table_name"])
        tree = list(tree.values())
    if isinstance(tree, list):
        for each in tree:
            yield from _tables(each)
