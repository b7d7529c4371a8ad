"""Track calls that were written down and have not been delivered: a person's go, the others go out as they are."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from iterable_pipelines.erasure.errors import Failures, StoreBusy
from iterable_pipelines.erasure.files import erase_from_file, find_in_files
from iterable_pipelines.erasure.named import Named
from iterable_pipelines.erasure.persons import Persons
from iterable_pipelines.erasure.store import Erased, Log
from iterable_pipelines.settings import Settings, SettingsError
from iterable_pipelines.track_calls.declaration import FOLDER, load_destinations, outbox_path
from iterable_pipelines.track_calls.ledger import Ledger

_PATIENCE = 10.0


class TrackCalls:
    """Each destination's ledger, and its folder of batches that wait, which may lie on the receiver's disk."""

    name = "track calls"

    def identifiers(self, settings: Settings, scratch: Path) -> list[Path]:
        """Whom calls are of that wait. Raises StoreBusy for files that cannot be read, once the others are."""
        files = [each for ledger, outbox in _destinations(settings).items() for each in _files(ledger, outbox)]
        return find_in_files(files, scratch / "track_calls.parquet", settings.memory_limit)

    def erase(self, settings: Settings, persons: Persons, log: Log) -> list[Erased]:
        """Take their lines out of batches, and their names out of what a receiver said. Raises StoreBusy for those that
        a run is sending to, once the others are done."""
        named, erased, failures = Named.of(persons), list[Erased](), Failures()
        for ledger, outbox in _destinations(settings).items():
            with failures.of(f"{FOLDER}/{ledger.name}"), _held(ledger):
                for file, place in _files(ledger, outbox):
                    done = erase_from_file(file, persons, named, place, settings.memory_limit)
                    erased += [done] if done else []
                _count_again(Ledger(ledger), outbox)
        failures.tell(erased=erased)
        return erased


def _destinations(settings: Settings) -> dict[Path, Path]:
    """Ledger and outbox of each destination, of those that have no file any more, too."""
    folder = settings.data_dir / FOLDER
    try:
        declared = {each.name: outbox_path(settings, each) for each in load_destinations(settings)}
    except SettingsError:
        raise StoreBusy(f"{FOLDER}: a file of it cannot be read; correct it, and run this again") from None
    return {ledger: declared.get(ledger.stem, folder / ledger.stem) for ledger in sorted(folder.glob("*.db"))}


def _files(ledger: Path, outbox: Path) -> list[tuple[Path, str]]:
    batches = sorted(each for each in outbox.glob("*") if each.is_file())
    return [(file, f"{FOLDER}/{file.name}") for file in (ledger, *batches)]


@contextmanager
def _held(ledger: Path) -> Iterator[None]:
    """Keep whoever sends to this destination out. Raises StoreBusy."""
    try:
        with FileLock(ledger.with_suffix(".lock"), timeout=_PATIENCE, mode=0o600):
            yield
    except Timeout:
        raise StoreBusy(f"{FOLDER}/{ledger.name}: a run is sending to this destination") from None


def _count_again(ledger: Ledger, outbox: Path) -> None:
    """Batches that have fewer calls now; one that has none is done."""
    for each in ledger.waiting():
        file = outbox / f"{each.number:09}.ndjson"
        if not file.exists():
            continue
        with file.open("rb") as lines:
            left = sum(1 for _ in lines)
        if left < each.calls:
            ledger.recount(each.number, left)
        if not left:
            ledger.done(each.number)
            file.unlink()
