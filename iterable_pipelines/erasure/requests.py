"""Whom Iterable is to forget, or to forget no longer: a queue in SQLite, because a day takes 1,000 (faults.md R18).

An identifier stays only until Iterable has answered, yes or no; then its hash is all that is left.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from iterable_pipelines.erasure.tombstones import hash_of
from iterable_pipelines.hours import iso, now
from iterable_pipelines.settings import Settings
from iterable_pipelines.sqlite_file import private_sqlite_file

Action = Literal["forget", "unforget"]
IdentifierKind = Literal["email", "userId"]

# waiting; sending: its answer is not known; done; refused: Iterable said no, and why is in `code`
_SCHEMA = """
create table if not exists requests (
    id integer primary key,
    action text not null,
    kind text not null,
    identifier text,
    hash text not null,
    state text not null default 'waiting',
    code text not null default '',
    attempts integer not null default 0,
    requested_at text not null,
    sent_at text,
    done_at text
)
"""
_OPEN = (
    "create unique index if not exists open_requests on requests (action, kind, identifier) "
    "where identifier is not null"
)
_DAY = timedelta(days=1)
# past the hour, when the queue goes on
MINUTE = 15


@dataclass(frozen=True)
class Request:
    """One that is not acknowledged. `identifier` never goes into a log or an error."""

    id: int
    action: Action
    kind: IdentifierKind
    identifier: str = field(repr=False)
    hash: str
    sent_at: datetime | None = None


@dataclass(frozen=True)
class Level:
    """How far the queue is. in_doubt: sent, and no answer came. refused: by code. done_today: in the last 24 hours."""

    waiting: dict[str, int]
    in_doubt: int
    done: dict[str, int]
    refused: dict[str, int]
    done_today: int
    oldest: datetime | None


class Requests:
    """The queue of a project. There is no file until something is asked for."""

    def __init__(self, settings: Settings) -> None:
        self.path = settings.data_dir / "erasure" / "requests.sqlite"

    def add(self, action: Action, identifiers: Iterable[tuple[IdentifierKind, str]]) -> int:
        """Queue identifiers; returns how many are new. Who waits already waits once; who was refused may go again."""
        moment, new = iso(now()), 0
        with self._open() as con:
            con.execute("begin immediate")
            for kind, identifier in identifiers:
                # what was asked for last is what is wanted
                con.execute(
                    "delete from requests where action <> ? and kind = ? and identifier = ? and state = 'waiting'",
                    (action, kind, identifier),
                )
                named = (action, kind, hash_of(identifier))
                con.execute(
                    "delete from requests where action = ? and kind = ? and hash = ? and state = 'refused'", named
                )
                done = con.execute(
                    "insert into requests (action, kind, hash, identifier, requested_at) values (?, ?, ?, ?, ?) "
                    "on conflict (action, kind, identifier) where identifier is not null do nothing",
                    (*named, identifier, moment),
                )
                new += done.rowcount
            con.execute("commit")
        return new

    def next(self) -> Request | None:
        """Who is next: what was tried least, then what was asked for first."""
        found = self._some("state = 'waiting' order by attempts, id limit 1")
        return found[0] if found else None

    def in_doubt(self) -> list[Request]:
        """Those whose answer is not known."""
        return self._some("state = 'sending' order by id")

    def sending(self, request: Request) -> None:
        """Before the bytes leave: from here on it may have happened."""
        with self._open() as con:
            con.execute(
                "update requests set state = 'sending', attempts = attempts + 1, sent_at = ? where id = ?",
                (iso(now()), request.id),
            )

    def wait(self, request: Request) -> None:
        """It did not happen: it has its turn again."""
        with self._open() as con:
            con.execute("update requests set state = 'waiting' where id = ?", (request.id,))

    def done(self, request: Request, code: str) -> None:
        """Iterable acknowledged it: nothing but the hash stays."""
        self._answered(request, "done", code)

    def refuse(self, request: Request, code: str) -> None:
        """Iterable said no, and would again: whoever asks once more names the person once more."""
        self._answered(request, "refused", code)

    def level(self) -> Level:
        """How far the queue is."""
        if not self.path.exists():
            return Level({}, 0, {}, {}, 0, None)
        with self._open() as con:
            states = con.execute("select state, action, code, count(*) from requests group by 1, 2, 3").fetchall()
            (today,) = con.execute(
                "select count(*) from requests where state = 'done' and done_at > ?", (iso(now() - _DAY),)
            ).fetchone()
            (oldest,) = con.execute("select min(requested_at) from requests where state = 'waiting'").fetchone()
        counted: dict[str, dict[str, int]] = {"waiting": {}, "sending": {}, "done": {}, "refused": {}}
        for state, action, code, number in states:
            name = code if state == "refused" else action
            counted[state][name] = counted[state].get(name, 0) + number
        return Level(
            counted["waiting"],
            sum(counted["sending"].values()),
            counted["done"],
            counted["refused"],
            today,
            datetime.fromisoformat(oldest) if oldest else None,
        )

    def _answered(self, request: Request, state: str, code: str) -> None:
        with self._open() as con:
            con.execute(
                "update requests set state = ?, identifier = null, code = ?, done_at = ? where id = ?",
                (state, code, iso(now()), request.id),
            )
            # the log of SQLite has held it too
            con.execute("pragma wal_checkpoint(truncate)")

    def _some(self, which: str) -> list[Request]:
        if not self.path.exists():
            return []
        with self._open() as con:
            rows = con.execute(f"select id, action, kind, identifier, hash, sent_at from requests where {which}")
            return [
                Request(number, action, kind, identifier, hashed, datetime.fromisoformat(sent) if sent else None)
                for number, action, kind, identifier, hashed, sent in rows.fetchall()
            ]

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with private_sqlite_file(self.path) as con:
            con.execute(_SCHEMA)
            con.execute(_OPEN)
            yield con


def whether_to_send(requests: Requests) -> str:
    """Why the queue need not be sent now; "" if it is to be."""
    level = requests.level()
    return "" if level.waiting or level.in_doubt else "nobody waits to be forgotten"
