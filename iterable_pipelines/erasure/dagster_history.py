"""Dagster's history in PostgreSQL, where it is kept there: runs, their config and tags, events, ticks. Rows that name
a person stay and say `erased` instead, so that Dagster goes on with them."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from iterable_pipelines.crashpoints import crashpoint
from iterable_pipelines.erasure.errors import StoreBusy
from iterable_pipelines.erasure.found import Found
from iterable_pipelines.erasure.named import OWNERS, Named
from iterable_pipelines.erasure.persons import Persons
from iterable_pipelines.erasure.store import Erased, Log
from iterable_pipelines.erasure.unfinished import is_unfinished, unfinished
from iterable_pipelines.postgres import Connection, PostgresFailed, connect
from iterable_pipelines.quoting import quoted
from iterable_pipelines.settings import Settings
from iterable_pipelines.settings_sources import PREFIX

VARIABLE = f"{PREFIX}DAGSTER_POSTGRES"
# how long vacuum waits for somebody who holds a table
_PATIENCE = "60s"
# a row that somebody writes meanwhile is looked at again
_PASSES = 3

# of dagster.yaml: its storage as one, or three
_STORAGES = ("storage", "run_storage", "event_log_storage", "schedule_storage")
# Dagster's Helm chart sets it in every pod, also in those without its dagster.yaml
_PASSWORD_OF_CHART = "DAGSTER_PG_PASSWORD"

Value = str | bytes


@dataclass(frozen=True)
class _Column:
    """One that may name a person. `is_text` says that what names one can be replaced."""

    name: str
    is_bytes: bool
    is_text: bool

    @property
    def sql(self) -> str:
        return quoted(self.name) if self.is_bytes else f"{quoted(self.name)}::text"


@dataclass(frozen=True)
class _Table:
    name: str
    columns: tuple[_Column, ...]

    @property
    def place(self) -> str:
        return f"{DagsterHistory.name}/{self.name}"


@dataclass(frozen=True)
class _Row:
    ctid: str
    values: tuple[Value | None, ...]


class DagsterHistory:
    """Every table of the schema that Dagster writes to; no store at all where its history is in SQLite."""

    name = "dagster history"

    def identifiers(self, settings: Settings, scratch: Path) -> list[Path]:
        """Whom rows name. Finishes what a killed erasure began. Raises StoreBusy."""
        url, mark = _url(settings), _mark(settings)
        if url is None:
            return []
        if is_unfinished(mark):
            with unfinished(mark):
                _vacuum(url)
        found = Found(scratch / "dagster_history.parquet")
        with _reached(), connect(url, VARIABLE) as con:
            for table in _tables(con):
                names = [column.name for column in table.columns]
                for row in _rows(con, table):
                    texts = [None if value is None else _text(value) for value in row.values]
                    found.row(dict(zip(names, texts, strict=True)))
                    for text in texts:
                        found.text(text or "")
        return [found.close()]

    def erase(self, settings: Settings, persons: Persons, log: Log) -> list[Erased]:
        """Take persons out of all tables in one transaction, then vacuum. Raises StoreBusy."""
        url, mark = _url(settings), _mark(settings)
        if url is None:
            return []
        named, is_left = Named.of(persons), is_unfinished(mark)
        with unfinished(mark):
            with _reached(), connect(url, VARIABLE) as con:
                every = [_erase_table(con, table, named) for table in _tables(con)]
            erased = [each for each in every if each.rows or each.mentions]
            crashpoint("erasure_history_deleted")
            if erased or is_left:
                _vacuum(url, erased)
        return erased


def _url(settings: Settings) -> str | None:
    """Where the history is; None where it is in SQLite. Raises StoreBusy where nobody says where it is."""
    if settings.dagster_postgres is None:
        home = Path(os.environ.get("DAGSTER_HOME") or settings.dagster_home)
        if _PASSWORD_OF_CHART in os.environ or _is_in_postgres(home / "dagster.yaml"):
            raise StoreBusy(
                f"{DagsterHistory.name}: it is in PostgreSQL, and {VARIABLE} is not set, so that nobody can be erased "
                f"there.\nNext: set {VARIABLE} to the database that Dagster writes to (docs/deploy.md), then "
                "iterable-pipelines erase run"
            )
        return None
    # the driver that Dagster needs is no part of libpq's URL
    return "postgresql://" + settings.dagster_postgres.get_secret_value().partition("://")[2]


def _is_in_postgres(written: Path) -> bool:
    """Whether Dagster's own configuration says so: ours and that of the Helm chart say it differently."""
    config = yaml.safe_load(written.read_text()) if written.exists() else None
    storages: list[dict[str, Any]] = [(config or {}).get(name) or {} for name in _STORAGES]
    return any("postgres" in each or str(each.get("module")).startswith("dagster_postgres") for each in storages)


def _mark(settings: Settings) -> Path:
    return settings.data_dir / "erasure" / "dagster_history"


