"""Folders for downloads on their way: beside the landed files, and tidied up after processes that were killed.

Who uses a folder holds a lock in it, which ends with the process: its id means nothing to another container.
"""

import errno
import fcntl
import glob
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_SPARE_BYTES = 256 * 1024 * 1024
_LOCK = "in-use"


@contextmanager
def scratch_folder(landing_dir: Path, purpose: str = "step-") -> Iterator[Path]:
    """An empty folder that is gone at the end. Raises OSError when the disk is nearly full."""
    # beside the files, so that a rename never crosses file systems
    root = landing_dir / "scratch"
    root.mkdir(parents=True, exist_ok=True)
    check_space(landing_dir)
    with _folder_in_use(root, purpose) as folder:
        yield folder


@contextmanager
def scratch_beside(file: Path) -> Iterator[Path]:
    """A scratch folder on the same disk as `file`, so that a finished file can be renamed into its place."""
    for left in file.parent.glob(f".{glob.escape(file.name)}.*.part"):
        _remove_unused(left, left.name.split(".")[-3])
    with _folder_in_use(file.parent, f".{file.name}.scratch.", ".part") as folder:
        yield folder


def sweep(landing_dir: Path) -> None:
    """Remove what killed processes have left: they cannot tidy up after themselves, so the next one does."""
    root = landing_dir / "scratch"
    for left in root.iterdir() if root.exists() else ():
        _remove_unused(left, left.name.partition("-")[0])


@contextmanager
def _folder_in_use(root: Path, prefix: str, suffix: str = "") -> Iterator[Path]:
    outer, lock = _locked_folder(root, prefix, suffix)
    try:
        # the lock lies beside what is handed out: that is empty
        with tempfile.TemporaryDirectory(dir=outer) as folder:
            yield Path(folder)
    finally:
        shutil.rmtree(outer, ignore_errors=True)
        os.close(lock)


def _locked_folder(root: Path, prefix: str, suffix: str) -> tuple[Path, int]:
    while True:
        folder = Path(tempfile.mkdtemp(suffix, prefix, root))
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        if _lock(lock) and os.fstat(lock).st_nlink:
            return folder, lock
        # somebody swept between these steps: another one
        os.close(lock)


def _remove_unused(left: Path, owner: str) -> None:
    """Remove a scratch folder that nobody uses; `owner` is the process in its name, where an older version made it."""
    if not (left / _LOCK).exists():
        if owner.isdigit() and not Path(f"/proc/{owner}").exists() and Path("/proc/self").exists():
            shutil.rmtree(left, ignore_errors=True)
        return
    # it may be gone by now, or another user's
    with suppress(OSError):
        lock = os.open(left / _LOCK, os.O_RDWR)
        try:
            if _lock(lock):
                shutil.rmtree(left, ignore_errors=True)
        finally:
            os.close(lock)


def _lock(descriptor: int) -> bool:
    """Whether the lock is ours now; another process, or another step of this one, may hold it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def check_space(folder: Path, more: int = 0) -> None:
    """Raise OSError (ENOSPC) unless `more` bytes fit on the disk of `folder` and leave some room."""
    free, needed = shutil.disk_usage(folder).free, _SPARE_BYTES + more
    if free < needed:
        raise OSError(errno.ENOSPC, f"only {free // 2**20} MiB are free, {needed // 2**20} MiB are needed", str(folder))
