"""The copy for readers, opened so that SQL of anybody's can read its tables, and do nothing else."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from iterable_pipelines.quoting import literal
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams.warehouse import WarehouseFailed

_EXPLAIN = "explain "


class NothingPublished(WarehouseFailed):
    """There is no copy for readers yet: nothing was imported."""


@contextmanager
def reading(settings: Settings, folder: Path | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """The published copy, read-only: SQL reaches no file except in `folder`, no network, no extension and no setting.

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
        if folder:
            con.execute(f"set allowed_directories = [{literal(f'{folder}/')}]")
        # a name that is no table must not find a DataFrame of this process, or a file
        con.execute("set python_enable_replacements = false")
        con.execute("set enable_external_access = false")
        con.execute("set lock_configuration = true")
        yield con


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