@contextmanager
def _reached(done: str = "", erased: Sequence[Erased] = ()) -> Iterator[None]:
    try:
        yield
    except PostgresFailed as failed:
        raise StoreBusy(f"{DagsterHistory.name}: {done}{failed}", erased=erased) from None


def _tables(con: Connection) -> list[_Table]:
    columns = con.execute(
        "select relname, attname, typname = 'bytea', typcategory = 'S' or typname in ('json', 'jsonb', 'bytea') "
        "from pg_class join pg_attribute on attrelid = pg_class.oid join pg_type on pg_type.oid = atttypid "
        "where relnamespace = current_schema()::regnamespace and relkind = 'r' and attnum > 0 and not attisdropped "
        "order by relname, attnum"
    ).fetchall()
    tables: dict[str, list[_Column]] = {}
    for table, name, is_bytes, is_text in columns:
        if is_text or name.lower() in OWNERS:
            tables.setdefault(table, []).append(_Column(name, is_bytes, is_text))
    return [_Table(name, tuple(each)) for name, each in tables.items()]


def _rows(con: Connection, table: _Table) -> Iterator[_Row]:
    """Rows as they were when this began, a hundred at a time in memory."""
    with con.cursor(name="history") as cursor:
        cursor.execute(f"select ctid::text, {', '.join(each.sql for each in table.columns)} from {quoted(table.name)}")
        for ctid, *values in cursor:
            yield _Row(ctid, tuple(values))


def _erase_table(con: Connection, table: _Table, named: Named) -> Erased:
    rows = mentions = 0
    for _ in range(_PASSES):
        missed = 0
        for row in _rows(con, table):
            if _is_theirs(table, row, named):
                gone, told = _delete(con, table, row), 0
            elif changes := _changes(table, row, named):
                gone, told = _replace(con, table, row, changes)
            else:
                continue
            rows, mentions, missed = rows + gone, mentions + told, missed + (not gone and not told)
        if not missed:
            return Erased(table.place, rows, mentions=mentions)
    raise StoreBusy(
        f"{table.place}: somebody writes to {missed:,} of its rows all the time. Nothing was changed. "
        "Next: iterable-pipelines erase run"
    )


def _is_theirs(table: _Table, row: _Row, named: Named) -> bool:
    owners = [value for column, value in zip(table.columns, row.values, strict=True) if column.name.lower() in OWNERS]
    return any(named.is_one(_text(value)) for value in owners if value is not None)


def _changes(table: _Table, row: _Row, named: Named) -> list[tuple[_Column, Value, Value]]:
    """Which columns name a person: what stands there, and what is to."""
    changes = []
    for column, value in zip(table.columns, row.values, strict=True):
        if column.is_text and value is not None and named.stands_in(_text(value)):
            changes.append((column, value, _without(named, value)))
    return changes


def _replace(con: Connection, table: _Table, row: _Row, changes: list[tuple[_Column, Value, Value]]) -> tuple[int, int]:
    """How many rows went, and how many were replaced: none of either, if somebody has written to it meanwhile."""
    from psycopg.errors import UniqueViolation

    to = ", ".join(f"{quoted(column.name)} = %s" for column, *_ in changes)
    # whoever wrote to the row while we waited for it keeps what they wrote
    same = " and ".join(f"{column.sql} = %s" for column, *_ in changes)
    given = [*(new for *_, new in changes), row.ctid, *(old for _, old, _ in changes)]
    try:
        with con.transaction():
            statement = f"update {quoted(table.name)} set {to} where ctid = %s::tid and {same}"
            return 0, con.execute(statement, given).rowcount
    except UniqueViolation:
        # two keys that named somebody cannot both say `erased`
        return _delete(con, table, row), 0


def _delete(con: Connection, table: _Table, row: _Row) -> int:
    same = " and ".join(f"{column.sql} is not distinct from %s" for column in table.columns)
    statement = f"delete from {quoted(table.name)} where ctid = %s::tid and {same}"
    return con.execute(statement, [row.ctid, *row.values]).rowcount


def _vacuum(url: str, erased: Sequence[Erased] = ()) -> None:
    """Take what was replaced out of tables and indexes. Raises StoreBusy where somebody holds one of them.

    PostgreSQL frees the place of an old row, and writes over its bytes when it needs the place.
    """
    told = "its rows say `erased`, but what they said is not vacuumed yet: "
    with _reached(told, erased), connect(url, VARIABLE) as con:
        tables = _tables(con)
        con.commit()
        # vacuum has transactions of its own
        con.autocommit = True
        con.execute(f"set lock_timeout = '{_PATIENCE}'")
        for table in tables:
            # by itself, vacuum leaves indexes as they are where few rows were replaced
            con.execute(f"vacuum (index_cleanup on) {quoted(table.name)}")


def _text(value: Value) -> str:
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value


def _without(named: Named, value: Value) -> Value:
    text = named.without(_text(value))
    return text.encode("utf-8", "surrogateescape") if isinstance(value, bytes) else text
