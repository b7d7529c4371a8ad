"""A picture of what arrived: events per hour and data type, as an SVG that Dagster shows inside a materialization."""

import math
from datetime import datetime
from xml.sax.saxutils import escape

from iterable_pipelines.data_types import DATA_TYPES, USERS
from iterable_pipelines.hours import HOUR
from iterable_pipelines.streams.warehouse import Warehouse
from iterable_pipelines.svg import svg_of

_HOURS = 48
_CELL_WIDTH, _CELL_HEIGHT, _LEFT, _TOP = 14, 12, 190, 34


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


def heat_map(hours: list[datetime], counts: dict[str, dict[datetime, int]]) -> str:
    """An SVG: a row per data type, a column per hour, darker for more events (on a logarithmic scale)."""
    types = [each.name for each in DATA_TYPES if each.name in counts]
    most = max((rows for by_hour in counts.values() for rows in by_hour.values()), default=1)
    width, height = _LEFT + _CELL_WIDTH * len(hours) + 60, _TOP + _CELL_HEIGHT * len(types) + 8
    shapes = []
    for column, hour in enumerate(hours):
        if hour.hour % 6 == 0:
            x = _LEFT + column * _CELL_WIDTH
            shapes.append(f'<text x="{x}" y="{_TOP - 6}" fill="#667">{hour:%d.%m. %Hh}</text>')
    for row, name in enumerate(types):
        y = _TOP + row * _CELL_HEIGHT
        total = sum(counts[name].values())
        shapes.append(f'<text x="{_LEFT - 8}" y="{y + 9}" text-anchor="end" fill="#334">{escape(name)}</text>')
        shapes.append(f'<text x="{_LEFT + _CELL_WIDTH * len(hours) + 6}" y="{y + 9}" fill="#334">{total:,}</text>')
        for column, hour in enumerate(hours):
            rows = counts[name].get(hour, 0)
            strength = 0.15 + 0.85 * math.log1p(rows) / math.log1p(most) if rows else 0.0
            colour = f'fill="#4f43dd" fill-opacity="{strength:.2f}"' if rows else 'fill="#eef"'
            x = _LEFT + column * _CELL_WIDTH
            shapes.append(
                f'<rect x="{x}" y="{y}" width="{_CELL_WIDTH - 1}" height="{_CELL_HEIGHT - 1}" {colour}>'
                f"<title>{escape(name)} {hour:%Y-%m-%dT%H}: {rows:,}</title></rect>"
            )
    return svg_of(width, height, shapes)
