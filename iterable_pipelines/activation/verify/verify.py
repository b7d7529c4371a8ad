"""What was acknowledged is read back. Iterable's yes is a promise, and only a reading says that it was kept."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from iterable_pipelines.activation.declaration import Sync
from iterable_pipelines.activation.project import Project
from iterable_pipelines.activation.state import state_path
from iterable_pipelines.activation.verify.forgotten import find_forgotten
from iterable_pipelines.activation.verify.items import Items
from iterable_pipelines.activation.verify.lists import ListCount, count_lists, read_members
from iterable_pipelines.activation.verify.notebook import Notebook
from iterable_pipelines.activation.verify.people import People
from iterable_pipelines.activation.verify.publish import publish_findings
from iterable_pipelines.activation.verify.published_copy import find_in_copy
from iterable_pipelines.api import Iterable as Client
from iterable_pipelines.api import Priority
from iterable_pipelines.hours import now
from iterable_pipelines.landing.scratch import scratch_folder
from iterable_pipelines.settings import Settings

Log = Callable[[str], None]
Connect = Callable[[], Client]

_SHOWN = 20
_BY_HASH = "endpoint in ('forget', 'unforget')"


@dataclass(frozen=True)
class Wrong:
    """A record that is not at Iterable as it was acknowledged; `fields` are names, never values."""

    pk: str
    output: str
    verdict: str
    fields: str | None


@dataclass(frozen=True)
class Verified:
    """What a verification found, in records.

    pending: too young to be looked for. unseen: Iterable does not show enough to tell. mismatch and missing were never
    right; drifted were, and somebody else has changed them. `from_copy` of the verified took no request, `lookups` did.
    `wrong` are the first twenty; all of them stand in the state, and in the table activation.sync_mismatches.
    """

    sync: str
    verified_at: datetime
    full: bool
    verified: int = 0
    mismatch: int = 0
    missing: int = 0
    drifted: int = 0
    pending: int = 0
    unseen: int = 0
    from_copy: int = 0
    lookups: int = 0
    lists: tuple[ListCount, ...] = ()
    wrong: tuple[Wrong, ...] = ()
    note: str = ""

    @property
    def checked(self) -> int:
        """How many could be told."""
        return self.verified + self.mismatch + self.missing + self.drifted

    @property
    def ratio(self) -> float:
        """The share of those that were told which is as it was sent; 1 if there were none."""
        return self.verified / self.checked if self.checked else 1.0

    def as_json(self) -> dict[str, Any]:
        """The figures alone, without what is wrong."""
        figures = asdict(self) | {"checked": self.checked, "ratio": self.ratio}
        return {name: value for name, value in figures.items() if name not in ("wrong", "verified_at")}


def verify_sync(
    settings: Settings, sync: Sync, full: bool = False, log: Log = print, connect: Connect | None = None
) -> Verified:
    """Read back what was acknowledged: 50 records of each output, and 50 that were wrong, or with `full` all of them.

    First by what the import has brought since, which takes no request, then user by user. What was found before an
    IterableError is noted all the same; readers find it in the schema `activation`. With `drift: correct` what is wrong
    is sent again by the next run. Raises AlreadyRunning while a run has the state, ActivationRefused if the state is
    another project's.
    """
    project = Project.of(settings, sync)
    begun = now()
    if not state_path(settings, sync.name).exists():
        return Verified(sync.name, begun, full, note="nothing was sent yet")
    # whoever sends goes first
    ask = connect or (lambda: project.client(log, Priority.AUDIT))
    settings.landing_dir.mkdir(parents=True, exist_ok=True)
    with scratch_folder(settings.landing_dir, "verify-") as folder:
        notebook = Notebook(settings, sync, folder, log)
        try:
            notebook.load(project, full)
            verified = _verify(notebook, full, begun, ask)
        finally:
            notebook.close()
    publish_findings(settings, sync, log)
    return verified


def _verify(notebook: Notebook, full: bool, begun: datetime, connect: Connect) -> Verified:
    people, lists = People(connect, now), []
    try:
        # the import is of the project of the settings, and of no other
        if notebook.sync.connection is None:
            notebook.add(find_in_copy(notebook, full))
        from_copy = notebook.counts["verified"]
        lists = count_lists(notebook, connect())
        if full:
            lists = [read_members(notebook, each, connect) for each in lists]
        forgotten = [each for group in notebook.groups(f"chosen and {_BY_HASH}") for each in group]
        if forgotten:
            notebook.add(zip(forgotten, find_forgotten(connect(), forgotten), strict=True))
        items = Items(notebook, connect())
        notebook.add(items.look_for())
        people.lookups += items.lookups
        notebook.add(people.look_for(notebook.groups()))
    finally:
        notebook.note()
    counts: dict[str, Any] = {str(verdict): count for verdict, count in notebook.counts.items()}
    verified = Verified(
        notebook.sync.name,
        begun,
        full,
        **counts,
        from_copy=from_copy,
        lookups=people.lookups,
        lists=tuple(lists),
        wrong=tuple(Wrong(*row) for row in notebook.wrong(_SHOWN)),
    )
    notebook.note_figures(json.dumps(verified.as_json()), begun)
    return verified
