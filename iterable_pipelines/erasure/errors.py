"""What stops an erasure. Identifiers never stand in these texts: only counts, files and hashes."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

if TYPE_CHECKING:
    from iterable_pipelines.erasure.store import Erased


class ErasureFailed(Exception):
    """An erasure could not go on. Tombstones are written; the next run finishes what this one began.

    `found` and `erased` are what a store did all the same (store.py).
    """

    def __init__(self, text: str, found: Sequence[Path] = (), erased: "Sequence[Erased]" = ()) -> None:
        super().__init__(text)
        self.found, self.erased = found, erased


class ErasureRefused(ErasureFailed):
    """A guard says no: trying again gives the same answer."""


class AlreadyErasing(ErasureFailed):
    """Another erasure of this project is at work."""


class StoreBusy(ErasureFailed):
    """Somebody holds this store: the others are erased, and the next run comes back to it."""


def engine_failed(place: str, error: duckdb.Error) -> ErasureFailed:
    """What stopped DuckDB, without its own words, which may quote values."""
    return ErasureFailed(
        f"{place} could not be erased ({type(error).__name__}). Nothing of it is lost, and tombstones are written. "
        "Next: look after disk and memory, then: iterable-pipelines erase run"
    )


class Failures:
    """The files of a store that could not be read or erased: one of them keeps nobody from the others."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    @contextmanager
    def of(self, place: str) -> Iterator[None]:
        """Note what goes wrong in the block; a file that is gone meanwhile holds nobody."""
        try:
            yield
        except FileNotFoundError:
            return
        except ErasureFailed as failed:
            self._texts.append(str(failed))
        except (OSError, EOFError, duckdb.Error, sqlite3.Error, pa.ArrowException) as error:
            # their own words may quote values
            self._texts.append(
                f"{place} cannot be read ({type(error).__name__}), and is as it was. "
                "Next: mend or remove that file, then: iterable-pipelines erase run"
            )

    def tell(self, found: Sequence[Path] = (), erased: "Sequence[Erased]" = ()) -> None:
        """Raise StoreBusy if anything went wrong, with what was done all the same."""
        if self._texts:
            raise StoreBusy("; ".join(self._texts), found, erased)
