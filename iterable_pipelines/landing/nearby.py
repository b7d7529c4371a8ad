"""Landed files on this machine, for as long as a step needs them: themselves, or copies of an object store's."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from iterable_pipelines.file_store import FileStore
from iterable_pipelines.landing.scratch import scratch_folder
from iterable_pipelines.settings import Settings

_FILES_AT_ONCE = 500


@dataclass(frozen=True)
class Nearby:
    """The landing folder as this machine sees it: `root` is the folder itself, or what copies come to."""

    store: FileStore
    root: Path

    def files(self, names: Iterable[str]) -> list[Path]:
        """The files of these names; copied if they are not here yet. Raises FileNotFoundError, OSError."""
        return self.store.here(names, self.root)

    def path(self, name: str) -> Path:
        """Where the file is, or will be once it is asked for."""
        return self.root / name

    def name_of(self, path: Path) -> str:
        """The name of a file that is here."""
        return path.relative_to(self.root).as_posix()


@contextmanager
def landed_here(settings: Settings) -> Iterator[Nearby]:
    """A step's view of landing; copies are gone at its end."""
    store = FileStore.of(settings)
    if store.folder:
        yield Nearby(store, store.folder)
        return
    with scratch_folder(settings.landing_dir, "nearby-") as scratch:
        yield Nearby(store, scratch)


def landed_batches(settings: Settings, names: Sequence[str]) -> Iterator[tuple[Nearby, list[Path]]]:
    """The files of these names: all at once where they lie here, else so many that their copies fit on a disk."""
    step = len(names) if FileStore.of(settings).folder else _FILES_AT_ONCE
    for at in range(0, len(names), step or 1):
        with landed_here(settings) as near:
            yield near, near.files(names[at : at + step])
