"""The warehouse's one door: file lock, connect, one transaction, close. Nothing else writes to the DuckDB file."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
from filelock import FileLock, Timeout

from iterable_pipelines.lake.engine import change_engine, other_engine
from iterable_pipelines.lake.layout import Lake
from iterable_pipelines.objects.tables import create_statements as create_objects
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams.lake import create_views
from iterable_pipelines.streams.tables import create_statements as create_streams

# how long a transaction waits for whoever holds the file
_WAIT_SECONDS = 600.0
_NOTICE_SECONDS = 60.0
# bytes, on a disk of the slower kind
_COPIED_A_SECOND = 200_000_000


class WarehouseFailed(Exception):
    """DuckDB could not do what was asked. Nothing of the transaction is stored."""


class WarehouseLocked(WarehouseFailed):
    """Another process holds the warehouse for longer than the wait allows. Worth trying again later."""


class Warehouse:
    """One DuckDB file. Readers and writers of different processes exclude each other, so every opening is short."""

    def __init__(
        self,
        path: Path,
        published: Path,
        memory_limit: str = "1GB",
        wait_seconds: float = _WAIT_SECONDS,
        log: Callable[[str], None] = print,
        lake: Lake | None = None,
    ) -> None:
        """`wait_seconds` bounds how long `transaction` waits for whoever holds the file; events may lie in a `lake`."""
        self.path, self.published, self.lake = path, published, lake
        self.memory_limit, self.wait_seconds, self.log = memory_limit, wait_seconds, log
        # within this process the lock may be taken again, so that a transaction may run inside `locked`
        self._lock = FileLock(str(path) + ".lock", mode=0o600)

    @classmethod
    def of(
        cls, settings: Settings, log: Callable[[str], None] = print, wait_seconds: float = _WAIT_SECONDS
    ) -> "Warehouse":
        """The warehouse of a project."""
        paths = (settings.warehouse_path, settings.published_path)
        return cls(*paths, settings.memory_limit, wait_seconds, log, Lake.of(settings))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other process of this project out; dbt runs behind this."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        deadline = time.monotonic() + self.wait_seconds
        while True:
            try:
                self._lock.acquire(timeout=max(0.0, min(_NOTICE_SECONDS, deadline - time.monotonic())))
                break
            except Timeout:
                if time.monotonic() >= deadline:
                    raise WarehouseLocked(self._locked_text("another run of this project")) from None
                self.log(f"waiting for {self.path}: another run of this project has it")
        try:
            yield
        finally:
            self._lock.release()

    @contextmanager
    def transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """One transaction on a fresh connection: committed at the end, rolled back on any error, closed either way.

        Raises WarehouseLocked when somebody else keeps the file open, WarehouseFailed for a full disk or a file of a
        newer DuckDB.
        """
        with self.locked():
            con = self._connect()
            try:
                con.execute("begin")
                yield con
                con.execute("commit")
            except duckdb.Error as error:
                raise self._explained(error) from error
            finally:
                # closing an open transaction rolls it back
                con.close()

    def prepare(self) -> None:
        """Make every table of the schemas `streams` and `objects` that is not there yet.

        Raises WarehouseFailed where the other engine has written it.
        """
        with self.transaction() as con:
            if other_engine(con, self.engine):
                raise WarehouseFailed(
                    f"{self.path} was written with another ITERABLE_ENGINE than {self.engine}. Nothing was changed. "
                    "Next: iterable-pipelines rebuild, which makes all of it anew from what has landed, or set "
                    "ITERABLE_ENGINE back"
                )
            for statement in [*create_streams(events=self.lake is None), *create_objects()]:
                con.execute(statement)
            if self.lake:
                create_views(con, self.lake)

    @property
    def engine(self) -> str:
        """The engine that it is written for."""
        return "spark" if self.lake else "duckdb"

    def is_of_other_engine(self) -> bool:
        """Whether the other engine has written it."""
        with self.transaction() as con:
            return other_engine(con, self.engine)

    def change_engine(self) -> None:
        """Let go of what the other engine has made; all of it can be made anew from landing."""
        with self.transaction() as con:
            change_engine(con, self.engine)

    def read(self, sql: str, parameters: list[object] | None = None) -> list[tuple]:  # type: ignore[type-arg]
        """All rows of a small query, through the same door."""
        with self.transaction() as con:
            return con.execute(sql, parameters or []).fetchall()

    def copy_is_due(self) -> bool:
        """Whether the copy for readers is so old that a new one keeps the disk busy a tenth of the time at most."""
        if not self.published.exists():
            return True
        age = time.time() - self.published.stat().st_mtime
        return age >= 10 * self.path.stat().st_size / _COPIED_A_SECOND

    def publish(self) -> Path:
        """Put a copy for readers beside the warehouse, swapped by rename: open readers keep the copy they have."""
        with self.locked():
            con = self._connect()
            try:
                con.execute("checkpoint")
            except duckdb.Error as error:
                raise self._explained(error) from error
            finally:
                con.close()
            fresh = self.published.with_suffix(".publishing")
            shutil.copyfile(self.path, fresh)
            os.chmod(fresh, 0o600)
            os.replace(fresh, self.published)
        return self.published

    def _connect(self) -> duckdb.DuckDBPyConnection:
        deadline = time.monotonic() + self.wait_seconds
        noticed = time.monotonic()
        while True:
            try:
                con = duckdb.connect(self.path, config={"memory_limit": self.memory_limit})
                break
            except duckdb.IOException as error:
                if "Could not set lock" not in str(error):
                    raise self._explained(error) from error
                if time.monotonic() >= deadline:
                    raise WarehouseLocked(self._locked_text(_holder(error))) from error
                if time.monotonic() - noticed > _NOTICE_SECONDS:
                    noticed = time.monotonic()
                    self.log(f"waiting for {self.path}: {_holder(error)} has it open")
                time.sleep(0.2)
            except duckdb.Error as error:
                raise self._explained(error) from error
        os.chmod(self.path, 0o600)
        if self.lake:
            self.lake.open_for(con)
        con.execute("set preserve_insertion_order = false")
        con.execute("set timezone = 'UTC'")
        return con

    def _locked_text(self, holder: str) -> str:
        instead = "" if self.published == self.path else f", point it at {self.published},"
        return (
            f"{self.path} is held by {holder} for more than {self.wait_seconds:.0f} s. Stored data is safe and "
            f"what was downloaded is kept. Next: close that program{instead} and run this again"
        )

    def _explained(self, error: duckdb.Error) -> WarehouseFailed:
        text = str(error)
        if "No space left" in text or "could not write" in text.lower() or isinstance(error, duckdb.FatalException):
            cause = f"the disk of {self.path.parent} is full or failing ({_first_line(error)}); free space outside it"
        elif "version number" in text:
            cause = f"{self.path} was written by another DuckDB than {duckdb.__version__} ({_first_line(error)})"
        elif isinstance(error, duckdb.OutOfMemoryException):
            cause = f"{self.memory_limit} of memory are not enough ({_first_line(error)}); raise ITERABLE_MEMORY_LIMIT"
        else:
            cause = f"{type(error).__name__}: {_first_line(error)}"
        return WarehouseFailed(f"{cause}. Stored data is safe, nothing of this step is stored. Next: run it again")


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def _holder(error: Exception) -> str:
    _, marker, rest = str(error).partition("Conflicting lock is held in ")
    return rest.partition(". ")[0].partition("See also")[0].strip() if marker else "another program"
