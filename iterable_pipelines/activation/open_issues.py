"""What is wrong with rows of a sync now, from its state: their primary keys and codes, never their values."""

from dataclasses import dataclass
from datetime import datetime

from iterable_pipelines.activation.declaration import Sync
from iterable_pipelines.activation.state import open_workspace
from iterable_pipelines.settings import Settings


@dataclass(frozen=True)
class OpenIssue:
    """One row's trouble with one output. `message` holds no value of the row; `first_seen` is UTC."""

    pk: str
    output: str
    code: str
    path: str
    message: str
    attempts: int
    first_seen: datetime


@dataclass(frozen=True)
class OpenIssues:
    """`counts`: code, severity and rows, most first. `rows` are the newest."""

    counts: tuple[tuple[str, str, int], ...]
    rows: tuple[OpenIssue, ...]


def open_issues(settings: Settings, sync: Sync, code: str | None = None, limit: int = 20) -> OpenIssues:
    """The open issues, of one code if it is given. Raises AlreadyRunning while a run is at work."""
    with open_workspace(settings, sync.name, log=lambda text: None) as workspace:
        of_code = "from state.issues where ?::text is null or code = ?"
        counts = workspace.con.execute(
            f"select code, severity, count(*) {of_code} group by all order by 3 desc, 1", [code, code]
        ).fetchall()
        rows = workspace.con.execute(
            f"select pk, output, code, coalesce(path, ''), message, attempts, first_seen {of_code} "
            f"order by severity = 'warning', last_seen desc, pk limit {limit:d}",
            [code, code],
        ).fetchall()
    return OpenIssues(tuple(counts), tuple(OpenIssue(*row) for row in rows))
