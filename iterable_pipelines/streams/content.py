"""What is in a table, as one number: equal for the same rows in any order, on any machine."""

from dataclasses import dataclass

import duckdb

from iterable_pipelines.data_types import STREAM
from iterable_pipelines.streams.warehouse import Warehouse

PROFILES = "profiles.user_profiles"
# columns of ours that say something of a row; the others tell when and how it came here
_SAID = ("_hour", "_source", "_current")


@dataclass(frozen=True)
class Content:
    """The rows of a table, and a hash of all they say."""

    rows: int
    hash: str


def content_of(warehouse: Warehouse, tables: list[str]) -> dict[str, Content]:
    """The content of each of these tables, `schema.name`; of one that is not there yet, no rows."""
    with warehouse.transaction() as con:
        return {table: _content(con, table) for table in tables}


def tables_of(streams: list[str]) -> list[str]:
    """The tables of these streams, and the profiles that are made of them."""
    return [*(f"streams.{name}" for name in STREAM if name in streams), PROFILES]


def _content(con: duckdb.DuckDBPyConnection, table: str) -> Content:
    schema, name = table.split(".")
    columns = con.execute(
        "select column_name, data_type from duckdb_columns() where database_name = current_database() "
        "and schema_name = ? and table_name = ? order by column_name",
        [schema, name],
    ).fetchall()
    # the text of a record counts as it came, not as JSON that means the same
    told = [
        f'"{column}"::varchar as "{column}"' if kind == "JSON" else f'"{column}"'
        for column, kind in columns
        if not column.startswith("_") or column in _SAID
    ]
    # sums do not ask for an order, and unlike xor they count twins
    sums = (
        con.execute(
            "select count(*), coalesce(sum(md5_number_upper(told)), 0), coalesce(sum(md5_number_lower(told)), 0) "
            f"from (select to_json(row)::varchar as told from (select {', '.join(told)} from {table}) as row)"
        ).fetchone()
        if told
        else None
    )
    rows, upper, lower = sums or (0, 0, 0)
    return Content(rows, f"{upper % 2**64:016x}{lower % 2**64:016x}")
