"""The stages of a run, one after the other: what needs something else waits for its acknowledgement (B7)."""

import time
from collections.abc import Callable

from iterable_pipelines.activation.endpoints import ENDPOINTS
from iterable_pipelines.activation.merge import kinds_of
from iterable_pipelines.activation.outbox import moment
from iterable_pipelines.activation.send import Pace, Sender
from iterable_pipelines.activation.state import Workspace

_SINGLE = {each.name for each in ENDPOINTS.values() if each.envelope is None}


def send_stages(workspace: Workspace, run_id: str, sender: Sender, pace: Pace, log: Callable[[str], None]) -> None:
    """Send everything that a run wrote down, in the order of its numbers."""
    stages = workspace.con.execute(
        "select stage, min(number), max(number), list(distinct endpoint), bool_or(coalesce(needs, '') <> '') "
        "from state.changes where run_id = $run and payload is not null group by stage order by stage",
        {"run": run_id},
    ).fetchall()
    for stage, first, last, endpoints, needing in stages:
        if sender.tally.stopped:
            break
        if needing:
            _put_off(workspace, run_id, stage)
            _settle(workspace, run_id, stage, pace, log)
        at_once = pace.at_once_single if _SINGLE & set(endpoints) else pace.at_once_bulk
        sender.send(first, last, at_once)


def _put_off(workspace: Workspace, run_id: str, stage: int) -> None:
    """Records whose needed record was not acknowledged wait for the next run."""
    with workspace.transaction() as con:
        con.execute(
            "insert into state.outcomes by name select c.run_id, c.number, 'deferred' as kind, "
            "'needs_' || c.needs as code, 'another record of this row has to be acknowledged first' as message, "
            "'' as path, '' as details, $now as noted_at "
            "from state.changes c join state.changes n on n.run_id = c.run_id and n.pk = c.pk and n.output = c.needs "
            "where c.run_id = $run and c.stage = $stage and coalesce(c.needs, '') <> '' "
            "and n.number not in (select number from state.outcomes where run_id = $run "
            f"and kind in ({kinds_of('acknowledged')}))",
            {"run": run_id, "stage": stage, "now": moment()},
        )


def _settle(workspace: Workspace, run_id: str, stage: int, pace: Pace, log: Callable[[str], None]) -> None:
    (newest,) = workspace.con.execute(
        "select max(o.noted_at) from state.changes c "
        "join state.changes n on n.run_id = c.run_id and n.pk = c.pk and n.output = c.needs "
        "join state.outcomes o on o.run_id = n.run_id and o.number = n.number "
        "where c.run_id = $run and c.stage = $stage",
        {"run": run_id, "stage": stage},
    ).fetchone() or (None,)
    left = pace.settle - (moment() - newest).total_seconds() if newest else 0.0
    if left > 0:
        log(f"waiting {left:.0f} s, until Iterable has taken in what the next records need")
        time.sleep(left)
