"""Lands and loads six hours of one stream in a process of its own, so that a test may kill it."""

import sys

from iterable_pipelines.api import Iterable, Ledger
from iterable_pipelines.hours import HOUR, iterate_hours, parse_hour
from iterable_pipelines.landing import Manifest, land_hours
from iterable_pipelines.settings import load_settings
from iterable_pipelines.streams import Warehouse, load_hours


def main(stream: str) -> None:
    """The settings come from the environment, as in any process of the project."""
    settings = load_settings()
    start = parse_hour("2026-11-01")
    hours = list(iterate_hours(start, start + 6 * HOUR))
    client = Iterable(settings.required_api_key(), settings.url, Ledger(settings.ledger_path, relaxed=True))
    manifest, warehouse = Manifest(settings.landing_dir), Warehouse.of(settings)
    warehouse.prepare()
    land_hours(client, manifest, settings, stream, hours, "run")
    load_hours(warehouse, manifest, settings, stream, hours, "run")


if __name__ == "__main__":
    main(sys.argv[1])
