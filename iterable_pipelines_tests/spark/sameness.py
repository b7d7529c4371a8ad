"""Tells whether Spark's tables hold the rows that DuckDB's do: both are read by DuckDB, and compared as bags."""

import subprocess
import sys
from pathlib import Path

from iterable_pipelines.profiles.spark import spark_environment
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse

# when a build was made, and a hash that each engine makes in its own way
_OWN = ("finished_at", "digest")
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
    found = {}
    with warehouse.transaction() as con:
        for name in names:
            files = f"read_parquet('{folder / name.replace('.', '/')}/**/*.parquet', hive_partitioning = true)"
            types = {
                side: {
                    column: kind.replace("JSON", "VARCHAR")
                    for column, kind, *_ in con.execute(f"describe from {side}").fetchall()
                }
                for side in (name, files)
            }
            here, there = types.values()
            if here != there:
                found[name] = {
                    column: (here.get(column), there.get(column))
                    for column in here.keys() | there.keys()
                    if here.get(column) != there.get(column)
                }
                continue
            columns = ", ".join(f'cast("{column}" as varchar)' for column in sorted(here.keys() - set(_OWN)))
            for one, other in ((name, files), (files, name)):
                rows = con.execute(f"select {columns} from {one} except all select {columns} from {other}").fetchall()
                if rows:
                    found[f"{name}: in {one.partition('(')[0]} alone"] = (len(rows), rows[:2])
    return found


def write_views(project: Settings, lake: Path, names: list[str], folder: Path) -> None:
    """Let Spark read views, and write their rows below `folder`."""
    environment = {"PATH": "/usr/bin:/bin", **spark_environment(project, str(lake))}
    command = [sys.executable, str(_VIEWS_AS_FILES), str(folder), *names]
    subprocess.run(command, env=environment, check=True, capture_output=True)
