"""Landing somewhere else: every file and table copied and compared, and nothing of the old one changed.

What a run has copied already, the next one only compares, so it may be stopped and run any number of times.
"""

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from iterable_pipelines.file_store import FileStore
from iterable_pipelines.landing.move_tables import MoveFailed, copy_tables, named_files
from iterable_pipelines.landing.scratch import scratch_folder
from iterable_pipelines.same_project import MARK, mark_of
from iterable_pipelines.settings import Settings

_FOLDERS = ("events", "webhooks", "quarantine")
_AT_ONCE = 8


@dataclass(frozen=True)
class Copied:
    """How much lies at the new place now, copied by this run or an earlier one, and compared."""

    files: int
    bytes: int
    rows: int


def copy_landing(source: Settings, target: Settings, log: Callable[[str], None] = print) -> Copied:
    """Copy the files and tables of `source` to where `target` has them. Raises MoveFailed, OSError, PostgresFailed."""
    old, new = FileStore.of(source), FileStore.of(target)
    sizes = _sizes(old)
    if not _same_place(source, target):
        _copy_files(old, new, sizes, target.landing_dir, log)
    rows = copy_tables(source, target)
    if not _same_place(source, target):
        _refuse_missing(old, new, named_files(target))
    return Copied(len(sizes), sum(sizes.values()), rows)


def _same_place(source: Settings, target: Settings) -> bool:
    # the same bucket and folder at another server is another place
    return (source.landing_root, source.landing_options) == (target.landing_root, target.landing_options)


def _copy_files(
    old: FileStore, new: FileStore, sizes: dict[str, int], scratch_root: Path, log: Callable[[str], None]
) -> None:
    strange = sorted(_sizes(new).keys() - sizes.keys() - {MARK})
    if strange or (MARK in sizes and mark_of(new) not in (None, mark_of(old))):
        found = new.url(strange[0] if strange else MARK)
        raise MoveFailed(
            f"{found} is there, and {old.url()} has nothing like it: the new place holds another landing, or "
            "has gone on since it was copied, or an erasure or retention has been at the old place since. Nothing "
            "was changed there.\nNext: name an empty folder, and remove what an earlier run of this command has "
            "copied: no erasure reaches it"
        )
    with scratch_folder(scratch_root, "move-") as scratch, ThreadPoolExecutor(_AT_ONCE) as pool:
        copies = pool.map(lambda name: _copy_file(old, new, name, scratch / uuid4().hex), sorted(sizes))
        for done, _ in enumerate(copies, 1):
            if done % 1000 == 0:
                log(f"{done:,} of {len(sizes):,} files are copied and compared")


def _refuse_missing(old: FileStore, new: FileStore, named: set[str]) -> None:
    """Raise MoveFailed if something has landed after the files were listed, and before the tables were copied."""
    missing = sorted(named - _sizes(new).keys())
    landed = sorted(set(missing).difference(old.missing(missing)))
    if landed:
        raise MoveFailed(
            f"{len(landed):,} files that the manifest names are not at the new place, such as {new.url(landed[0])}: "
            "imports, or the receiver of webhooks, are running. Nothing at the old place was changed, and all of them "
            "are there; do not use the new place yet.\n"
            "Next: stop imports and the receiver on every machine, then run the same command again"
        )


def _sizes(store: FileStore) -> dict[str, int]:
    found = {name: size for folder in _FOLDERS for name, size in store.sizes(folder).items()}
    return found | ({MARK: 0} if store.exists(MARK) else {})


def _copy_file(old: FileStore, new: FileStore, name: str, scratch: Path) -> None:
    wanted = _sha256(old, name, scratch)
    if not new.exists(name) or _sha256(new, name, scratch) != wanted:
        old.get(name, scratch)
        new.put(scratch, name)
        if _sha256(new, name, scratch) != wanted:
            raise MoveFailed(f"{new.url(name)} is not what {old.url(name)} is. Next: run it again")
    scratch.unlink()


def _sha256(store: FileStore, name: str, scratch: Path) -> str:
    store.get(name, scratch)
    with scratch.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
