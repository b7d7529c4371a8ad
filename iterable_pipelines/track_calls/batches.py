"""A slice of calls without those that the ledger knows, cut into batches. No call becomes an object on the way."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from iterable_pipelines.quoting import literal
from iterable_pipelines.settings import Settings
from iterable_pipelines.track_calls.declaration import LARGEST_CALL, Limits
from iterable_pipelines.track_calls.ledger import Ledger

_ROWS_AT_ONCE = 50_000
# what stands around and between the calls of a batch
_ENVELOPE = 64
NOBODY, TOO_LARGE = "neither a user id nor an address", f"larger than {LARGEST_CALL:,} bytes"
_IDS = "list(event_id) || coalesce(list(webhook_id) filter (webhook_id is not null), [])"


@dataclass(frozen=True)
class Batch:
    """Calls that are sent at once. `ids` is a JSON array of all ids that their events go by."""

    calls: int
    oldest: datetime
    ids: str
    _calls: str = field(repr=False)
    _con: duckdb.DuckDBPyConnection = field(repr=False)

    def write(self, to: Path) -> None:
        """Write the calls to a file, one a line."""
        # JSON text has no line break and no control sign in it: without quotes it stays as it is
        self._con.execute(
            f"copy ({self._calls}) to {literal(str(to))} "
            "(format csv, header false, delimiter '\x01', quote '', escape '')"
        )


@dataclass(frozen=True)
class Unsendable:
    """Events that cannot be sent: how many, `calls` as JSON [[message id, event, reason], …], and all their ids."""

    count: int
    calls: str
    ids: str


@dataclass(frozen=True)
class Fresh:
    """The calls of a slice that are new."""

    _con: duckdb.DuckDBPyConnection = field(repr=False)

    def counts(self) -> dict[str, int]:
        """How many can be sent, by event."""
        return dict(self._con.execute("select event, count(*) from fresh group by event").fetchall())

    def newest(self, most: int) -> list[str]:
        """The newest of them, as JSON."""
        found = self._con.execute(
            "select call from calls join fresh using (n) order by happened_at desc limit ?", [most]
        )
        return [call for (call,) in found.fetchall()]

    def unsendable(self) -> Iterator[Unsendable]:
        """Those that cannot be sent, some at a time."""
        (rows,) = self._con.execute("select count(*) from unsendable").fetchone() or (0,)
        for first in range(0, rows, _ROWS_AT_ONCE):
            found = self._con.execute(
                f"select count(*), to_json(list([coalesce(webhook_id, event_id), event, reason])), to_json({_IDS}) "
                f"from unsendable where rowid >= {first} and rowid < {first + _ROWS_AT_ONCE}"
            ).fetchone()
            yield Unsendable(*(found or (0, "[]", "[]")))

    def exported(self) -> str:
        """The hours of data types whose export is told by now, as a JSON array of ids of their own."""
        found = self._con.execute(
            "select to_json(coalesce(list(distinct hour) filter (not early), [])) from events"
        ).fetchone()
        return str(found[0]) if found else "[]"

    def batches(self) -> Iterator[Batch]:
        """Those that can be sent, the oldest loads first."""
        for (number,) in self._con.execute("select distinct batch from fresh order by batch").fetchall():
            calls, oldest, ids, first, last = self._con.execute(
                f"select count(*), min(happened_at), to_json({_IDS}), min(n), max(n) from fresh where batch = ?",
                [number],
            ).fetchone() or (0, datetime.now(UTC), "[]", 0, 0)
            those = (
                f"select call from calls where n between {first} and {last} "
                f"and n in (select n from fresh where batch = {number}) order by n"
            )
            yield Batch(calls, oldest.replace(tzinfo=UTC), ids, those, self._con)


@contextmanager
def fresh_calls(settings: Settings, ledger: Ledger, file: Path, limits: Limits) -> Iterator[Fresh]:
    """The new calls of a slice's file, in a database beside it."""
    with duckdb.connect(file.with_suffix(".duckdb"), config={"memory_limit": settings.memory_limit}) as con:
        con.execute("set timezone = 'UTC'")
        con.execute("set preserve_insertion_order = false")
        source = f"read_parquet({literal(str(file))}, file_row_number = true)"
        con.execute(f"create table calls as select file_row_number as n, call from {source}")
        con.execute(
            "create table events as select file_row_number as n, event_id, webhook_id, hour, early, "
            f"happened_at, event, strlen(call) as size from {source}"
        )
        con.execute("create table known (id varchar)")
        for those in _chunks(con):
            (ids,) = con.execute(
                f"select to_json({_IDS} || coalesce(list(distinct hour) filter (early), [])) from {those}"
            ).fetchone() or ("[]",)
            con.execute("""insert into known select unnest(from_json(?::json, '["varchar"]'))""", [ledger.known(ids)])
            # the rows of an export that meets its webhooks, whichever came first, go by both ids from now on
            (pairs,) = con.execute(
                f"select to_json(list([event_id, webhook_id])) from {those} where webhook_id <> event_id"
            ).fetchone() or (None,)
            if pairs:
                ledger.note_both(pairs)
        _cut(con, limits)
        yield Fresh(con)


def _chunks(con: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """Some events at a time, each as what stands behind a FROM."""
    (rows,) = con.execute("select count(*) from events").fetchone() or (0,)
    for first in range(0, rows, _ROWS_AT_ONCE):
        yield f"(from events where n between {first} and {first + _ROWS_AT_ONCE - 1})"


def _cut(con: duckdb.DuckDBPyConnection, limits: Limits) -> None:
    """Make the tables `unsendable`, and `fresh`, with the number of the batch."""
    fits = f"coalesce(size <= {LARGEST_CALL}, false)"
    con.execute(
        "create temp view novel as from events where event_id not in (from known) "
        "and (webhook_id is null or webhook_id not in (from known)) "
        # a warehouse made anew, in which webhooks come first: their exports were told, and will say which of them
        "and not (coalesce(early, false) and hour in (from known)) "
        # a webhook that was not matched yet, and its export
        "qualify row_number() over (partition by coalesce(webhook_id, event_id) order by n) = 1"
    )
    con.execute(
        "create table unsendable as select event_id, webhook_id, event, "
        f"case when size is null then {literal(NOBODY)} else {literal(TOO_LARGE)} end as reason "
        f"from novel where not {fits}"
    )
    # a batch that begins within these bytes ends within its limit; each call has a comma or a line's end behind it
    room = limits.bytes - LARGEST_CALL - _ENVELOPE
    con.execute(
        "create table fresh as select * exclude (place, upto), "
        f"dense_rank() over (order by (place - 1) // {limits.calls}, (upto - size - 1) // {room}) as batch "
        "from (select *, row_number() over (order by n) as place, sum(size + 1) over (order by n) as upto "
        f"from novel where {fits})"
    )
