"""A heat map: a row per name, a column per hour, as an SVG that Dagster shows inside a materialization."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from xml.sax.saxutils import escape

from iterable_pipelines.svg import svg_of

_CELL_WIDTH, _CELL_HEIGHT, _LEFT, _TOP = 14, 12, 190, 34


def _every_sixth(hour: datetime) -> str:
    return f"{hour:%d.%m. %Hh}" if hour.hour % 6 == 0 else ""


def heat_map(
    hours: Sequence[Any],
    names: Sequence[str],
    cell: Callable[[str, Any], tuple[str, str]],
    note: Callable[[str], str] = lambda name: "",
    head: Callable[[Any], str] = _every_sixth,
    title: Callable[[Any], str] = lambda hour: f"{hour:%Y-%m-%dT%H}",
) -> str:
    """The SVG. `cell` gives the attributes of a cell, such as its fill, and its title; `note` what follows a row.

    Hours are times, or what `head` writes above some columns and `title` calls each of them in its cells.
    """
    width, height = _LEFT + _CELL_WIDTH * len(hours) + 60, _TOP + _CELL_HEIGHT * len(names) + 8
    shapes = []
    for column, hour in enumerate(hours):
        if head(hour):
            x = _LEFT + column * _CELL_WIDTH
            shapes.append(f'<text x="{x}" y="{_TOP - 6}" fill="#667">{head(hour)}</text>')
    for row, name in enumerate(names):
        y = _TOP + row * _CELL_HEIGHT
        shapes.append(f'<text x="{_LEFT - 8}" y="{y + 9}" text-anchor="end" fill="#334">{escape(name)}</text>')
        shapes.append(f'<text x="{_LEFT + _CELL_WIDTH * len(hours) + 6}" y="{y + 9}" fill="#334">{note(name)}</text>')
        for column, hour in enumerate(hours):
            attributes, told = cell(name, hour)
            x = _LEFT + column * _CELL_WIDTH
            shapes.append(
                f'<rect x="{x}" y="{y}" width="{_CELL_WIDTH - 1}" height="{_CELL_HEIGHT - 1}" {attributes}>'
                f"<title>{escape(name)} {title(hour)}: {escape(told)}</title></rect>"
            )
    return svg_of(width, height, shapes)
