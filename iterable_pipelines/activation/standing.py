"""Where a sync stands as a whole: what Iterable has, what it refused, what waits, and when it last ran."""

from dataclasses import dataclass
from datetime import datetime

from iterable_pipelines.activation.errors import AlreadyRunning
from iterable_pipelines.activation.outcomes import STANDING
from iterable_pipelines.activation.state import Workspace, open_workspace
from iterable_pipelines.settings import Settings

_PENDING = tuple(kind for kind, standing in STANDING.items() if standing == "pending")


@dataclass(frozen=True)
class Standing:
    """Rows are counted once per output. `status` and `finished` (UTC) are those of the last run; None before it."""

    acknowledged: int = 0
    verified: int = 0
    rejected: int = 0
    pending: int = 0
    status: str | None = None
    finished: datetime | None = None

    @property
    def funnel(self) -> tuple[int, int, int]:
        """Rows that were meant to go, that Iterable acknowledged, and that were read back."""
        return self.acknowledged + self.rejected + self.pending, self.acknowledged, self.verified


def standing_of(settings: Settings, name: str) -> Standing:
    """The standing of a sync, read from its state; while a run is at work nothing of it is known but that."""
    try:
        with open_workspace(settings, name, log=lambda text: None) as workspace:
            return _read(workspace)
    except AlreadyRunning:
        return Standing(status="at work")


def _read(workspace: Workspace) -> Standing:
    kinds = ", ".join(f"'{kind}'" for kind in _PENDING)
    found = workspace.con.execute(
        "with last as (select run_id, status, finished_at from state.runs order by started_at desc limit 1), "
        # a row that is tried again has an outcome each time: the newest counts
        "newest as (select number, arg_max(kind, noted_at) as kind from state.outcomes "
        "where run_id = (select run_id from last) group by number) "
        "select (select count(*) from state.acked where member), "
        "(select count(*) from state.acked where member and verdict = 'verified'), "
        "(select count(*) from state.issues where severity = 'error' and terminal is not null), "
        "(select count(*) from state.changes left join newest using (number) "
        f"where run_id = (select run_id from last) and coalesce(kind, 'aborted') in ({kinds})), "
        "(select status from last), (select finished_at from last)"
    ).fetchone()
    return Standing(*found) if found else Standing()
