"""The spool: every body that was answered with a 2xx, durable in SQLite until it has landed."""

import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from iterable_pipelines.sqlite_file import sqlite_file
from iterable_pipelines.webhooks.body import Body

# a body that breaks the loader so often is put aside, and the queue moves on
TRIES = 5
# what nothing takes away must not fill the disk: some ten million bodies
MOST_BYTES = 10 * 1024**3
# on a disk that is full to the brim nothing can be landed and removed either
SPARE_BYTES = 256 * 1024**2
_PATIENCE = 60.0
# whoever waits for a 2xx is told to come again, rather than kept waiting
_PATIENCE_KEPT_OPEN = 10.0

_SCHEMA = """
create table if not exists bodies (
    id integer primary key autoincrement,
    digest text not null unique,
    received_at text not null,
    raw blob not null,
    tries integer not null default 0,
    aside text
);
create index if not exists queue on bodies (id) where aside is null;
create index if not exists put_aside on bodies (aside) where aside is not null
"""


class SpoolFull(Exception):
    """The spool has grown to its bound, or the disk is nearly full; nothing was added."""


@dataclass(frozen=True)
class Spooled:
    """A body in the spool. `id` grows with arrival; `aside` is why it waits for a person, None while it is queued."""

    id: int
    digest: str
    received_at: datetime
    raw: bytes
    aside: str | None = None


@dataclass(frozen=True)
class Reason:
    """Why bodies were put aside, how many, and when the first of them came."""

    aside: str
    bodies: int
    first: datetime


@dataclass(frozen=True)
class Level:
    """How full the spool is: bodies queued, bodies put aside, bytes of disk in use, arrival of the oldest queued and of
    the newest of all.
    """

    queued: int
    aside: int
    bytes: int
    oldest: datetime | None
    newest: datetime | None = None


