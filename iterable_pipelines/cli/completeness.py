"""What is complete, for commands: `streams.completeness`, brought up to date while the warehouse can be had."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

import duckdb

from iterable_pipelines.hours import HOUR, Window, contiguous, hour_key, now
from iterable_pipelines.landing import Manifest
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse, WarehouseLocked
from iterable_pipelines.streams.completeness import refresh, troubles
from iterable_pipelines.streams.tables import create_statements


@contextmanager
def completeness(
    settings: Settings, manifest: Manifest, since: datetime | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection on which `streams.completeness` is up to date, from `since` on whatever has happened.

    While another program has the warehouse, it is the copy for readers, which may be an hour behind; before the first
    import, a warehouse in memory, so that asking makes no file.
    """
    if not settings.warehouse_path.exists():
        with duckdb.connect(config={"memory_limit": settings.memory_limit}) as con:
            con.execute("set timezone = 'UTC'")
            for statement in create_statements():
                con.execute(statement)
            refresh(con, settings, manifest, now(), since=since)
            yield con
        return
    warehouse = Warehouse.of(settings, _unheard, wait_seconds=3)
    warehouse.memory_limit = settings.memory_limit
    try:
        warehouse.prepare()
    except WarehouseLocked:
        if not settings.published_path.exists():
            raise
        with duckdb.connect(settings.published_path, read_only=True) as con:
            yield con
        return
    with warehouse.transaction() as con:
        refresh(con, settings, manifest, now(), since=since)
        yield con


def lacking(
    settings: Settings, manifest: Manifest, streams: Sequence[str], window: Window, kinds: Sequence[str]
) -> list[str]:
    """What of these kinds is lacking in a window, a line for all data types of a stream that lack the same hours."""
    with completeness(settings, manifest, window.start) as con:
        found = troubles(con, streams, window, kinds)
    hours: dict[tuple[str, str, str], list[datetime]] = {}
    for each in found:
        for data_type in each.data_types:
            hours.setdefault((each.stream, each.kind, data_type), []).append(each.hour)
    lines: dict[str, list[str]] = {}
    for (stream, kind, data_type), those in hours.items():
        lines.setdefault(f"{stream}, {kind}, {spelled(those)}", []).append(data_type)
    return [f"{what}: {', '.join(names)}" for what, names in lines.items()]


def spelled(hours: list[datetime]) -> str:
    """Hours as the fewest spans, ends not included: 2026-11-01T03 to 2026-11-01T05."""
    spans = [
        hour_key(each.start) + (f" to {hour_key(each.end)}" if each.end - each.start > HOUR else "")
        for each in contiguous(hours)
    ]
    return ", ".join(spans[:3]) + (f" and {len(spans) - 3} more spans" if len(spans) > 3 else "")


def _unheard(text: str) -> None:
    """Nobody waits long enough here to be told."""
