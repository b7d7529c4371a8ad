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
_IDS = "to_json(list(event_id) || coalesce(list(webhook_id) filter (webhook_id is not null), []))"


@dataclass(frozen=True)
class Batch:
    """Calls that are sent at once. `ids` is a JSON array of all ids that their events go by."""

    calls: int
    oldest: datetime
    ids: str
    _where: str = field(repr=False)
    _con: duckdb.DuckDBPyConnection = field(repr=False)

    def write(self, to: Path) -> None:
        """Write the calls to a file, one a line."""
        # JSON text has no line break and no control sign in it: without quotes it stays as it is
        self._con.execute(
            f"copy (select call from fresh where {self._where} order by n) to {literal(str(to))} "
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
        return [
            call for (call,) in self._con.execute("select call from fresh order by n desc limit ?", [most]).fetchall()
        ]

    def unsendable(self) -> Iterator[Unsendable]:
        """Those that cannot be sent, some at a time."""
        (rows,) = self._con.execute("select count(*) from unsendable").fetchone() or (0,)
        for first in range(0, rows, _ROWS_AT_ONCE):
            found = self._con.execute(
                f"select count(*), to_json(list([coalesce(webhook_id, event_id), event, reason])), {_IDS} "
                f"from unsendable where rowid >= {first} and rowid < {first + _ROWS_AT_ONCE}"
            ).fetchone()
            yield Unsendable(*(found or (0, "[]", "[]")))

    def batches(self) -> Iterator[Batch]:
        """Those that can be sent, the oldest events first."""
        for (number,) in self._con.execute("select distinct batch from fresh order by batch").fetchall():
            where = f"batch = {number}"
            calls, oldest, ids = self._con.execute(
                f"select count(*), min(happened_at), {_IDS} from fresh where {where}"
            ).fetchone() or (0, datetime.now(UTC), "[]")
            yield Batch(calls, oldest.replace(tzinfo=UTC), ids, where, self._con)


@contextmanager
def fresh_calls(settings: Settings, ledger: Ledger, file: Path, limits: Limits) -> Iterator[Fresh]:
    """The new calls of a slice's file, in a database beside it."""
    with duckdb.connect(file.with_suffix(".duckdb"), config={"memory_limit": settings.memory_limit}) as con:
        con.execute("set timezone = 'UTC'")
        con.execute("set preserve_insertion_order = false")
        _find_known(con, ledger, file)
        _cut(con, file, limits)
        yield Fresh(con)


def note_pairs(ledger: Ledger, file: Path) -> None:
    """Note both ids of those events of a file that are told by one of them."""
    with duckdb.connect() as con:
        for source in _chunks(con, file):
            _note_pairs(con, ledger, source)


def _find_known(con: duckdb.DuckDBPyConnection, ledger: Ledger, file: Path) -> None:
    con.execute("create table known (id varchar)")
    for source in _chunks(con, file):
        (ids,) = con.execute(f"select {_IDS} from {source}").fetchone() or ("[]",)
        con.execute("""insert into known select unnest(from_json(?::json, '["varchar"]'))""", [ledger.known(ids)])
        # an event whose export follows its webhook goes by another id from now on
        _note_pairs(con, ledger, source)


def _note_pairs(con: duckdb.DuckDBPyConnection, ledger: Ledger, source: str) -> None:
    (pairs,) = con.execute(
        f"select to_json(list([event_id, webhook_id])) from {source} where webhook_id <> event_id"
    ).fetchone() or (None,)
    if pairs:
        ledger.note_both(pairs)


def _chunks(con: duckdb.DuckDBPyConnection, file: Path) -> Iterator[str]:
    """Some rows of a Parquet file at a time, each as what stands behind a FROM."""
    source = f"read_parquet({literal(str(file))}, file_row_number = true)"
    (rows,) = con.execute(f"select count(*) from {source}").fetchone() or (0,)
    for first in range(0, rows, _ROWS_AT_ONCE):
        yield (
            f"(select event_id, webhook_id from {source} "
            f"where file_row_number >= {first} and file_row_number < {first + _ROWS_AT_ONCE})"
        )


def _cut(con: duckdb.DuckDBPyConnection, file: Path, limits: Limits) -> None:
    fits = f"call is not null and strlen(call) <= {LARGEST_CALL}"
    con.execute(
        f"create temp view novel as select * from read_parquet({literal(str(file))}) "
        "where event_id not in (select id from known) "
        "and (webhook_id is null or webhook_id not in (select id from known)) "
        "qualify row_number() over (partition by coalesce(webhook_id, event_id) order by webhook_id nulls last) = 1"
    )
    con.execute(
        "create table unsendable as select event_id, webhook_id, event, "
        f"case when call is null then {literal(NOBODY)} else {literal(TOO_LARGE)} end as reason "
        f"from novel where not coalesce({fits}, false)"
    )
    # a batch that begins within these bytes ends within its limit
    room = max(limits.bytes - LARGEST_CALL - _ENVELOPE, 1)
    con.execute(
        "create table fresh as select n, event_id, webhook_id, happened_at, event, call, "
        "dense_rank() over (order by by_calls, by_bytes) as batch from ("
        f"select *, (n - 1) // {limits.calls} as by_calls, (upto - size) // {room} as by_bytes from ("
        "select *, sum(size) over (order by n) as upto from ("
        "select *, strlen(call) + 1 as size, row_number() over (order by happened_at, event_id) as n "
        f"from novel where {fits}))) order by n"
    )
