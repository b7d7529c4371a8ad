"""The small tables that processes share (manifest, ledger, tombstones): in a SQLite file, or in PostgreSQL.

SQL is written as both take it: `?` for a value, `on conflict`, `returning`, an alias for every subquery. Tables are
declared as SQLite's; what PostgreSQL calls otherwise is put right behind this door (shared_database.py).
"""

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from iterable_pipelines.sqlite_file import private_sqlite_file, sqlite_file

if TYPE_CHECKING:
    from iterable_pipelines.settings import Settings

T = TypeVar("T")
_PATIENCE = 60.0


class Connection(Protocol):
    """What there is to do with either: run SQL. What comes back has `fetchone`, `fetchall` and `rowcount`."""

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> Any:
        """Run one statement."""

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> Any:
        """Run one statement for each row; `rowcount` of what comes back is that of all together."""


class Database(Protocol):
    """Tables of one purpose, and how they are reached."""

    @property
    def shared(self) -> bool:
        """Whether other machines may write to it."""

    def make(self, schema: Iterable[str]) -> None:
        """Make the tables that are not there yet."""

    def exists(self) -> bool:
        """Whether there can be any tables: False where nothing was ever made."""

    def connection(self) -> AbstractContextManager[Connection]:
        """A connection for reading, or for one statement; closed at the end."""

    def transaction(self) -> AbstractContextManager[Connection]:
        """A connection within one transaction that no other writer comes between; undone by any error."""

    def run(self, do: Callable[[Connection], T]) -> T:
        """A transaction with what `do` does. Where the connection may be lost, `do` may be called again."""

    def count_on(self, con: Connection, table: str, column: str) -> None:
        """Let a column that counts up go on from its largest number, after rows were written with their numbers."""

    def now(self, con: Connection) -> float:
        """Seconds since 1970 by the clock that all who share the tables go by."""


class SQLiteFile:
    """Tables in a file of this machine. Raises sqlite3.OperationalError when another writer keeps it for a minute."""

    shared = False

    def __init__(self, path: Path, *, durable: bool = True, private: bool = False) -> None:
        """`durable`: a commit survives a power loss. `private`: for its owner alone, who deletes for good."""
        self.path, self._durable, self._private = path, durable, private

    def make(self, schema: Iterable[str]) -> None:
        """Make the file too, with its folder."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                with self.connection() as con:
                    # each by itself: what is there already needs no lock
                    for statement in schema:
                        con.execute(statement)
                return
            except sqlite3.OperationalError as error:
                # two processes that make the file at once: switching to WAL does not wait by itself
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def exists(self) -> bool:
        return self.path.exists()

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        with (private_sqlite_file if self._private else sqlite_file)(self.path) as con:
            if not self._durable:
                con.execute("pragma synchronous = normal")
            yield con

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        with self.connection() as con:
            con.execute("begin immediate")
            yield con
            con.execute("commit")

    def run(self, do: Callable[[Connection], T]) -> T:
        with self.transaction() as con:
            return do(con)

    def count_on(self, con: Connection, table: str, column: str) -> None:
        """SQLite does so by itself."""

    def now(self, con: Connection) -> float:
        return time.time()


def database_of(
    settings: "Settings", purpose: str, path: Path, *, durable: bool = True, private: bool = False
) -> Database:
    """Where a project keeps the tables of a purpose: in PostgreSQL if it has one, else in the file at `path`.

    Raises SettingsError when the PostgreSQL database is that of another project.
    """
    if settings.postgres is None:
        return SQLiteFile(path, durable=durable, private=private)
    from iterable_pipelines.same_project import refuse_others
    from iterable_pipelines.shared_database import SharedDatabase

    url = settings.postgres.get_secret_value()
    refuse_others(settings, SharedDatabase(url, "project"))
    return SharedDatabase(url, purpose)
