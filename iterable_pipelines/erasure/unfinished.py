"""A mark beside a file from which rows were deleted, and that was not written anew yet: a killed erasure leaves it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from iterable_pipelines.landing.cut import sync

ENDING = ".erasing"


@contextmanager
def unfinished(path: Path) -> Iterator[bool]:
    """Mark `path` until the block ends well; says whether it was marked before, so that all of it must be done again.

    Deleted rows stay in their blocks: after a kill nobody could tell from the live rows that the file is not clean.
    """
    mark = path.with_name(f"{path.name}{ENDING}")
    before = mark.exists()
    mark.touch(mode=0o600)
    sync(path.parent)
    yield before
    mark.unlink()
