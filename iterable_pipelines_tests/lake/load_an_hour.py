"""Loads an hour, or what webhooks told, into the lake in a process of its own, so that a test may kill it."""

import sys
from pathlib import Path

from iterable_pipelines.landing import Manifest
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse, load_hours
from iterable_pipelines.streams.webhooks import load_webhooks
from iterable_pipelines_tests.lake.conftest import H3


def main(data_dir: Path, stream: str) -> None:
    """The settings of a project with engine spark that lies there."""
    settings = Settings(data_dir=data_dir, start_date=H3, engine="spark")
    warehouse, manifest = Warehouse.of(settings), Manifest.of(settings)
    warehouse.prepare()
    if stream == "webhooks":
        load_webhooks(warehouse, manifest, settings, "killed")
    else:
        load_hours(warehouse, manifest, settings, stream, [H3], "killed")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
