"""What Spark has made, for readers: its tables beside what it works on, and views of the usual names over them.

Spark replaces files while somebody reads. So a finished build gives every table a second name under a number of its
own, which costs no space where the lake is a folder, and the views read that until the next build has finished.
"""

import re
from collections.abc import Iterable

import duckdb

from iterable_pipelines.lake.layout import PUBLISHED, Lake
from iterable_pipelines.quoting import literal, quoted

# whoever opened the copy for readers before still reads the number before
_KEPT = 2
Table = tuple[str, str]


def tables_made(lake: Lake, tables: Iterable[Table]) -> list[Table]:
    """Those of these tables of Spark's that have files: a build may make some of them only."""
    return [(schema, table) for schema, table in tables if files_of(lake, f"{schema}/{table}")]


def next_number(lake: Lake) -> int:
    """The number under which nothing was published yet."""
    return max(_numbers(lake), default=0) + 1


def published(number: int, table: Table) -> str:
    """The folder of a table that is published under a number."""
    return f"{PUBLISHED}/{number}/{table[0]}/{table[1]}"


def publish_tables(lake: Lake, tables: Iterable[Table], number: int) -> None:
    """Give the files of these tables of Spark's another name, under a number."""
    for table in tables:
        source = "/".join(table)
        names = files_of(lake, source)
        lake.files.link_all((name, f"{published(number, table)}{name.removeprefix(source)}") for name in names)


def remove_unread(lake: Lake, views: Iterable[str]) -> None:
    """Remove what was published, but for the last numbers and those that these views' statements name."""
    read = {int(number) for sql in views for number in re.findall(rf"/{PUBLISHED}/([0-9]+)/", sql)}
    for old in _numbers(lake)[:-_KEPT]:
        if old not in read:
            lake.files.remove_folder(f"{PUBLISHED}/{old}")


def create_views(con: duckdb.DuckDBPyConnection, lake: Lake, tables: Iterable[Table], number: int) -> None:
    """Make the usual names, in the transaction of `con`, views over what is published under a number."""
    for schema, table in tables:
        con.execute(f"create schema if not exists {quoted(schema)}")
        name = f"{quoted(schema)}.{quoted(table)}"
        con.execute(f"drop view if exists {name}")
        con.execute(f"create view {name} as from {_files_sql(lake, schema, table, number)}")


def _files_sql(lake: Lake, schema: str, table: str, number: int) -> str:
    pattern = lake.files.url(f"{published(number, (schema, table))}/**/*.parquet")
    return f"read_parquet({literal(pattern)}, hive_partitioning = true, hive_types_autocast = false)"


def files_of(lake: Lake, folder: str) -> list[str]:
    """The names of the Parquet files of a table, without what Spark is at work on."""
    return [name for name in lake.files.names(folder) if name.endswith(".parquet") and not _is_hidden(name)]


def _numbers(lake: Lake) -> list[int]:
    names = (name.removeprefix(f"{PUBLISHED}/") for name in lake.files.folders(PUBLISHED))
    return sorted(int(name) for name in names if re.fullmatch(r"[0-9]+", name))


def _is_hidden(name: str) -> bool:
    # what Spark is at work on
    return any(part.startswith(("_", ".")) for part in name.split("/"))
