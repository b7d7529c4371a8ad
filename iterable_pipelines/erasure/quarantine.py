"""Downloads in quarantine: text as it came, one record a line, some of them unreadable."""

from pathlib import Path

from iterable_pipelines.erasure.errors import Failures
from iterable_pipelines.erasure.files import erase_from_file, find_in_files
from iterable_pipelines.erasure.named import Named
from iterable_pipelines.erasure.persons import Persons
from iterable_pipelines.erasure.store import Erased, Log
from iterable_pipelines.landing.cut import faults
from iterable_pipelines.landing.manifest import Manifest
from iterable_pipelines.landing.nearby import Nearby, landed_here
from iterable_pipelines.settings import Settings


class QuarantinedDownloads:
    """`landing/quarantine`: NDJSON as Iterable sent it, until somebody accepts its loss."""

    name = "quarantine"

    def identifiers(self, settings: Settings, scratch: Path) -> list[Path]:
        """Who its readable records are about, and every address in any line. Raises StoreBusy."""
        with landed_here(settings) as near:
            files = _files(near)
            return find_in_files(files, scratch / "quarantine.parquet", settings.memory_limit) if files else []

    def erase(self, settings: Settings, persons: Persons, log: Log) -> list[Erased]:
        """Take out the lines of the persons; a line that only names one, or cannot be read, says `erased` instead.

        Raises StoreBusy for files that cannot be read, once the others are done."""
        named, erased, failures = Named.of(persons), list[Erased](), Failures()
        with landed_here(settings) as near:
            for file, place in _files(near):
                with failures.of(place):
                    if done := erase_from_file(file, persons, named, place, settings.memory_limit):
                        _tell_manifest(settings, file, near.name_of(file))
                        if near.store.folder is None:
                            near.store.put(file, near.name_of(file))
                        erased.append(done)
        failures.tell(erased=erased)
        return erased


def _files(near: Nearby) -> list[tuple[Path, str]]:
    names = [name for name in near.store.names("quarantine") if name.endswith(".ndjson")]
    return [(file, f"landing/{name}") for file, name in zip(near.files(names), names, strict=True)]


def _tell_manifest(settings: Settings, file: Path, name: str) -> None:
    # the line that cannot be read stands elsewhere now
    fault = next(faults([file]), None)
    if fault:
        line, offset, _ = fault.fault
        with Manifest.of(settings).transaction() as con:
            con.execute("update quarantine set line = ?, byte_offset = ? where path = ?", (line, offset, name))
