"""Moves the spool into landing and loads it, in a process of its own, so that a test may kill it."""

from iterable_pipelines.landing import Manifest
from iterable_pipelines.settings import load_settings
from iterable_pipelines.streams import Warehouse
from iterable_pipelines.streams.webhooks import load_webhooks
from iterable_pipelines.webhooks.land import land
from iterable_pipelines.webhooks.spool import Spool


def main() -> None:
    """The settings come from the environment, as in any process of the project."""
    settings = load_settings()
    manifest, warehouse = Manifest(settings.landing_dir), Warehouse.of(settings)
    warehouse.prepare()
    land(Spool(settings.spool_path), manifest, settings, "run")
    load_webhooks(warehouse, manifest, settings, "run")


if __name__ == "__main__":
    main()
