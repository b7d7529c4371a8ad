"""A picture of what arrived: events per hour and data type, as an SVG that Dagster shows inside a materialization."""

import math
from datetime import datetime

from iterable_pipelines.data_types import DATA_TYPES, USERS
from iterable_pipelines.heat_map import heat_map
from iterable_pipelines.hours import HOUR
from iterable_pipelines.streams.warehouse import Warehouse

_HOURS = 48


def events_per_hour(warehouse: Warehouse) -> tuple[list[datetime], dict[str, dict[datetime, int]]]:
    """The newest 48 hours that hold events, and for each data type its events per hour, from the load log."""
    newest = warehouse.read(f"select max(hour) from streams.loads where stream <> '{USERS}'")[0][0]
    if newest is None:
        return [], {}
    hours = [newest - n * HOUR for n in range(_HOURS - 1, -1, -1)]
    counts: dict[str, dict[datetime, int]] = {}
    for data_type, hour, rows in warehouse.read(
        f"select data_type, hour, rows from streams.loads where stream <> '{USERS}' and hour >= ? and rows > 0",
        [hours[0]],
    ):
        counts.setdefault(data_type, {})[hour] = rows
    return hours, counts


def picture(hours: list[datetime], counts: dict[str, dict[datetime, int]]) -> str:
    """An SVG: a row per data type, a column per hour, darker for more events (on a logarithmic scale)."""
    types = [each.name for each in DATA_TYPES if each.name in counts]
    most = max((rows for by_hour in counts.values() for rows in by_hour.values()), default=1)

    def cell(name: str, hour: datetime) -> tuple[str, str]:
        rows = counts[name].get(hour, 0)
        strength = 0.15 + 0.85 * math.log1p(rows) / math.log1p(most)
        return f'fill="#4f43dd" fill-opacity="{strength:.2f}"' if rows else 'fill="#eef"', f"{rows:,}"

    return heat_map(hours, types, cell, lambda name: f"{sum(counts[name].values()):,}")
