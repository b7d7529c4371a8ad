"""Folders for downloads on their way: beside the landed files, and tidied up after processes that were killed."""

import errno
import glob
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SPARE_BYTES = 256 * 1024 * 1024


@contextmanager
def scratch_folder(landing_dir: Path, purpose: str = "") -> Iterator[Path]:
    """An empty folder that is gone at the end. Raises OSError when the disk is nearly full."""
    # beside the files, so that a rename never crosses file systems
    root = landing_dir / "scratch"
    root.mkdir(parents=True, exist_ok=True)
    check_space(landing_dir)
    with tempfile.TemporaryDirectory(dir=root, prefix=f"{os.getpid()}-{purpose}") as folder:
        yield Path(folder)


@contextmanager
def scratch_beside(file: Path) -> Iterator[Path]:
    """A scratch folder on the same disk as `file`, so that a finished file can be renamed into its place."""
    for left in file.parent.glob(f".{glob.escape(file.name)}.*.part"):
        # a killed process cannot tidy up after itself, so the next one does
        if is_orphaned(left.name.split(".")[-3]):
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(".part", f".{file.name}.{os.getpid()}.", file.parent) as folder:
        yield Path(folder)


def sweep(landing_dir: Path) -> None:
    """Remove what killed processes have left: they cannot tidy up after themselves, so the next one does."""
    root = landing_dir / "scratch"
    for left in root.iterdir() if root.exists() else ():
        if is_orphaned(left.name.partition("-")[0]):
            shutil.rmtree(left, ignore_errors=True)


def is_orphaned(owner: str) -> bool:
    """Whether `owner`, as a folder's name has it, is the id of a process that is not there any more."""
    return owner.isdigit() and not Path(f"/proc/{owner}").exists() and Path("/proc/self").exists()


def check_space(folder: Path, more: int = 0) -> None:
    """Raise OSError (ENOSPC) unless `more` bytes fit on the disk of `folder` and leave some room."""
    free, needed = shutil.disk_usage(folder).free, _SPARE_BYTES + more
    if free < needed:
        raise OSError(errno.ENOSPC, f"only {free // 2**20} MiB are free, {needed // 2**20} MiB are needed", str(folder))
