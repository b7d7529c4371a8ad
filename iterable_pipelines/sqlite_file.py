"""A SQLite file that several processes read and write: what is committed has reached the disk."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path


@contextmanager
def sqlite_file(path: Path, patience: float = 60.0) -> Iterator[sqlite3.Connection]:
    """A connection without a transaction of its own, closed at the end.

    `patience` is how many seconds it waits for another writer; after that sqlite3.OperationalError is raised.
    """
    with closing(sqlite3.connect(path, timeout=patience, isolation_level=None)) as con:
        con.execute("pragma journal_mode = wal")
        # some builds of SQLite leave out the sync of a commit in WAL mode
        con.execute("pragma synchronous = full")
        yield con


@contextmanager
def private_sqlite_file(path: Path) -> Iterator[sqlite3.Connection]:
    """The same for its owner alone, who deletes for good; made, with its folder, if it is not there."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        # before SQLite does: what lies beside the file has its mode
        path.touch(mode=0o600)
    with sqlite_file(path) as con:
        con.execute("pragma secure_delete = on")
        yield con
