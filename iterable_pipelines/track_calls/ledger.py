"""A destination's ledger: what was written down, what of it has arrived, and up to where the streams were looked at.

A batch is written down with the ids of its events before it is sent, and is done in one transaction after: whatever
happens in between, the same bytes are sent again.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from iterable_pipelines.hours import now
from iterable_pipelines.sqlite_file import sqlite_file

_SCHEMA = (
    # event ids and digests of webhooks: an event is told if either of its two is here. And hours whose export is told
    "create table if not exists ids (id text primary key) without rowid",
    "create table if not exists batches (number integer primary key, calls integer not null, rejected integer, "
    "oldest text not null, written_at text not null, done_at text)",
    "create index if not exists waiting on batches (number) where done_at is null",
    "create table if not exists rejected (message_id text primary key, event text not null, reason text not null, "
    "noted_at text not null)",
    "create table if not exists looked_at (data_type text primary key, since text not null, load_id integer not null, "
    "moment text not null)",
)


@dataclass(frozen=True)
class Waiting:
    """A batch that is written down and not known to have arrived."""

    number: int
    calls: int


@dataclass(frozen=True)
class LookedAt:
    """How far a data type was looked at: for events from `since` on, up to which load, and at which moment. UTC."""

    since: datetime
    load_id: int
    moment: datetime


@dataclass(frozen=True)
class Rejected:
    """A call that nobody takes, and why. `reason` holds nothing of a person."""

    message_id: str
    event: str
    reason: str


@dataclass(frozen=True)
class Level:
    """Calls so far: `sent`, `rejected`, and `waiting` in batches that are written down, the oldest event of them."""

    sent: int
    rejected: int
    waiting: int
    oldest: datetime | None


class Ledger:
    """One SQLite file. One process at a time writes."""

    def __init__(self, path: Path) -> None:
        """Open, or make, the ledger at `path`."""
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._transaction() as con:
            for statement in _SCHEMA:
                con.execute(statement)
        path.chmod(0o600)

    def known(self, ids: str) -> str:
        """Those of `ids` that are told. Both are JSON arrays, so that no id becomes an object here."""
        with sqlite_file(self.path) as con:
            found = con.execute(
                "select json_group_array(value) from json_each(?) where value in (select id from ids)", (ids,)
            )
            return str(found.fetchone()[0])

    def note_both(self, pairs: str) -> None:
        """Of events that go by two ids and are told by one of them, note the other. `pairs` is JSON: [[id, id], …]."""
        with self._transaction() as con:
            for one, other in ((0, 1), (1, 0)):
                con.execute(
                    f"insert or ignore into ids select json_extract(value, '$[{other}]') from json_each(?) "
                    f"where json_extract(value, '$[{one}]') in (select id from ids)",
                    (pairs,),
                )

    def next_number(self) -> int:
        """The number of the batch that is written down next."""
        with sqlite_file(self.path) as con:
            return int(con.execute("select coalesce(max(number), 0) + 1 from batches").fetchone()[0])

    def write_down(self, number: int, calls: int, oldest: datetime, ids: str) -> None:
        """Note a batch whose file is durable, and the ids of its events, as a JSON array."""
        with self._transaction() as con:
            con.execute(
                "insert into batches (number, calls, oldest, written_at) values (?, ?, ?, ?)",
                (number, calls, _text(oldest), _text(now())),
            )
            con.execute("insert or ignore into ids select value from json_each(?)", (ids,))

    def waiting(self) -> list[Waiting]:
        """The batches that have not arrived yet, oldest first."""
        with sqlite_file(self.path) as con:
            found = con.execute("select number, calls from batches where done_at is null order by number")
            return [Waiting(*row) for row in found]

    def recount(self, number: int, calls: int) -> None:
        """Note that a batch that waits has lost calls: whom they were of is forgotten."""
        with self._transaction() as con:
            con.execute("update batches set calls = ? where number = ?", (calls, number))

    def done(self, number: int, rejected: Sequence[Rejected] = ()) -> None:
        """Note that a batch has arrived, without those of its calls that were rejected."""
        with self._transaction() as con:
            con.executemany(
                "insert or ignore into rejected values (?, ?, ?, ?)",
                [(each.message_id, each.event, each.reason, _text(now())) for each in rejected],
            )
            con.execute(
                "update batches set done_at = ?, rejected = ? where number = ?", (_text(now()), len(rejected), number)
            )

    def reject(self, calls: str, ids: str) -> None:
        """Note events that cannot be sent at all: `calls` is JSON, [[message id, event, reason], …], `ids` an array."""
        with self._transaction() as con:
            con.execute(
                "insert or ignore into rejected select json_extract(value, '$[0]'), json_extract(value, '$[1]'), "
                "json_extract(value, '$[2]'), ? from json_each(?)",
                (_text(now()), calls),
            )
            con.execute("insert or ignore into ids select value from json_each(?)", (ids,))

    def looked_at(self) -> dict[str, LookedAt]:
        """How far each data type was looked at."""
        with sqlite_file(self.path) as con:
            return {
                data_type: LookedAt(datetime.fromisoformat(since), load_id, datetime.fromisoformat(moment))
                for data_type, since, load_id, moment in con.execute("select * from looked_at")
            }

    def look_on(self, looked_at: dict[str, LookedAt], hours: str = "[]") -> None:
        """Note how far each data type was looked at, once all that was found there is written down.

        `hours` are those whose export is told by now, as a JSON array.
        """
        with self._transaction() as con:
            con.executemany(
                "insert or replace into looked_at values (?, ?, ?, ?)",
                [(name, _text(at.since), at.load_id, _text(at.moment)) for name, at in looked_at.items()],
            )
            con.execute("insert or ignore into ids select value from json_each(?)", (hours,))

    def level(self) -> Level:
        """What became of all calls so far."""
        with sqlite_file(self.path) as con:
            sent, waiting, oldest = con.execute(
                "select coalesce(sum(calls - rejected) filter (where done_at is not null), 0), "
                "coalesce(sum(calls) filter (where done_at is null), 0), min(oldest) filter (where done_at is null) "
                "from batches"
            ).fetchone()
            (rejected,) = con.execute("select count(*) from rejected").fetchone()
        return Level(sent, rejected, waiting, datetime.fromisoformat(oldest) if oldest else None)

    def reasons(self) -> list[tuple[str, str, int]]:
        """Event, reason and number of the rejected calls, the most frequent first."""
        with sqlite_file(self.path) as con:
            return con.execute(
                "select event, reason, count(*) from rejected group by event, reason order by count(*) desc, event"
            ).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with sqlite_file(self.path) as con:
            con.execute("begin immediate")
            yield con
            con.execute("commit")


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
