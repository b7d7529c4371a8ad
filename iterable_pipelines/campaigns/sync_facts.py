"""What the state of a sync says of its last run, and of what was read back: for a gate."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from iterable_pipelines.activation.declaration import Sync
from iterable_pipelines.activation.errors import AlreadyRunning
from iterable_pipelines.activation.state import open_workspace
from iterable_pipelines.activation.verify.watch import watch
from iterable_pipelines.settings import Settings

_RUN = "select if(finished_at is null, 'interrupted', status), whole from state.runs order by started_at desc limit 1"
_REST = """
    select (select max(finished_at) from state.runs where status = 'succeeded' and whole),
        (select count(*) from state.outbox where state in ('sending', 'unknown'))
            + (select count(*) from state.acked where in_doubt),
        (select max(verified_at) from state.verifications),
        (select max(list_id) from state.lists)
"""


@dataclass(frozen=True)
class SyncFacts:
    """A sync as its state has it. `status` and `whole` are of the last run; moments are aware.

    `pending` requests and records are in doubt. `read_back` records were looked at, `on_list` is the smallest share of
    those acknowledged as members whom Iterable counts, None where nobody counted.
    """

    list_id: int | None
    status: str | None
    whole: bool | None
    fresh_at: datetime | None
    pending: int
    acknowledged: int
    reject_ratio: float
    read_back: int
    verified_ratio: float
    verified_at: datetime | None
    on_list: float | None


def sync_facts(settings: Settings, sync: Sync) -> SyncFacts | None:
    """What is known of a sync; None while a run of it is at work."""
    try:
        with open_workspace(settings, sync.name, log=lambda text: None) as state:
            status, whole = state.con.execute(_RUN).fetchone() or (None, None)
            fresh_at, pending, verified_at, list_id = state.con.execute(_REST).fetchall()[0]
            ((acknowledged,),) = state.con.execute("select count(*) from state.acked where member").fetchall()
        figures = {each.name: each.figures for each in watch(settings, sync)}
    except AlreadyRunning:
        return None
    verified = figures["verified"]
    return SyncFacts(
        list_id=list_id,
        status=status,
        whole=whole,
        fresh_at=_aware(fresh_at),
        pending=int(pending),
        acknowledged=int(acknowledged),
        reject_ratio=float(figures["reject_ratio"]["ratio"]),
        read_back=int(verified["verified"]) + int(verified["wrong"]),
        verified_ratio=float(verified["ratio"]),
        verified_at=_aware(verified_at),
        on_list=_on_list(figures["list_size"]),
    )


def _on_list(figures: dict[str, Any]) -> float | None:
    shares = [
        size / max(figures[name.replace("_size", "_acknowledged")], 1)
        for name, size in figures.items()
        if name.endswith("_size")
    ]
    return min(shares, default=None)


def _aware(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment else None
