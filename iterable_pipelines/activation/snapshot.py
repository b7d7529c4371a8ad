"""The rows of a sync's source at one moment (S2): a Parquet file in the scratch folder, and a view upon it.

The copy for readers is open only while that file is written.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from iterable_pipelines.activation.column_types import Carried, Read, carried, values_of
from iterable_pipelines.activation.declaration import Sync
from iterable_pipelines.activation.errors import ActivationRefused
from iterable_pipelines.activation.one_off.rows import RowsFile
from iterable_pipelines.activation.options import Options
from iterable_pipelines.activation.source import moment_literal, source_query
from iterable_pipelines.activation.state import Workspace
from iterable_pipelines.published import PASSING, check_query, passing_cause, reading, without_values
from iterable_pipelines.quoting import literal, quoted
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams.warehouse import WarehouseFailed

# rows that are Python objects at a time
_BATCH = 5_000
# numbers by their value, and other keys as texts
IN_ORDER = "try_cast(pk as decimal(38, 9)) nulls last, pk"


@dataclass(frozen=True)
class Source:
    """The query of a sync, and how the values of its columns travel. `columns`: name to DuckDB type, in order."""

    query: str
    as_of: datetime
    columns: dict[str, str]
    carried: dict[str, Carried]


@dataclass(frozen=True)
class Snapshot:
    """`scratch.snapshot(pk, source_hash, row)` and `scratch.duplicates(pk)`.

    rows: all of them. nulls: those without a primary key, which the view leaves out; none unless it is `whole`: has
    every row of the source, so that one that is missing is gone.
    """

    columns: tuple[str, ...]
    reads: dict[str, Read]
    rows: int
    nulls: int
    whole: bool


def source_of(settings: Settings, sync: Sync, as_of: datetime) -> Source:
    """The source and its columns. Raises ActivationRefused for a query that cannot be run, and as `take_snapshot`."""
    query = source_query(settings, sync, as_of)
    with _explained(settings, sync), _opened(settings, sync) as con:
        check_query(con, query)
        relation = con.sql(f"from (\n{query}\n)")
        kinds = dict(zip(relation.columns, relation.types, strict=True))
    columns = {name: str(kind) for name, kind in kinds.items()}
    return Source(query, as_of, columns, {name: carried(kind) for name, kind in kinds.items()})


def take_snapshot(
    workspace: Workspace,
    settings: Settings,
    sync: Sync,
    source: Source,
    columns: Collection[str],
    options: Options,
    also: Collection[str] = (),
) -> Snapshot:
    """Copy the rows of the source: of `columns`, by which a row is told from what it was, and of `also`, if there.

    Raises ActivationRefused for a query that cannot be run, NothingPublished, or WarehouseFailed for what may be
    otherwise the next time.
    """
    file = workspace.folder / "snapshot.parquet"
    file_sql = literal(str(file))
    carry = [each for each in source.columns if each in columns or each in also] or list(sync.primary_key)
    with _explained(settings, sync), _opened(settings, sync, workspace.folder) as con:
        con.execute(f"copy ({_select(sync, source, carry, columns)}) to {file_sql}")
    rows, nulls = _count(workspace.con, f"select count(*), count(*) filter (pk is null) from {file_sql}")
    workspace.con.execute(
        f"create table scratch.duplicates as select pk from {file_sql} where pk is not null group by pk "
        "having count(*) > 1"
    )
    workspace.con.execute(f"create view scratch.snapshot as from {file_sql} where {_part(file_sql, options)}")
    reads = {name: source.carried[name].read for name in carry}
    whole = not options.only_pks and options.limit is None
    part = {name: read for name, read in reads.items() if read}
    return Snapshot(tuple(carry), part, rows, nulls if whole else 0, whole)


def rows_of(workspace: Workspace, snapshot: Snapshot, sql: str) -> Iterator[list[tuple[Any, dict[str, Any]]]]:
    """Some thousand at a time of what `sql` selects: the values of all its columns but the last, `row`, and that row.

    Another statement may run meanwhile.
    """
    # a cursor of its own, so that what is read here can be written at the same time
    with workspace.con.cursor() as cursor:
        for batch in cursor.sql(sql).to_arrow_reader(_BATCH):
            *before, row = batch.columns
            marks = zip(*(each.to_pylist() for each in before), strict=True)
            values = [
                values_of(each, snapshot.reads.get(name))
                for name, each in zip(snapshot.columns, row.flatten(), strict=True)
            ]
            rows = (dict(zip(snapshot.columns, each, strict=True)) for each in zip(*values, strict=True))
            yield list(zip(marks, rows, strict=True))


@contextmanager
def _opened(settings: Settings, sync: Sync, folder: Path | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """What the source reads: the copy for readers, or the file of a one-off write."""
    if not isinstance(sync.source, RowsFile):
        with reading(settings, folder) as con:
            yield con
        return
    with duckdb.connect(config={"memory_limit": settings.memory_limit}) as con:
        con.execute("set timezone = 'UTC'")
        yield con


def _select(sync: Sync, source: Source, carry: Collection[str], told_by: Collection[str]) -> str:
    """The query whose rows are (pk, source_hash, row): `row` has `carry`, `source_hash` is that of `told_by`."""
    keys = [quoted(each) for each in sync.primary_key]
    texts = ", ".join(f"{key}::varchar" for key in keys)
    null = " or ".join(f"{key} is null" for key in keys)
    members = ", ".join(f"{quoted(each)} := {quoted(each)}::{source.carried[each].type}" for each in carry)
    hashed = ", ".join(quoted(each) for each in source.columns if each in told_by) or "0"
    pk = texts if len(keys) == 1 else f"concat_ws('|', {texts})"
    return (
        f"select case when {null} then null else {pk} end as pk, hash({hashed})::varchar as source_hash, "
        f"struct_pack({members}) as row from (\n{source.query}\n){_condition(sync, source.as_of)}"
    )


def _condition(sync: Sync, as_of: datetime) -> str:
    """Rows so old that their keys may be forgotten are no rows: they could otherwise be sent again (S13)."""
    if sync.watermark is None:
        return ""
    column, oldest = quoted(sync.watermark), moment_literal(as_of - timedelta(days=sync.key_retention_days))
    return f" where {column} is null or {column}::timestamp >= {oldest}"


def _part(file: str, options: Options) -> str:
    if options.only_pks:
        return f"pk in ({', '.join(map(literal, options.only_pks))})"
    if options.limit is not None:
        return f"pk in (select pk from (select distinct pk from {file}) order by {IN_ORDER} limit {options.limit})"
    return "pk is not null"


@contextmanager
def _explained(settings: Settings, sync: Sync) -> Iterator[None]:
    try:
        yield
    except PASSING as error:
        cause, then = passing_cause(error, settings)
        raise WarehouseFailed(f"{sync.name}: {cause}. Nothing was sent.\nNext: {then}run it again") from None
    except duckdb.Error as error:
        raise ActivationRefused(
            f"{sync.name}: its source cannot be read: {without_values(error)}\nNothing was sent.\n"
            f"Next: correct syncs/{sync.name}.yml or the table; iterable-pipelines query shows what a query brings"
        ) from None


def _count(con: duckdb.DuckDBPyConnection, sql: str) -> tuple[int, ...]:
    return con.execute(sql).fetchone() or ()
