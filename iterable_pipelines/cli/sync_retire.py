"""`sync retire`: what becomes of an audience or trait whose file was deleted (P9)."""

from typing import Annotated

import typer

from iterable_pipelines.activation.declaration import Sync
from iterable_pipelines.activation.options import options_of
from iterable_pipelines.cli.console import CannotGoOn, say
from iterable_pipelines.cli.sync_arguments import Approve
from iterable_pipelines.cli.sync_run import show_report
from iterable_pipelines.settings import Settings, load_settings


def retire(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name of the file that was deleted, without .yml.")],
    approve: Approve = None,
) -> None:
    """Close a deleted audience or trait: with `on_delete: exit_members` its members are told to leave first.

    Its field stays in Iterable, where none is ever deleted, and nobody gets its key again.
    """
    from iterable_pipelines.activation.retire import retire_sync

    approved = options_of(False, approve or [], [], None, None).approve
    report = retire_sync(load_settings(), name, approved, say)
    show_report(name, report)
    if report.status != "succeeded":
        raise CannotGoOn(
            f"{name}: not everybody was told to leave yet.\nNext: the same command again: it goes on from there"
        )


def tell_orphans(settings: Settings, syncs: list[Sync]) -> None:
    """Name the keys whose file is gone, if there are any."""
    from iterable_pipelines.activation.keys import orphans

    for each in orphans(settings, {sync.name for sync in syncs}):
        say(
            f"{each.sync.name}: its file is gone, and in Iterable its key {each.key} is as it was.\n"
            f"Next: iterable-pipelines sync retire {each.sync.name}, or put the file back"
        )
