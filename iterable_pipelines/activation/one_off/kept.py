"""How long the state of a one-off write is kept: a week after it ended well, or until what is in doubt is settled."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from iterable_pipelines.activation.errors import AlreadyRunning
from iterable_pipelines.activation.state import FOLDER, open_workspace, state_path
from iterable_pipelines.hours import now
from iterable_pipelines.settings import Settings

PREFIX = "once-"
# so long the same command again sends nothing twice, and can be asked whether all of it arrived
KEPT = timedelta(days=7)
_OPEN = (
    "select (select count(*) from state.outbox where state in ('sending', 'unknown')) + "
    "(select count(*) from state.runs where finished_at is null)"
)


def forget_finished(settings: Settings, log: Callable[[str], None]) -> None:
    """Remove the states of writes that ended well more than a week ago."""
    for path in sorted((settings.data_dir / FOLDER).glob(f"{PREFIX}*.duckdb")):
        if now().timestamp() - path.stat().st_mtime < KEPT.total_seconds():
            continue
        try:
            with open_workspace(settings, path.stem, log=log) as workspace:
                found = workspace.con.execute(_OPEN).fetchone()
        except AlreadyRunning:
            continue
        if found and not found[0]:
            state = state_path(settings, path.stem)
            for each in (state, Path(f"{state}.wal"), Path(f"{state}.lock")):
                each.unlink(missing_ok=True)
