"""Small tables as pandas DataFrames, into the warehouse and out of it: by name, whole, in one transaction."""

from collections.abc import Collection
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from iterable_pipelines.quoting import quoted
from iterable_pipelines.streams.warehouse import Warehouse

if TYPE_CHECKING:
    # loading pandas takes half a second: a process that has no frames does without
    import pandas as pd


class FrameRefused(Exception):
    """A frame that does not fit its table. The table is as it was."""


def write_frame(warehouse: Warehouse, schema: str, table: str, frame: "pd.DataFrame") -> None:
    """Put `frame` in the place of the rows of `schema.table`, which is made if it is not there.

    Raises FrameRefused for columns that are not the table's and values that do not fit theirs, before the table is
    touched; WarehouseFailed. The rows of before stay, then.
    """
    rows = as_arrow(frame)
    name = f"{quoted(schema)}.{quoted(table)}"
    with warehouse.transaction() as con:
        con.register("frame", rows)
        known = _columns(con, schema, table)
        if known:
            check_columns(frame, known, f"{schema}.{table}")
            _check_values(con, known, f"{schema}.{table}")
            con.execute(f"delete from {name}")
            con.execute(f"insert into {name} by name select * from frame")
        else:
            con.execute(f"create schema if not exists {quoted(schema)}")
            con.execute(f"create table {name} as select * from frame")


def read_frame(warehouse: Warehouse, schema: str, table: str) -> "pd.DataFrame":
    """All rows of `schema.table`. Raises FrameRefused if there is no such table."""
    with warehouse.transaction() as con:
        if not _columns(con, schema, table):
            raise FrameRefused(f"{schema}.{table} is not there yet. Next: materialize {schema}/{table} once")
        return _as_frame(con, f"select * from {quoted(schema)}.{quoted(table)}")


def query_frame(sql: str, parameters: list[object]) -> "pd.DataFrame":
    """The rows of a query on files, outside of the warehouse."""
    with duckdb.connect() as con:
        con.execute("set timezone = 'UTC'")
        return _as_frame(con, sql, parameters)


def as_arrow(frame: "pd.DataFrame") -> pa.Table:
    """The rows of a frame for DuckDB. Raises FrameRefused where something of it would be lost or is ambiguous."""
    names = [str(name) for name in frame.columns]
    if len({name.lower() for name in names}) < len(names):
        raise FrameRefused("the frame has two columns of one name, where case does not count. Nothing was stored")
    if not names or any(name is not None for name in frame.index.names):
        raise FrameRefused("the frame's index has a name, or it has no columns: use reset_index(). Nothing was stored")
    try:
        rows = pa.Table.from_pandas(frame.rename(columns=str), preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        # what Arrow says would show the value, and that may be a person
        raise FrameRefused("a column of the frame holds values of several types. Nothing was stored") from None
    # of a column without a value nothing is known: text takes all
    types = [pa.field(each.name, pa.string() if pa.types.is_null(each.type) else each.type) for each in rows.schema]
    return rows.cast(pa.schema(types))


def check_columns(frame: "pd.DataFrame", expected: Collection[str], table: str) -> None:
    """Raise FrameRefused unless the frame has exactly the columns expected, in whatever order."""
    given, wanted = {str(name) for name in frame.columns}, set(expected)
    if given != wanted:
        wrong = [f"lacks {', '.join(sorted(wanted - given))}"] if wanted - given else []
        wrong += [f"has {', '.join(sorted(given - wanted))}, which the table has not"] if given - wanted else []
        raise FrameRefused(
            f"the frame for {table} {' and '.join(wrong)}. The table is as it was. Next: give the frame the table's "
            "columns, or drop the table"
        )


def _check_values(con: duckdb.DuckDBPyConnection, types: dict[str, str], table: str) -> None:
    # DuckDB's own error would show the value, and that may be a person
    misfits = ", ".join(
        f"count(*) filter ({quoted(name)} is not null and try_cast({quoted(name)} as {kind}) is null)"
        for name, kind in types.items()
    )
    counts = con.execute(f"select {misfits} from frame").fetchone() or ()
    wrong = [f"{n:,} of {name} ({kind})" for (name, kind), n in zip(types.items(), counts, strict=True) if n]
    if wrong:
        raise FrameRefused(f"values for {table} do not fit its columns: {', '.join(wrong)}. The table is as it was")


def _as_frame(con: duckdb.DuckDBPyConnection, sql: str, parameters: list[object] | None = None) -> "pd.DataFrame":
    import pandas as pd

    # types of pandas that hold a NULL beside an integer of 19 digits
    types = {
        pa.int64(): pd.Int64Dtype(),
        pa.int32(): pd.Int32Dtype(),
        pa.float64(): pd.Float64Dtype(),
        pa.bool_(): pd.BooleanDtype(),
        pa.string(): pd.StringDtype(),
    }
    rows = con.sql(sql, params=parameters).to_arrow_table()
    # JSON is text that DuckDB marks as more
    plain = [pa.field(each.name, getattr(each.type, "storage_type", each.type)) for each in rows.schema]
    frame: pd.DataFrame = rows.cast(pa.schema(plain)).to_pandas(types_mapper=types.get)
    return frame


def _columns(con: duckdb.DuckDBPyConnection, schema: str, table: str) -> dict[str, str]:
    """Name to SQL type, empty for a table that is not there."""
    found = con.execute(
        "select column_name, data_type from duckdb_columns() where schema_name = ? and table_name = ?", [schema, table]
    )
    return dict(found.fetchall())
