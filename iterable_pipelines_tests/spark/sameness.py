"""Tells whether Spark's tables hold the rows that DuckDB's do: both are read by DuckDB, and compared as bags."""

import os
import subprocess
import sys
from pathlib import Path

import duckdb

from iterable_pipelines.profiles.spark import spark_environment
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse

# when a build was made, and a hash that each engine makes in its own way
_OWN = ("finished_at", "made_at", "digest")
# DuckDB can tell of more people that not all of their campaigns need be counted
_OWN_OF = {"marts.touched_people": ("whole",)}
_VIEWS_AS_FILES = Path(__file__).with_name("views_as_files.py")


def models(warehouse: Warehouse, kind: str) -> list[str]:
    """The names of all tables (`BASE TABLE`), or of all views (`VIEW`), that the models have made in DuckDB."""
    found = warehouse.read(
        "select table_schema || '.' || table_name from information_schema.tables "
        "where table_schema in ('profiles', 'marts', 'audiences') and table_type = $1 order by 1",
        [kind],
    )
    return [name for (name,) in found]


def differences(warehouse: Warehouse, folder: Path, names: list[str]) -> dict[str, object]:
    """By name, what differs between DuckDB's relations and what Spark has written of them below `folder`."""
    found: dict[str, object] = {}
    with warehouse.transaction() as con:
        for name in names:
            by_hour = ", hive_types = {'hour': TIMESTAMP}" if name == "profiles.user_activity_hourly" else ""
            files = f"read_parquet('{folder / name.replace('.', '/')}/**/*.parquet'{by_hour})"
            here, there = (_columns(con, each, _OWN_OF.get(name, ())) for each in (name, files))
            if here != there:
                found[name] = sorted(here.items() ^ there.items())
                continue
            texts = ", ".join(f'cast("{column}" as varchar)' for column in here)
            for one, other in ((name, files), (files, name)):
                rows = con.execute(f"select {texts} from {one} except all select {texts} from {other}").fetchall()
                if rows:
                    found[f"{name}, only {one}"] = (len(rows), rows[:2])
    return found


def _columns(con: duckdb.DuckDBPyConnection, relation: str, own: tuple[str, ...]) -> dict[str, str]:
    """The columns to compare, and their types: JSON is text."""
    columns = con.execute(f"describe from {relation}").fetchall()
    return {name: kind.replace("JSON", "VARCHAR") for name, kind, *_ in sorted(columns) if name not in _OWN + own}


def write_views(project: Settings, lake: Path, names: list[str], folder: Path) -> None:
    """Let Spark read views, and write their rows below `folder`."""
    environment = os.environ | spark_environment(project, str(lake))
    command = [sys.executable, str(_VIEWS_AS_FILES), str(folder), *names]
    subprocess.run(command, env=environment, check=True, capture_output=True)
