"""The spool: every body that was answered with a 2xx, durable in SQLite until it has landed."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from iterable_pipelines.webhooks.body import Body

# a body that breaks the loader so often is put aside, and the queue moves on
TRIES = 5

_SCHEMA = """
create table if not exists bodies (
    id integer primary key autoincrement,
    digest text not null unique,
    received_at text not null,
    raw blob not null,
    tries integer not null default 0,
    aside text
)
"""


@dataclass(frozen=True)
class Spooled:
    """A body in the spool. `id` grows with arrival; `aside` is why it waits for a person, None while it is queued."""

    id: int
    digest: str
    received_at: datetime
    raw: bytes
    aside: str | None = None


@dataclass(frozen=True)
class Level:
    """How full the spool is: bodies queued, bodies put aside, bytes of all of them, the oldest queued, the newest."""

    queued: int
    aside: int
    bytes: int
    oldest: datetime | None
    newest: datetime | None = None


class Spool:
    """Bodies in the order of their arrival. Any process may add; one at a time takes away."""

    def __init__(self, path: Path) -> None:
        """Open, or make, the spool at `path`."""
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._connection() as con:
            con.execute(_SCHEMA)
            con.execute("create index if not exists queue on bodies (id) where aside is null")
        path.chmod(0o600)

    def add(self, bodies: Sequence[tuple[Body, datetime]]) -> int:
        """Make bodies and their moments of arrival durable, all or none; returns how many were not there already.

        Raises sqlite3.OperationalError for a disk that is full or failing: then none of them is stored.
        """
        rows = [(body.digest, _text(moment), body.raw, body.unreadable) for body, moment in bodies]
        with self._transaction() as con:
            before = con.total_changes
            con.executemany(
                "insert into bodies (digest, received_at, raw, aside) values (?, ?, ?, ?) on conflict do nothing", rows
            )
            return con.total_changes - before

    def queued(self, most: int, most_bytes: int | None = None) -> list[Spooled]:
        """The oldest bodies that wait to be landed; not more than `most_bytes` of them, but one in any case."""
        if most_bytes is None:
            return self._select("aside is null order by id limit ?", most)
        sizes = "select id, sum(length(raw)) over (order by id) - length(raw) as before from bodies where aside is null"
        return self._select(
            f"id in (select id from ({sizes} order by id limit ?) where before < ?) order by id", most, most_bytes
        )

    def set_aside(self) -> list[Spooled]:
        """The bodies that were put aside, with the reason, oldest first."""
        return self._select("aside is not null order by id")

    def remove(self, ids: Iterable[int]) -> None:
        """Forget bodies that are durable elsewhere now."""
        with self._transaction() as con:
            con.executemany("delete from bodies where id = ?", [(each,) for each in ids])

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
        """How full it is."""
        with self._connection() as con:
            queued, aside, size, oldest, newest = con.execute(
                "select count(*) filter (where aside is null), count(aside), coalesce(sum(length(raw)), 0), "
                "min(received_at) filter (where aside is null), max(received_at) from bodies"
            ).fetchone()
        return Level(queued, aside, size, _moment(oldest), _moment(newest))

    def _select(self, rest: str, *parameters: object) -> list[Spooled]:
        with self._connection() as con:
            found = con.execute(f"select id, digest, received_at, raw, aside from bodies where {rest}", parameters)
            return [
                Spooled(number, digest, datetime.fromisoformat(moment), raw, aside)
                for number, digest, moment, raw, aside in found
            ]

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        con = sqlite3.connect(self.path, timeout=60, isolation_level=None)
        try:
            con.execute("pragma journal_mode = wal")
            # every commit reaches the disk before it returns: a 2xx is a promise
            con.execute("pragma synchronous = full")
            yield con
        finally:
            con.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._connection() as con:
            con.execute("begin immediate")
            yield con
            con.execute("commit")


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