class Spool:
    """Bodies in the order of their arrival. Any process may add; one at a time takes away."""

    def __init__(self, path: Path, most_bytes: int = MOST_BYTES) -> None:
        """Open, or make, the spool at `path`."""
        self.path, self._most_bytes = path, most_bytes
        self._kept: sqlite3.Connection | None = None
        self._file = 0
        with self._made():
            pass

    @contextmanager
    def kept_open(self) -> Iterator["Spool"]:
        """The same spool on one connection, for a thread that adds many times a second. To be left after any error."""
        with self._made(_PATIENCE_KEPT_OPEN) as con:
            kept = copy(self)
            kept._kept, kept._file = con, self.path.stat().st_ino
            yield kept

    def add(self, bodies: Sequence[tuple[Body, datetime]]) -> int:
        """Make bodies and their moments of arrival durable, all or none; returns how many were not there already.

        Raises SpoolFull at its bound or on a disk that is nearly full, sqlite3.OperationalError on one that fails:
        then none of them is stored.
        """
        rows = [(body.digest, _text(moment), body.raw, body.unreadable) for body, moment in bodies]
        with self._transaction() as con:
            self._check_bound(con)
            before = con.total_changes
            con.executemany(
                "insert into bodies (digest, received_at, raw, aside) values (?, ?, ?, ?) on conflict do nothing", rows
            )
            return con.total_changes - before

    def try_out(self) -> None:
        """Write to the disk without changing anything. Raises what `add` raises where bodies could not be added."""
        with self._transaction() as con:
            self._check_bound(con)
            written = con.execute("pragma user_version").fetchone()[0]
            con.execute(f"pragma user_version = {(written + 1) % 1000}")

    def queued(self, most: int, most_bytes: int | None = None) -> list[Spooled]:
        """The oldest bodies that wait to be landed; not more than `most_bytes` of them, but one in any case."""
        if most_bytes is None:
            return self._select("aside is null order by id limit ?", most)
        oldest = "select id, length(raw) as size from bodies where aside is null order by id limit ?"
        before = f"select id, sum(size) over (order by id) - size as before from ({oldest})"
        return self._select(f"id in (select id from ({before}) where before < ?) order by id", most, most_bytes)

    def set_aside(self) -> list[Spooled]:
        """The bodies that were put aside, with the reason, oldest first."""
        return self._select("aside is not null order by id")

    def remove(self, ids: Iterable[int]) -> None:
        """Forget bodies that are durable elsewhere now."""
        with self._transaction() as con:
            con.executemany("delete from bodies where id = ?", [(each,) for each in ids])

    def wipe(self) -> None:
        """Write the file anew: bytes of bodies that were removed would stay in its free pages. It stays the same file.

        Raises sqlite3.OperationalError while somebody else writes.
        """
        with self._connection() as con:
            con.execute("vacuum")
            con.execute("pragma wal_checkpoint(truncate)")

    def failed(self, number: int, reason: str) -> bool:
        """Note that a body broke the loader; after five times it is put aside. Says whether it was."""
        with self._transaction() as con:
            con.execute("update bodies set tries = tries + 1 where id = ?", (number,))
            return bool(
                con.execute("update bodies set aside = ? where id = ? and tries >= ?", (reason, number, TRIES)).rowcount
            )

    def queue_again(self) -> int:
        """Put everything that was put aside back into the queue, to be tried anew; returns how many."""
        with self._transaction() as con:
            return con.execute("update bodies set aside = null, tries = 0 where aside is not null").rowcount

    def level(self) -> Level:
        """How full it is. Reads no body, however many there are."""
        with self._connection() as con:
            (queued,) = con.execute("select count(*) from bodies where aside is null").fetchone()
            (aside,) = con.execute("select count(*) from bodies where aside is not null").fetchone()
            oldest = con.execute("select received_at from bodies where aside is null order by id limit 1").fetchone()
            newest = con.execute("select received_at from bodies order by id desc limit 1").fetchone()
            return Level(queued, aside, _bytes(con), _moment(oldest), _moment(newest))

    def reasons(self) -> list[Reason]:
        """Why bodies were put aside, the most frequent reason first."""
        with self._connection() as con:
            found = con.execute(
                "select aside, count(*), min(received_at) from bodies where aside is not null "
                "group by aside order by 2 desc, 1"
            )
            return [Reason(aside, bodies, datetime.fromisoformat(first)) for aside, bodies, first in found]

    def _select(self, rest: str, *parameters: object) -> list[Spooled]:
        with self._connection() as con:
            found = con.execute(f"select id, digest, received_at, raw, aside from bodies where {rest}", parameters)
            return [
                Spooled(number, digest, datetime.fromisoformat(moment), raw, aside)
                for number, digest, moment, raw, aside in found
            ]

    def _check_bound(self, con: sqlite3.Connection) -> None:
        if (used := _bytes(con)) >= self._most_bytes:
            raise SpoolFull(f"{used:,} bytes wait in the spool, and {self._most_bytes:,} is its bound")
        if (free := shutil.disk_usage(self.path.parent).free) < SPARE_BYTES:
            raise SpoolFull(f"the disk has {free:,} bytes left, and {SPARE_BYTES:,} are spared for landing what waits")

    @contextmanager
    def _made(self, patience: float = _PATIENCE) -> Iterator[sqlite3.Connection]:
        """A connection to a spool that is there, with its table."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # bodies are personal data; SQLite gives the files beside it the same rights
        self.path.touch(mode=0o600)
        with self._connection(patience) as con:
            con.executescript(_SCHEMA)
            yield con

    @contextmanager
    def _connection(self, patience: float = _PATIENCE) -> Iterator[sqlite3.Connection]:
        if self._kept is not None:
            # what is written to a file that was removed would be acknowledged and lost
            if self.path.stat().st_ino != self._file:
                raise sqlite3.OperationalError("the file of the spool was replaced while it was open")
            yield self._kept
            return
        with sqlite_file(self.path, patience) as con:
            yield con

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._connection() as con:
            con.execute("begin immediate")
            try:
                yield con
                con.execute("commit")
            finally:
                # some errors of the disk have ended it already
                if con.in_transaction:
                    con.execute("rollback")


def _bytes(con: sqlite3.Connection) -> int:
    """What the bodies take on the disk. Pages that are free again count not: the next bodies go there."""
    pages, free, size = (
        con.execute(f"pragma {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _moment(found: tuple[str] | None) -> datetime | None:
    return datetime.fromisoformat(found[0]) if found else None
