"""Webhooks that were received and have not landed: whole bodies of a person's go, while the receiver goes on."""

from pathlib import Path

from iterable_pipelines.erasure.files import find_in_files
from iterable_pipelines.erasure.named import Named
from iterable_pipelines.erasure.persons import Persons
from iterable_pipelines.erasure.sqlite_rows import erase_from_sqlite
from iterable_pipelines.erasure.store import Erased, Log
from iterable_pipelines.settings import Settings

_PLACE = "webhooks/spool.db"


class SpooledWebhooks:
    """`webhooks/spool.db`, the bodies that were put aside among them. The file stays the same one: who adds to it keeps
    it open.
    """

    name = "spool"

    def identifiers(self, settings: Settings, scratch: Path) -> list[Path]:
        """Whom bodies are of, and the addresses in them. Raises StoreBusy."""
        if not settings.spool_path.exists():
            return []
        return find_in_files([(settings.spool_path, _PLACE)], scratch / "spool.parquet", settings.memory_limit)

    def erase(self, settings: Settings, persons: Persons, log: Log) -> list[Erased]:
        """Delete and overwrite. Raises StoreBusy."""
        if not settings.spool_path.exists():
            return []
        return [erase_from_sqlite(settings.spool_path, Named.of(persons), _PLACE, own=("raw",))]
