"""Lands and loads streams in a process that is a machine of its own: what it shares is in the settings."""

import sys
from dataclasses import replace

from iterable_pipelines.api import LIMITS, Iterable, Ledger
from iterable_pipelines.database import database_of
from iterable_pipelines.hours import HOUR, iterate_hours, parse_hour
from iterable_pipelines.landing import Manifest, land_hours
from iterable_pipelines.settings import load_settings
from iterable_pipelines.streams import Warehouse, load_hours

# how long a second of a limit lasts, here and in the sandbox
PACE = 0.02
SCALED = {name: replace(limit, seconds=limit.seconds * PACE) for name, limit in LIMITS.items()}


def main(run_id: str, streams: list[str]) -> None:
    """Land one stream after the other, then load them all."""
    settings = load_settings()
    start = parse_hour("2026-11-01")
    hours = list(iterate_hours(start, start + 6 * HOUR))
    ledger = Ledger(database_of(settings, "ledger", settings.ledger_path), limits=SCALED)
    client = Iterable(settings.required_api_key(), settings.url, ledger)
    manifest, warehouse = Manifest.of(settings), Warehouse.of(settings)
    warehouse.prepare()
    for stream in streams:
        land_hours(client, manifest, settings, stream, hours, run_id)
    for stream in streams:
        load_hours(warehouse, manifest, settings, stream, hours, run_id)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
