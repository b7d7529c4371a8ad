"""What assets are handed: the way to Iterable, with the key as an environment variable and in no other form."""

import os
from collections.abc import Callable

import dagster as dg

from iterable_pipelines.api import Iterable, Ledger, Patience, Priority
from iterable_pipelines.hours import hour_key
from iterable_pipelines.landing.manifest import Manifest
from iterable_pipelines.settings import STARTED, Settings, load_settings
from iterable_pipelines.streams.warehouse import Warehouse

KEY_VARIABLE = "ITERABLE_API_KEY"


class IterableResource(dg.ConfigurableResource["IterableResource"]):
    """Iterable's API with the project's settings. A literal key is refused: it would be shown by the UI's own API."""

    api_key: str

    def __init__(self, **values: object) -> None:
        """Raises DagsterInvalidDefinitionError unless `api_key` is EnvVar("ITERABLE_API_KEY")."""
        given = values.get("api_key")
        # Dagster makes the resource anew at run time, with what the variable holds
        if not isinstance(given, dg.EnvVar) and given != os.environ.get(KEY_VARIABLE):
            raise dg.DagsterInvalidDefinitionError(
                "the Iterable key must not stand in code or run config, where anybody can read it: "
                f'write IterableResource(api_key=dg.EnvVar("{KEY_VARIABLE}")) and revoke the key that was written out'
            )
        super().__init__(**values)

    def client(
        self, log: Callable[[str], None], priority: Priority = Priority.HOURLY, patience: Patience | None = None
    ) -> Iterable:
        """A client that shares the ledger of limits with every other process of this project."""
        settings = load_settings()
        ledger = Ledger.of(settings)
        return Iterable(self.api_key, settings.url, ledger, log=log, patience=patience, priority=priority)


def open_project(log: Callable[[str], None]) -> tuple[Settings, Manifest, Warehouse]:
    """The settings, the manifest and the warehouse of this project, made if they are not there yet."""
    settings = load_settings()
    manifest = Manifest.of(settings)
    started = settings.data_dir / STARTED
    if not started.exists():
        started.write_text(hour_key(settings.start_date))
    return settings, manifest, Warehouse.of(settings, log)
