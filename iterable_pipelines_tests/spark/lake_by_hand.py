"""Writes the lake from a warehouse whose events are tables, so that both engines are given the same rows."""

import shutil
from pathlib import Path

from iterable_pipelines.data_types import ACTIVITY_STREAMS
from iterable_pipelines.streams import Warehouse

_OTHERS = {
    "streams": ("iterable_users", "loads", "webhook_loads", "expired_hours", "expired_activity"),
    "objects": ("campaigns", "templates", "channels", "message_types", "journeys", "lists", "list_members"),
}
_HOUR = "strftime(_hour, '%Y-%m-%dT%H')"


def write_lake(warehouse: Warehouse, lake: Path) -> None:
    """One Parquet file for each type and hour of events that was loaded, and for each other source of the models."""
    with warehouse.transaction() as con:
        for stream in ACTIVITY_STREAMS:
            folder = lake / "streams" / stream.name
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            rows = f"select * exclude (data_type), {_HOUR} as hour, data_type from streams.{stream.name}"
            con.execute(f"copy ({rows}) to '{folder}' (format parquet, partition_by (hour, data_type))")
            empty = folder / "hour=0001-01-01T00" / "data_type=none" / "part.parquet"
            empty.parent.mkdir(parents=True)
            con.execute(f"copy (select * exclude (data_type) from streams.{stream.name} limit 0) to '{empty}'")
            loaded = "select distinct strftime(hour, '%Y-%m-%dT%H'), data_type from streams.loads where stream = $1"
            for hour, data_type in con.execute(loaded, [stream.name]).fetchall():
                part = folder / f"hour={hour}" / f"data_type={data_type}"
                if not part.exists():
                    part.mkdir(parents=True)
                    shutil.copyfile(empty, part / "part.parquet")
        for schema, tables in _OTHERS.items():
            for table in tables:
                (lake / schema / table).mkdir(parents=True, exist_ok=True)
                con.execute(f"copy {schema}.{table} to '{lake / schema / table / 'part.parquet'}'")
