"""A heat map: a row per name, a column per hour, as an SVG that Dagster shows inside a materialization."""

from collections.abc import Callable, Sequence
from datetime import datetime
from xml.sax.saxutils import escape

from iterable_pipelines.svg import svg_of

_CELL_WIDTH, _CELL_HEIGHT, _LEFT, _TOP = 14, 12, 190, 34


def heat_map(
    hours: Sequence[datetime],
    names: Sequence[str],
    cell: Callable[[str, datetime], tuple[str, str]],
    note: Callable[[str], str] = lambda name: "",
) -> str:
    """The SVG. `cell` gives the attributes of a cell, such as its fill, and its title; `note` what follows a row."""
    width, height = _LEFT + _CELL_WIDTH * len(hours) + 60, _TOP + _CELL_HEIGHT * len(names) + 8
    shapes = []
    for column, hour in enumerate(hours):
        if hour.hour % 6 == 0:
            x = _LEFT + column * _CELL_WIDTH
            shapes.append(f'<text x="{x}" y="{_TOP - 6}" fill="#667">{hour:%d.%m. %Hh}</text>')
    for row, name in enumerate(names):
        y = _TOP + row * _CELL_HEIGHT
        shapes.append(f'<text x="{_LEFT - 8}" y="{y + 9}" text-anchor="end" fill="#334">{escape(name)}</text>')
        shapes.append(f'<text x="{_LEFT + _CELL_WIDTH * len(hours) + 6}" y="{y + 9}" fill="#334">{note(name)}</text>')
        for column, hour in enumerate(hours):
            attributes, title = cell(name, hour)
            x = _LEFT + column * _CELL_WIDTH
            shapes.append(
                f'<rect x="{x}" y="{y}" width="{_CELL_WIDTH - 1}" height="{_CELL_HEIGHT - 1}" {attributes}>'
                f"<title>{escape(name)} {hour:%Y-%m-%dT%H}: {escape(title)}</title></rect>"
            )
    return svg_of(width, height, shapes)
