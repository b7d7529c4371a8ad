"""Reading landing from the warehouse: the records of some files, each with the part it belongs to."""

from pathlib import Path

import duckdb

from iterable_pipelines.erasure.gate import Gate, forgotten_sql
from iterable_pipelines.erasure.tombstones import Tombstones
from iterable_pipelines.settings import Settings


def landed_sql(con: duckdb.DuckDBPyConnection, settings: Settings, files: list[Path]) -> str:
    """The landed records of `files`, with the data type and hour that their folders are named after, and the path.

    Whoever is forgotten is left out: a backup of landing may be older than the erasure.
    """
    listed = ", ".join("'" + str(file).replace("'", "''") + "'" for file in files)
    source = (
        f"read_parquet([{listed}], filename = true, hive_partitioning = true, "
        "hive_types = {'hour': varchar, 'data_type': varchar})"
    )
    passing = f" where not {forgotten_sql()}" if Gate(con, Tombstones(settings)).meets(source) else ""
    return f"(select data_type, strptime(hour, '%Y-%m-%dT%H') as hour, filename as path, record from {source}{passing})"
