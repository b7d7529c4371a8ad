"""What is on its way: written down before the bytes leave, and done in one transaction with what became of it (S6).

The changes of a run stand in the state before, so a request begins as `sending`; many requests share a transaction.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Literal

import duckdb
import pyarrow as pa

from iterable_pipelines.activation.endpoints import ENDPOINTS, Endpoint
from iterable_pipelines.activation.outcomes import Outcome
from iterable_pipelines.activation.requests import Change, Request
from iterable_pipelines.activation.state import Workspace

# what a request is once it was answered or given up; `sending`: what it did is not known, and it may go again
State = Literal["done", "split", "sending", "unknown"]

_CHANGE = "number, pk, output, endpoint, flags::varchar, identity_kind, identity, payload::varchar"
_MOMENT = pa.timestamp("us")
_OUTCOMES = pa.schema(
    [
        ("run_id", pa.string()),
        ("number", pa.int64()),
        *((name, pa.string()) for name in ("kind", "code", "message", "path", "details", "result", "request_id")),
        ("http_status", pa.int64()),
        ("sent_at", _MOMENT),
        ("noted_at", _MOMENT),
    ]
)
_OUTBOX = pa.schema(
    [
        *((name, pa.string()) for name in ("request_id", "run_id", "endpoint", "method", "path", "state")),
        *((name, pa.int64()) for name in ("attempts", "bytes", "http_status")),
        ("body", pa.binary()),
        *((name, pa.string()) for name in ("body_hash", "response")),
        *((name, _MOMENT) for name in ("planned_at", "sent_at", "done_at")),
    ]
)


def moment() -> datetime:
    """Now, as the state has it: UTC without saying so."""
    return datetime.now(UTC).replace(tzinfo=None)


@dataclass
class Finished:
    """A request that was answered, or given up. `said` holds nothing of a person. `noted`: payloads, by number, that
    count instead of those that were planned.
    """

    request: Request
    state: State
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    status: int | None = None
    said: str = ""
    attempts: int = 1
    sent_at: datetime | None = None
    noted: dict[int, str] = field(default_factory=dict)


class Outbox:
    """The outbox of one run."""

    def __init__(self, workspace: Workspace, run_id: str) -> None:
        self._workspace, self.run_id = workspace, run_id

    def commit(self, starting: Sequence[Request], finished: Sequence[Finished]) -> None:
        """One transaction: requests that leave once this returns, and what became of others."""
        if not starting and not finished:
            return
        now = moment()
        with self._workspace.transaction() as con:
            _begin(con, self.run_id, starting, now)
            _end(con, [each for each in finished if each.request.id], now)
            _replace(con, self.run_id, {number: text for each in finished for number, text in each.noted.items()})
            note(con, self.run_id, finished, now)

    def note(self, outcomes: dict[int, Outcome]) -> None:
        """What becomes of records that were not sent."""
        if outcomes:
            with self._workspace.transaction() as con:
                note(con, self.run_id, [Finished(Request([], id=""), "done", outcomes)], moment())

    def page(self, first: int, last: int) -> list[Change]:
        """The changes of a stretch of numbers that have no outcome yet, in order."""
        found = self._workspace.con.execute(
            f"select {_CHANGE} from state.changes where run_id = $run and number between $first and $last "
            "and payload is not null and number not in (select number from state.outcomes where run_id = $run "
            "and number between $first and $last) order by number",
            {"run": self.run_id, "first": first, "last": last},
        )
        return [_change(row) for row in found.fetchall()]

    def count_left(self, endpoint: Endpoint) -> int:
        """How many changes of an endpoint have no outcome yet."""
        found = self._workspace.con.execute(
            "select count(*) from state.changes where run_id = $run and endpoint = $endpoint and payload is not null "
            "and number not in (select number from state.outcomes where run_id = $run)",
            {"run": self.run_id, "endpoint": endpoint.name},
        ).fetchone()
        return int(found[0]) if found else 0


def _begin(con: duckdb.DuckDBPyConnection, run_id: str, starting: Sequence[Request], now: datetime) -> None:
    for request in starting:
        if request.stored is not None:
            con.execute("update state.outbox set attempts = attempts + 1 where request_id = ?", [request.id])
    new = [each for each in starting if each.stored is None]
    rows = [
        {
            "request_id": each.id,
            "run_id": run_id,
            "endpoint": each.endpoint.name,
            "method": each.endpoint.method,
            # not the request's own: that may name a person
            "path": each.endpoint.path,
            "state": "sending",
            "attempts": 1,
            "bytes": len(each.body),
            # what is sent as a state is planned anew; all else must go again as it was
            "body": None if each.endpoint.repeat == "state" else each.body,
            "body_hash": sha256(each.body).hexdigest(),
            "planned_at": now,
            "sent_at": now,
        }
        for each in new
    ]
    _append(con, "outbox", rows, _OUTBOX)
    numbers = [[change.number for change in each.changes] for each in new]
    table = pa.table(
        {
            "request_id": pa.array([each.id for each in new for _ in each.changes], pa.string()),
            "place": pa.array([place for each in numbers for place in range(len(each))], pa.int64()),
            "number": pa.array([number for each in numbers for number in each], pa.int64()),
        }
    )
    _insert(con, "outbox_rows", table)


def _end(con: duckdb.DuckDBPyConnection, finished: Sequence[Finished], now: datetime) -> None:
    rows = [
        {
            "request_id": each.request.id,
            "state": each.state,
            "attempts": each.attempts,
            "http_status": each.status,
            "response": each.said,
        }
        for each in finished
    ]
    if rows:
        con.register("ended", pa.Table.from_pylist(rows, pa.schema([_OUTBOX.field(name) for name in rows[0]])))
        con.execute(
            "update state.outbox o set state = e.state, attempts = o.attempts - 1 + e.attempts, "
            "http_status = e.http_status, response = e.response, done_at = $now, "
            "body = if(e.state in ('sending', 'unknown'), body, null) from ended e where o.request_id = e.request_id",
            {"now": now},
        )
        con.unregister("ended")


def _replace(con: duckdb.DuckDBPyConnection, run_id: str, noted: dict[int, str]) -> None:
    if noted:
        con.register("noted", pa.table({"number": list(noted), "text": list(noted.values())}))
        con.execute(
            "update state.changes c set payload = n.text from noted n where c.run_id = ? and c.number = n.number",
            [run_id],
        )
        con.unregister("noted")


def _append(con: duckdb.DuckDBPyConnection, name: str, rows: Sequence[dict[str, Any]], schema: pa.Schema) -> None:
    """Add rows to a table of the state."""
    if rows:
        _insert(con, name, pa.Table.from_pylist(rows, schema))


def _insert(con: duckdb.DuckDBPyConnection, name: str, table: pa.Table) -> None:
    if table.num_rows:
        con.register("rows_now", table)
        con.execute(f"insert into state.{name} by name select * from rows_now")
        con.unregister("rows_now")


def note(con: duckdb.DuckDBPyConnection, run_id: str, finished: Iterable[Finished], now: datetime) -> None:
    """Append outcomes, inside a transaction of the caller's."""
    rows = [
        {
            "run_id": run_id,
            "number": number,
            "kind": outcome.kind,
            "code": outcome.code,
            "message": outcome.message,
            "path": outcome.path,
            "details": ",".join(outcome.details),
            "result": outcome.result,
            "request_id": each.request.id or None,
            "http_status": each.status,
            "sent_at": each.sent_at,
            "noted_at": now,
        }
        for each in finished
        for number, outcome in each.outcomes.items()
    ]
    _append(con, "outcomes", rows, _OUTCOMES)


def undelivered(workspace: Workspace) -> list[tuple[str, Request]]:
    """Requests whose bytes may have left, and which have to go again byte for byte (S7), each with its run."""
    repeated = [each.name for each in ENDPOINTS.values() if each.repeat == "event"]
    found = workspace.con.execute(
        "select run_id, request_id, body from state.outbox where state = 'sending' and list_contains($names, endpoint) "
        "order by planned_at, request_id",
        {"names": repeated},
    ).fetchall()
    requests = []
    for run_id, request_id, body in found:
        rows = workspace.con.execute(
            f"select {_CHANGE} from state.changes join state.outbox_rows using (number) "
            "where run_id = $run and request_id = $request order by place",
            {"run": run_id, "request": request_id},
        ).fetchall()
        requests.append((run_id, Request([_change(row) for row in rows], request_id, bytes(body))))
    return requests


def _change(row: tuple) -> Change:  # type: ignore[type-arg]
    number, pk, output, endpoint, flags, kind, identity, payload = row
    return Change(number, pk, output, ENDPOINTS[endpoint], flags or "{}", kind, identity, payload)
