"""What has landed and is loaded, and what is missing, asked of the manifest and of the load log."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import duckdb

from iterable_pipelines.hours import HOUR, contiguous, hour_key, now
from iterable_pipelines.landing import Manifest
from iterable_pipelines.landing.lateness import settle_delay
from iterable_pipelines.landing.passes import due_pass
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse, WarehouseLocked

Loads = dict[tuple[str, datetime], str]


@dataclass
class Completeness:
    """The state of some hours of one stream: the hours at fault, per data type."""

    stream: str
    not_landed: dict[str, list[datetime]] = field(default_factory=dict)
    not_loaded: dict[str, list[datetime]] = field(default_factory=dict)
    # these hold all that could be had when they were fetched, and are fetched once more when they are older
    not_settled: dict[str, list[datetime]] = field(default_factory=dict)

    @property
    def behind(self) -> set[datetime]:
        """Hours that lack something."""
        return {hour for each in (self.not_landed, self.not_loaded) for hours in each.values() for hour in hours}

    def lines(self) -> list[str]:
        """What is missing, a line for all data types that lack the same hours."""
        found: dict[str, list[str]] = {}
        for what, missing in (("not landed", self.not_landed), ("landed but not loaded", self.not_loaded)):
            for data_type, hours in missing.items():
                found.setdefault(f"{what}, {spelled(hours)}", []).append(data_type)
        return [f"{self.stream}, {what}: {', '.join(names)}" for what, names in found.items()]


def loads_of(settings: Settings) -> Loads:
    """The digest of each loaded hour and data type; empty before the first import.

    While another program has the warehouse, the copy for readers is asked, which may be an hour behind.
    """
    sql = "select data_type, hour, digest from streams.loads"
    rows: list[tuple[str, datetime, str]] = []
    if settings.warehouse_path.exists():
        warehouse = Warehouse(settings.warehouse_path, settings.published_path, wait_seconds=3, log=_unheard)
        try:
            warehouse.prepare()
            rows = warehouse.read(sql)
        except WarehouseLocked:
            if not settings.published_path.exists():
                raise
            with duckdb.connect(settings.published_path, read_only=True) as con:
                rows = con.execute(sql).fetchall()
    return {(data_type, hour.replace(tzinfo=UTC)): digest for data_type, hour, digest in rows}


def completeness(
    settings: Settings, manifest: Manifest, loads: Loads, stream: str, hours: Iterable[datetime]
) -> Completeness:
    """The state of `hours` of a stream."""
    found, wanted = Completeness(stream), list(hours)
    for data_type in settings.enabled_data_types(stream):
        parts, settle = manifest.current(data_type, wanted), settle_delay(manifest, settings, data_type)
        for hour in wanted:
            part = parts.get(hour)
            if part is None:
                found.not_landed.setdefault(data_type, []).append(hour)
                continue
            if loads.get((data_type, hour)) != part.digest:
                found.not_loaded.setdefault(data_type, []).append(hour)
            if due_pass(hour, part.fetched_at, now(), settle):
                found.not_settled.setdefault(data_type, []).append(hour)
    return found


def spelled(hours: list[datetime]) -> str:
    """Hours as the fewest spans, ends not included: 2026-11-01T03 to 2026-11-01T05."""
    spans = [
        hour_key(each.start) + (f" to {hour_key(each.end)}" if each.end - each.start > HOUR else "")
        for each in contiguous(hours)
    ]
    return ", ".join(spans[:3]) + (f" and {len(spans) - 3} more spans" if len(spans) > 3 else "")


def _unheard(text: str) -> None:
    """Nobody waits long enough here to be told."""
