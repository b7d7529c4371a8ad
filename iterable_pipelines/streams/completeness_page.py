"""The page on what is complete: a table of streams, and a heat map of the newest hours and all data types."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from iterable_pipelines.data_types import DATA_TYPES
from iterable_pipelines.heat_map import heat_map
from iterable_pipelines.hours import HOUR, hour_key
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams.completeness import SILENT, STATES, UNTOUCHED, Progress, Trouble, progress, troubles
from iterable_pipelines.svg import as_markdown

_HOURS = 72
_COLOURS = {"fresh": "#a9d8a0", "settled": "#57ad5e", "audited": "#1f7a3d", "expired": "#cfe3cf", "missing": "#dcdce4"}
_RED, _ORANGE = "#d33a2c", "#eba13a"
_LEGEND = (
    "light to dark green: fresh, settled, audited · pale: expired · "
    "grey: not landed · orange: silent · red: something is lacking"
)


@dataclass(frozen=True)
class Page:
    """The page as a table in markdown and a picture, and the numbers behind it: of each stream, its first trouble."""

    table: str
    picture: str
    streams: list[Progress]
    first: dict[str, Trouble]

    @property
    def markdown(self) -> str:
        """Both in one, self-contained."""
        return f"{self.table}\n\n{as_markdown(self.picture, 'state by hour and data type')}\n\n{_LEGEND}\n"


def page_of(con: duckdb.DuckDBPyConnection, moment: datetime) -> Page:
    """The page as of the last refresh."""
    streams = progress(con)
    first: dict[str, Trouble] = {}
    for trouble in troubles(con):
        # the hourly schedule is on its way to the newest hours
        if trouble.hour + HOUR + UNTOUCHED <= moment:
            first.setdefault(trouble.stream, trouble)
    lines = [
        f"| stream | complete from | complete up to | {' | '.join(STATES)} | first trouble |",
        "|---|---|---|" + "---:|" * len(STATES) + "---|",
    ]
    for each in streams:
        since, up_to = spelled_stretch(each)
        states = " | ".join(f"{each.states[state]:,}" for state in STATES)
        lines.append(f"| {each.stream} | {since} | {up_to} | {states} | {first.get(each.stream, '')} |")
    return Page("\n".join(lines), _picture(con), streams, first)


def spelled_stretch(found: Progress) -> tuple[str, str]:
    """From when and up to when a stream is complete, in words."""
    if found.stretch is None:
        return "nothing yet", ""
    return hour_key(found.stretch.start), hour_key(found.stretch.end)


def write_page(settings: Settings, page: Page, moment: datetime) -> Path:
    """Write completeness.md, and its picture beside it, into the data folder; returns the page's path."""
    path = settings.data_dir / "completeness.md"
    path.with_suffix(".svg").write_text(page.picture)
    path.write_text(
        f"# Completeness\n\nAs of {moment:%Y-%m-%d %H:%M} UTC; hours are UTC, ends are not included.\n\n"
        f"{page.table}\n\n"
        f"![state by hour and data type](completeness.svg)\n\n{_LEGEND}\n"
    )
    return path


def _picture(con: duckdb.DuckDBPyConnection) -> str:
    newest = (con.execute("select max(hour) from streams.completeness").fetchone() or (None,))[0]
    if newest is None:
        return heat_map([], [], lambda name, hour: ("", ""))
    hours = [newest - n * HOUR for n in range(_HOURS - 1, -1, -1)]
    found = {
        (name, hour): (state, trouble, rows)
        for name, hour, state, trouble, rows in con.execute(
            "select data_type, hour, state, trouble, rows_landed from streams.completeness where hour >= $1", [hours[0]]
        ).fetchall()
    }
    known = {name for name, _ in found}

    def cell(name: str, hour: datetime) -> tuple[str, str]:
        state, trouble, rows = found.get((name, hour), ("before the start", None, None))
        colour = _COLOURS.get(state, "white")
        if trouble and state != "missing":
            colour = _ORANGE if trouble == SILENT else _RED
        said = f"{state}, {trouble}" if trouble and state != "missing" else state
        return f'fill="{colour}"', said if rows is None else f"{said}, {rows:,} rows"

    return heat_map(hours, [each.name for each in DATA_TYPES if each.name in known], cell)
