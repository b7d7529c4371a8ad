"""What a run that was killed has left on its way, before anything new is planned (S7)."""

from collections.abc import Callable
from itertools import groupby

from iterable_pipelines.activation.declaration import Sync
from iterable_pipelines.activation.doubtful import ONCE, settle_by_reading
from iterable_pipelines.activation.errors import InDoubt
from iterable_pipelines.activation.merge import merge
from iterable_pipelines.activation.outbox import Outbox, moment, undelivered
from iterable_pipelines.activation.send import Pace, Sender, Tally
from iterable_pipelines.activation.state import Workspace
from iterable_pipelines.api import Iterable as Client


def recover(
    workspace: Workspace, sync: Sync, clients: Callable[[], Client], pace: Pace, log: Callable[[str], None]
) -> Tally:
    """Send events of killed runs again, byte for byte; note what else is in doubt; then merge those runs.

    The result says whether Iterable took them; if `stopped`, the run must not go on. Raises InDoubt for what must not
    happen twice and may have happened.
    """
    con, tally = workspace.con, Tally()
    requests = undelivered(workspace)
    if requests:
        log(f"{sync.name}: {len(requests)} requests may not have arrived; they go again as they were")
    for run_id, group in groupby(requests, key=lambda each: each[0]):
        # before, so that whatever is answered is merged, also if this run is killed too
        con.execute("update state.runs set merged = false, published = false where run_id = ?", [run_id])
        sender = Sender(Outbox(workspace, run_id), sync, clients, pace, log)
        sender.resend(request for _, request in group)
        tally = sender.tally
        if tally.stopped:
            break
    con.execute(
        "update state.outbox set state = 'unknown' where state = 'sending' and list_contains($once, endpoint)",
        {"once": ONCE},
    )
    for (run_id,) in con.execute("select run_id from state.runs where not merged order by started_at").fetchall():
        merge(workspace, run_id)
    con.execute(
        "update state.runs set status = 'failed', note = 'it was interrupted, and settled by the next run', "
        "finished_at = $now where finished_at is null",
        {"now": moment()},
    )
    left = settle_by_reading(workspace, clients(), log)
    if left:
        raise InDoubt(
            f"{sync.name}: {left} requests may have had their effect or not, and must not happen twice: changes of "
            "addresses, campaigns, lists or messages. Nothing more was sent, and the state is as it was.\n"
            f"Next: look at these in Iterable, or wait ten minutes and run it again, which looks by itself; then "
            f"iterable-pipelines sync resolve {sync.name} resend, or … drop where it has happened"
        )
    return tally
