"""What can be said for one run: in the launchpad, and on the command line (outbound.md 6.3)."""

from dataclasses import dataclass
from datetime import datetime

from iterable_pipelines.activation.declaration import Approval


@dataclass(frozen=True)
class Options:
    """approve: guards that may let this run pass. only_pks: these rows only. limit: the first so many rows by primary
    key; others stay as they are. as_of: the moment that windows end at, default the full hour. offline: a plan asks
    Iterable nothing.
    """

    dry_run: bool = False
    approve: tuple[Approval, ...] = ()
    only_pks: tuple[str, ...] = ()
    limit: int | None = None
    as_of: datetime | None = None
    offline: bool = False
    dagster_run_id: str | None = None
