"""What a plan shows of itself: requests as they would go out, and what differs from what was sent before.

These hold values of persons: they are for whoever asks on the command line, not for logs or Dagster.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from iterable_pipelines.activation.endpoints import ENDPOINTS
from iterable_pipelines.activation.requests import Change, Packer, Request
from iterable_pipelines.activation.state import Workspace

# records of a request that are written out
_RECORDS_SHOWN = 3
_CHANGE = "number, pk, output, endpoint, flags, identity_kind, identity, payload"


@dataclass(frozen=True)
class ShownRequest:
    """A request: `body` has its first records, `records` says how many it has in all."""

    method: str
    path: str
    records: int
    bytes: int
    body: Any


@dataclass(frozen=True)
class ShownChange:
    """A record, and its fields that differ from what was acknowledged: name, then old and new value."""

    pk: str
    output: str
    op: str
    fields: tuple[tuple[str, Any, Any], ...]


def shown_requests(workspace: Workspace, most: int) -> tuple[ShownRequest, ...]:
    """The first requests, as the sender would cut them."""
    rows = workspace.con.execute(
        f"select {_CHANGE} from scratch.changes where number <= {most * 1_000} order by number"
    ).fetchall()
    return tuple(shown(each) for each, _ in zip(_requests(rows), range(most), strict=False))


def shown(request: Request) -> ShownRequest:
    """One request for people to read."""
    body, envelope = json.loads(request.body or b"null"), request.endpoint.envelope
    if envelope:
        records = body[envelope]
        some = list(records)[:_RECORDS_SHOWN]
        body[envelope] = {each: records[each] for each in some} if isinstance(records, dict) else some
    return ShownRequest(request.endpoint.method, request.path, len(request.changes), len(request.body), body)


def shown_changes(workspace: Workspace, most: int, ops: tuple[str, ...]) -> tuple[ShownChange, ...]:
    """The first records of these ops, field by field."""
    rows = workspace.con.execute(
        "select c.pk, c.output, c.op, a.payload::varchar, c.payload from scratch.compared c "
        "left join state.acked a on a.key = c.key and a.output = c.output and a.member "
        "where c.op in (select unnest(?)) order by c.stage, c.pk, c.key, c.output limit ?",
        [list(ops), most],
    ).fetchall()
    return tuple(ShownChange(pk, output, op, _differing(old, new)) for pk, output, op, old, new in rows)


def _requests(rows: Iterable[tuple[Any, ...]]) -> Iterator[Request]:
    packer = Packer()
    packer.add(
        Change(number, pk, output, ENDPOINTS[endpoint], flags, kind, identity, payload)
        for number, pk, output, endpoint, flags, kind, identity, payload in rows
    )
    while request := packer.next(flush=True):
        yield request
        packer.settled(request.changes)


def _differing(old: str | None, new: str) -> tuple[tuple[str, Any, Any], ...]:
    before, after = dict(_flat(json.loads(old or "{}"))), dict(_flat(json.loads(new)))
    names = [*before, *(name for name in after if name not in before)]
    return tuple(
        (name, before.get(name), after.get(name))
        for name in sorted(names)
        if name not in before or name not in after or before[name] != after[name]
    )


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for member, inner in value.items():
            yield from _flat(inner, f"{name}.{member}" if name else str(member))
    elif name:
        yield name, value
