"""Every other file below the data folder, whoever wrote it: exports, tables of imports, Dagster's home, logs."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

from iterable_pipelines.activation.state import FOLDER as STATES
from iterable_pipelines.erasure.errors import Failures
from iterable_pipelines.erasure.files import PART, erase_from_file, find_in_files, name_and_ending
from iterable_pipelines.erasure.named import Named
from iterable_pipelines.erasure.persons import Persons
from iterable_pipelines.erasure.store import Erased, Log
from iterable_pipelines.erasure.unfinished import ENDING
from iterable_pipelines.erasure.warehouse import leftovers
from iterable_pipelines.file_store import is_remote, sync
from iterable_pipelines.lake.layout import Lake
from iterable_pipelines.settings import Settings
from iterable_pipelines.track_calls.declaration import FOLDER as TRACK_CALLS

# locks are empty, and what stands beside a SQLite or DuckDB file is taken care of with it
_BESIDE = (".lock", "-wal", "-shm", "-journal", ".wal", ENDING)


class OtherFiles:
    """What no store of its own knows. A store that is new is found here, until it has one."""

    name = "other files"

    def identifiers(self, settings: Settings, scratch: Path) -> list[Path]:
        """Whom lines, rows and records name. Raises StoreBusy for files that cannot be read, once the others are."""
        files = ((path, _place(settings, path)) for path in _files(settings))
        return find_in_files(files, scratch / "other_files.parquet", settings.memory_limit)

    def erase(self, settings: Settings, persons: Persons, log: Log) -> list[Erased]:
        """Go through all of them. Raises StoreBusy for those that cannot be erased, once the others are done."""
        for left in settings.data_dir.rglob(f".*{PART}"):
            left.unlink()
        named, erased, failures = Named.of(persons), list[Erased](), Failures()
        for path in _files(settings):
            stem, ending = name_and_ending(path)
            clean = named.without(stem) + ending
            place = _place(settings, path.with_name(clean))
            with failures.of(place):
                done = erase_from_file(path, persons, named, place, settings.memory_limit)
                erased += [done] if done and (done.rows or done.mentions) else []
                if clean != path.name:
                    _rename(path, clean)
                    erased.append(Erased(place, 0, mentions=1))
        failures.tell(erased=erased)
        return erased


def _files(settings: Settings) -> Iterator[Path]:
    """What is left over by the stores that know their files."""
    # what a run that is at work writes beside the warehouse is nobody else's to touch
    known = {
        settings.landing_dir / "manifest.db",
        settings.warehouse_path,
        settings.published_path,
        settings.spool_path,
        *leftovers(settings),
    }
    # files of an object store may have lain in the data folder once, before they moved
    landing = settings.landing_dir / "scratch" if is_remote(settings.landing_root) else settings.landing_dir
    folders = [landing, settings.data_dir / "erasure", settings.data_dir / TRACK_CALLS]
    # Spark's list of tables and partitions, which names nobody: as text it would take minutes
    folders.append(settings.data_dir / "spark" / "metastore")
    lake = Lake.with_persons(settings)
    if lake and lake.files.folder:
        folders.append(lake.files.folder)
    for path in sorted(settings.data_dir.rglob("*")):
        if path.is_symlink() or not path.is_file() or path.name.endswith(_BESIDE):
            continue
        if known & {path, *path.parents} or any(path.is_relative_to(folder) for folder in folders):
            continue
        if path.parent == settings.data_dir / STATES and path.suffix == ".duckdb":
            continue
        yield path


def _rename(path: Path, name: str) -> None:
    """A file that somebody named after a person, such as the export of one user's events, is named otherwise."""
    free = (path.with_name(f"{number}-{name}" if number else name) for number in count())
    path.rename(next(each for each in free if not each.exists()))
    sync(path.parent)


def _place(settings: Settings, path: Path) -> str:
    return str(path.relative_to(settings.data_dir))
