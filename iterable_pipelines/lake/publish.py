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


def publish_tables(lake: Lake, tables: Iterable[Table]) -> int:
    """Give the files of these tables of Spark's another name, under the number that is returned."""
    numbers = _numbers(lake)
    number = max(numbers, default=0) + 1
    for schema, table in tables:
        _give_second_names(lake, f"{schema}/{table}", f"{PUBLISHED}/{number}/{schema}/{table}")
    return number


def remove_older(lake: Lake, number: int) -> None:
    """Remove what was published before, but for the last."""
    for old in _numbers(lake):
        if old <= number - _KEPT:
            lake.files.remove_folder(f"{PUBLISHED}/{old}")


def create_views(con: duckdb.DuckDBPyConnection, lake: Lake, tables: Iterable[Table], number: int) -> None:
    """Make the usual names, in the transaction of `con`, views over what is published under a number."""
    for schema, table in tables:
        con.execute(f"create schema if not exists {quoted(schema)}")
        name = f"{quoted(schema)}.{quoted(table)}"
        con.execute(f"drop view if exists {name}")
        con.execute(f"create view {name} as from {_files_sql(lake, schema, table, number)}")


def _files_sql(lake: Lake, schema: str, table: str, number: int) -> str:
    pattern = lake.files.url(f"{PUBLISHED}/{number}/{schema}/{table}/**/*.parquet")
    return f"read_parquet({literal(pattern)}, hive_partitioning = true, hive_types_autocast = false)"


def _numbers(lake: Lake) -> list[int]:
    names = _folders(lake, PUBLISHED)
    return sorted(int(name) for name in names if re.fullmatch(r"[0-9]+", name))


def _folders(lake: Lake, under: str) -> list[str]:
    if lake.files.folder:
        folder = lake.files.folder / under
        return [each.name for each in folder.iterdir()] if folder.is_dir() else []
    return sorted({name.removeprefix(f"{under}/").partition("/")[0] for name in lake.files.names(under)})


def _give_second_names(lake: Lake, source: str, target: str) -> None:
    names = [name for name in lake.files.names(source) if name.endswith(".parquet") and not _is_hidden(name)]
    lake.files.link_all((name, f"{target}{name.removeprefix(source)}") for name in names)


def _is_hidden(name: str) -> bool:
    # what Spark is at work on
    return any(part.startswith(("_", ".")) for part in name.split("/"))
