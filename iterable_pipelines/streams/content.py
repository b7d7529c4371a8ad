"""What is in a table, as one number: equal for the same rows in any order, as long as DuckDB is the same."""

from dataclasses import dataclass

import duckdb

from iterable_pipelines.data_types import STREAM
from iterable_pipelines.streams.warehouse import Warehouse

PROFILES = "profiles.user_profiles"
# columns of ours that say something of a row; the others tell when and how it came here
_SAID = ("_hour", "_source", "_current", "_webhook_id")


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
        "select column_name from duckdb_columns() where database_name = current_database() "
        "and schema_name = ? and table_name = ? order by column_name",
        [schema, name],
    ).fetchall()
    told = [f'"{column}"' for (column,) in columns if not column.startswith("_") or column in _SAID]
    if not told:
        return Content(0, "0" * 32)
    # sums do not ask for an order; hashed twice, because DuckDB joins the hashes of columns by xor, which sums may undo
    rows, added, crossed = con.execute(
        "select count(*), coalesce(sum(told), 0), coalesce(bit_xor(told), 0) "
        f"from (select hash(hash({', '.join(told)})) as told from {table})"
    ).fetchall()[0]
    return Content(rows, f"{added % 2**64:016x}{crossed:016x}")
