"""A mark beside a file from which rows were deleted, and that was not written anew yet: a killed erasure leaves it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from iterable_pipelines.file_store import sync

ENDING = ".unfinished"


def is_unfinished(path: Path) -> bool:
    """Whether a killed erasure has left its mark."""
    return _mark(path).exists()


@contextmanager
def unfinished(path: Path) -> Iterator[None]:
    """Mark `path` until the block ends well.

    Deleted rows stay in their blocks: after a kill nobody could tell from the live rows that the file is not clean.
    """
    _mark(path).touch(mode=0o600)
    sync(path.parent)
    yield
    _mark(path).unlink()


def _mark(path: Path) -> Path:
    return path.with_name(f"{path.name}{ENDING}")
