"""Requests that must not happen twice, and may have happened (S7, R12): settled by reading, or by a person."""

from collections.abc import Callable, Sequence
from typing import Literal

from iterable_pipelines.activation.endpoints import ENDPOINTS
from iterable_pipelines.activation.merge import merge
from iterable_pipelines.activation.outbox import moment
from iterable_pipelines.activation.state import Workspace
from iterable_pipelines.activation.verify.settle import settle
from iterable_pipelines.api import Iterable

ONCE = [each.name for each in ENDPOINTS.values() if each.repeat == "once"]
_SETTLED = """
    insert into state.outcomes by name
    select run_id, number, $kind as kind, $code as code, '' as message, '' as path, '' as details, $result as result,
        request_id, $now as noted_at
    from state.outbox join state.outbox_rows using (request_id) where list_contains($requests, request_id)
"""


def doubtful(workspace: Workspace) -> list[str]:
    """The ids of these requests, the oldest first."""
    found = workspace.con.execute(
        "select request_id from state.outbox where state = 'unknown' and list_contains(?, endpoint) order by sent_at",
        [ONCE],
    ).fetchall()
    return [request_id for (request_id,) in found]


def take_for(
    workspace: Workspace,
    requests: Sequence[str],
    how: Literal["done", "not_done"],
    code: str,
    result: str | None = None,
) -> None:
    """Note that these happened, with what Iterable made, or did not and are to be planned anew. Nothing is sent."""
    about = {"requests": list(requests)}
    kind = "acked" if how == "done" else "deferred"
    which = "list_contains($requests, request_id)"
    runs = workspace.con.execute(f"select distinct run_id from state.outbox where {which}", about).fetchall()
    with workspace.transaction() as con:
        con.execute(_SETTLED, {**about, "kind": kind, "code": code, "result": result, "now": moment()})
        con.execute(f"update state.outbox set state = 'done', body = null where {which}", about)
    for (run_id,) in runs:
        merge(workspace, run_id)
        workspace.con.execute("update state.runs set published = false where run_id = ?", [run_id])


def settle_by_reading(workspace: Workspace, client: Iterable, log: Callable[[str], None]) -> int:
    """Ask Iterable what became of them (S9); how many are still in doubt then. Raises IterableError."""
    for request_id in doubtful(workspace):
        became = settle(workspace, client, request_id)
        if became.settled != "unknown":
            is_done = became.settled == "done"
            log(f"A request whose answer never came has {'had its effect' if is_done else 'had no effect'}")
            code = "read_back" if is_done else "to_resend"
            take_for(workspace, [request_id], became.settled, code, became.result)
    return len(doubtful(workspace))
