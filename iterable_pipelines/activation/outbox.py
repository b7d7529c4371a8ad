"""What is on its way: written down before the bytes leave, and done in one transaction with what became of it (S6).

The changes of a run stand in the state before, so a request begins as `sending`; many requests share a transaction.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Literal

import duckdb
import pyarrow as pa

from iterable_pipelines.activation.endpoints import ENDPOINTS
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
        *((name, pa.string()) for name in ("kind", "code", "message", "path", "details", "request_id")),
        ("http_status", pa.int64()),
        ("sent_at", _MOMENT),
        ("noted_at", _MOMENT),
    ]
)


def moment() -> datetime:
    """Now, as the state has it: UTC without saying so."""
    return datetime.now(UTC).replace(tzinfo=None)


@dataclass
class Finished:
    """A request that was answered, or given up. `said` holds nothing of a person."""

    request: Request
    state: State
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    status: int | None = None
    said: str = ""
    attempts: int = 1
    sent_at: datetime | None = None


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
            for request in starting:
                _begin(con, self.run_id, request, now)
            for each in finished:
                con.execute(
                    "update state.outbox set state = $state, attempts = attempts - 1 + $attempts, "
                    "http_status = $status, response = $said, done_at = $now, "
                    "body = if($state in ('sending', 'unknown'), body, null) "
                    "where request_id = $request_id",
                    {
                        "state": each.state,
                        "attempts": each.attempts,
                        "status": each.status,
                        "said": each.said,
                        "now": now,
                        "request_id": each.request.id,
                    },
                )
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


def _begin(con: duckdb.DuckDBPyConnection, run_id: str, request: Request, now: datetime) -> None:
    if request.stored is not None:
        con.execute("update state.outbox set attempts = attempts + 1 where request_id = ?", [request.id])
        return
    endpoint, body = request.endpoint, request.body
    # the latest bytes of what is sent as a state are planned anew; those of all else must go again as they were
    kept = None if endpoint.repeat == "state" else body
    con.execute(
        "insert into state.outbox by name select $id as request_id, $run as run_id, $endpoint as endpoint, "
        "$method as method, $path as path, 'sending' as state, 1 as attempts, $bytes as bytes, $body::blob as body, "
        "$hash as body_hash, $now as planned_at, $now as sent_at",
        {
            "id": request.id,
            "run": run_id,
            "endpoint": endpoint.name,
            "method": endpoint.method,
            # a path may name a person
            "path": endpoint.path,
            "bytes": len(body),
            "body": kept,
            "hash": sha256(body).hexdigest(),
            "now": now,
        },
    )
    rows = pa.table(
        {
            "request_id": pa.array([request.id] * len(request.changes)),
            "place": pa.array(range(len(request.changes)), pa.int64()),
            "number": pa.array([each.number for each in request.changes], pa.int64()),
        }
    )
    con.register("outbox_rows_now", rows)
    con.execute("insert into state.outbox_rows by name select * from outbox_rows_now")
    con.unregister("outbox_rows_now")


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
            "request_id": each.request.id or None,
            "http_status": each.status,
            "sent_at": each.sent_at,
            "noted_at": now,
        }
        for each in finished
        for number, outcome in each.outcomes.items()
    ]
    if rows:
        con.register("outcomes_now", pa.Table.from_pylist(rows, _OUTCOMES))
        con.execute("insert into state.outcomes by name select * from outcomes_now")
        con.unregister("outcomes_now")


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
