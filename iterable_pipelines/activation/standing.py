"""Where a sync stands as a whole: what Iterable has, what was read back, what it refused, and when it last ran."""

from dataclasses import dataclass
from datetime import datetime

from iterable_pipelines.activation.errors import AlreadyRunning
from iterable_pipelines.activation.state import open_workspace
from iterable_pipelines.settings import Settings

_STANDING = """
    -- without a payload nothing was sent: it was there before the first run
    with acknowledged as (from state.acked where member and payload is not null)
    select (select count(*) from acknowledged), (select count(*) from acknowledged where verdict = 'verified'),
        (select count(*) from state.issues where severity = 'error'),
        -- nobody is at work here: whoever can read this has the state
        (select arg_max(if(finished_at is null, 'interrupted', status), started_at) from state.runs),
        (select max(finished_at) from state.runs)
"""


@dataclass(frozen=True)
class Standing:
    """Records: a row of an audience may have three. `status` and `finished` (UTC) are of the last run."""

    acknowledged: int = 0
    verified: int = 0
    rejected: int = 0
    status: str | None = None
    finished: datetime | None = None


def standing_of(settings: Settings, name: str) -> Standing:
    """The standing of a sync, from its state; while a run is at work no more than that is known."""
    try:
        with open_workspace(settings, name, log=lambda text: None) as workspace:
            found = workspace.con.execute(_STANDING).fetchone()
    except AlreadyRunning:
        return Standing(status="at work")
    return Standing(*found) if found else Standing()
