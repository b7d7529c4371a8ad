"""What a place that holds persons must offer, so that they can be erased from it (all of them: stores.py)."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from iterable_pipelines.erasure.persons import Persons
from iterable_pipelines.settings import Settings

Log = Callable[[str], None]


@dataclass(frozen=True)
class Erased:
    """What was taken out of one file or table: how many rows of the person's own, and how many rows of others that
    named the person and now say `erased` instead; the bytes of the file before and after."""

    place: str
    rows: int
    bytes_before: int = 0
    bytes_after: int = 0
    mentions: int = 0


class Store(Protocol):
    """A place that holds persons. Both functions may be killed anywhere and run again."""

    name: str

    def identifiers(self, settings: Settings, scratch: Path) -> list[Path]:
        """Parquet files in `scratch` with the VARCHAR columns email, user_id and itbl_user_id: which of them stand
        together in one record of this store, each combination once, spelled as they are. None for an empty store."""
        ...

    def erase(self, settings: Settings, persons: Persons, log: Log) -> list[Erased]:
        """Take `persons` out of every byte. Raises StoreBusy if somebody holds the store."""
        ...
