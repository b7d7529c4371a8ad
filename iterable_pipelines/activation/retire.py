"""What becomes of an audience or trait whose file is deleted: nothing in Iterable, unless members are to exit (P9)."""

from collections.abc import Callable, Collection

from iterable_pipelines.activation.declaration import Approval, Guards, Sql, Sync
from iterable_pipelines.activation.errors import ActivationRefused
from iterable_pipelines.activation.keys import bury_key, orphans
from iterable_pipelines.activation.objects import load_syncs
from iterable_pipelines.activation.options import Options
from iterable_pipelines.activation.project import Project
from iterable_pipelines.activation.report import RunReport
from iterable_pipelines.activation.run import run_sync
from iterable_pipelines.activation.send import Pace
from iterable_pipelines.quoting import quoted
from iterable_pipelines.settings import Settings


def retire_sync(
    settings: Settings,
    name: str,
    approve: Collection[Approval] = (),
    log: Callable[[str], None] = print,
    pace: Pace | None = None,
) -> RunReport:
    """Make the key of a deleted sync a tombstone; with `on_delete: exit_members`, after its members were told to leave.

    Members are told as the file last said. Fields and lists stay in Iterable, where they can only be hidden or deleted
    by hand. Raises ActivationRefused for a sync that still has its file, or none to retire, and what run_sync raises.
    """
    declared = {sync.name for sync in load_syncs(settings)}
    sync = next((each.sync for each in orphans(settings, declared) if each.sync.name == name), None)
    if sync is None:
        why, then = "there is no audience or trait of that name, or it is retired already", ""
        if name in declared:
            why, then = f"syncs/{name}.yml is there", f"delete syncs/{name}.yml first; "
        raise ActivationRefused(
            f"{name} cannot be retired: {why}. Nothing was sent.\n"
            f"Next: {then}iterable-pipelines sync list shows what is there"
        )
    report = RunReport("", "succeeded", note=f"{name} is retired; in Iterable everything stays as it is.")
    if getattr(sync, "on_delete", "keep") == "exit_members":
        if "delete" not in approve:
            raise ActivationRefused(
                f"{name}: every member will be told to leave (on_delete: exit_members). Nothing was sent.\n"
                f"Next: iterable-pipelines sync retire {name} --approve delete; or put the file back"
            )
        report = run_sync(settings, _emptied(sync), Options(approve=("empty_source", "mass_exit")), log, pace=pace)
    if report.status == "succeeded":
        bury_key(Project.of(settings, sync), name)
    return report


def _emptied(sync: Sync) -> Sync:
    """The sync with a source that has its columns and no rows: the table it read may be gone too."""
    columns = sorted({*sync.roles, *sync.bookkeeping, *sync.targets})
    nothing = ", ".join(f"null::varchar as {quoted(each)}" for each in columns)
    changes = {"source": Sql(sql=f"select {nothing} where false"), "guards": Guards(allow_empty=True), "enabled": True}
    return sync.model_copy(update=changes)
