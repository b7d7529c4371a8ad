"""`sync verify`: what was acknowledged is read back from Iterable."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from iterable_pipelines.cli.console import CannotGoOn, out, say, table
from iterable_pipelines.cli.sync_arguments import Everything, Names, chosen_syncs, no_sync_yet
from iterable_pipelines.settings import load_settings

if TYPE_CHECKING:
    from iterable_pipelines.activation.verify import Verified

_FIGURES = ("verified", "mismatch", "missing", "drifted", "pending", "unseen", "lookups")


def verify(
    name: Names = None,
    everything: Everything = False,
    full: Annotated[bool, typer.Option("--full", help="Every record, not 50 of each kind.")] = False,
) -> None:
    """Read back what Iterable acknowledged, and say which records are not there as they were sent."""
    from iterable_pipelines.activation.verify import verify_sync

    settings = load_settings()
    chosen = chosen_syncs(settings, name, everything)
    if not chosen:
        no_sync_yet(settings)
        return
    found = [verify_sync(settings, each, full, say) for each in chosen]
    shown = table("Read back", "sync", *_FIGURES, numbers=_FIGURES)
    for each in found:
        shown.add_row(each.sync, *(f"{getattr(each, figure):,}" for figure in _FIGURES))
    out().print(shown)
    for each in found:
        _tell(each)
    if wrong := [each.sync for each in found if each.wrong]:
        raise CannotGoOn(
            f"{', '.join(wrong)}: not everything is at Iterable as it was sent; what is stored here is safe.\n"
            f"Next: iterable-pipelines sync send {wrong[0]} --pk … sends a row again, `drift: correct` each of them"
        )


def _tell(found: "Verified") -> None:
    for each in found.lists:
        size = "it is gone" if each.size is None else f"{each.size:,} on it"
        foreign = f", {each.foreign:,} of them not by this sync" if each.foreign else ""
        say(f"{found.sync}: list {each.list_id}: {size}{foreign}; {each.acknowledged:,} acknowledged")
    if found.wrong:
        shown = table(f"{found.sync}: not as it was sent", "primary key", "output", "what", "fields")
        for wrong in found.wrong:
            shown.add_row(escape(wrong.pk), wrong.output, wrong.verdict, escape(wrong.fields or ""))
        out().print(shown)
    if found.pending:
        say(f"{found.sync}: {found.pending:,} are pending, too young to be read back: the same command later does it")
    if found.note:
        say(f"{found.sync}: {found.note}")
