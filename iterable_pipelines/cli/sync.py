"""`sync`: what goes from the warehouse to Iterable, as syncs/*.yml say. This file lists them and names the commands."""

from typing import Annotated

import typer
from rich.markup import escape

from iterable_pipelines.activation.objects import load_syncs
from iterable_pipelines.cli.console import CannotGoOn, out, say, table
from iterable_pipelines.cli.sync_arguments import no_sync_yet
from iterable_pipelines.cli.sync_plan import plan
from iterable_pipelines.cli.sync_retire import retire, tell_orphans
from iterable_pipelines.cli.sync_rows import errors
from iterable_pipelines.cli.sync_run import run, send
from iterable_pipelines.cli.sync_state import reset, resolve
from iterable_pipelines.cli.sync_values import preview
from iterable_pipelines.cli.sync_verify import verify
from iterable_pipelines.settings import load_settings

sync_app = typer.Typer(
    help="Users, events, audiences and traits from the warehouse to Iterable, as syncs/*.yml say.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@sync_app.command("list")
def list_() -> None:
    """Show every sync: what it sends, where it stands, and when it runs."""
    from iterable_pipelines.activation.standing import standing_of

    settings = load_settings()
    syncs = load_syncs(settings)
    tell_orphans(settings, syncs)
    if not syncs:
        no_sync_yet(settings)
        return
    numbers = ("acknowledged", "verified", "rejected")
    shown = table(
        "Syncs", "sync", "object", "mode", "source", "runs", *numbers, "last run (UTC)", "status", numbers=numbers
    )
    for each in syncs:
        found = standing_of(settings, each.name)
        shown.add_row(
            each.name,
            each.object,
            each.mode,
            escape(each.source if isinstance(each.source, str) else "a query"),
            each.frequency if each.enabled else "switched off",
            *(f"{number:,}" for number in (found.acknowledged, found.verified, found.rejected)),
            f"{found.finished:%Y-%m-%d %H:%M}" if found.finished else "never",
            found.status or "never run",
        )
    out().print(shown)
    say("Next: iterable-pipelines sync plan NAME")


@sync_app.command()
def exposures(
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail if the file is not up to date.")] = False,
) -> None:
    """Write dbt's exposures of the syncs, dbt_models/models/exposures.yml; the same syncs give the same bytes."""
    from iterable_pipelines.activation import exposures as written
    from iterable_pipelines.activation.models import models
    from iterable_pipelines.activation.source import tables_read

    settings = load_settings()
    syncs, known, path = load_syncs(settings), models(settings), written.exposures_path(settings)
    text = written.exposures(syncs, {each.name: tables_read(settings, each) for each in syncs}, known)
    if path.exists() and path.read_text(encoding="utf-8") == text:
        say(f"{path} is up to date: {len(syncs)} syncs")
    elif check:
        raise CannotGoOn(
            f"{path} is not what syncs/*.yml say. Nothing was changed.\nNext: iterable-pipelines sync exposures"
        )
    else:
        path.write_text(text, encoding="utf-8")
        say(f"{path}: {len(syncs)} syncs")


for command in (plan, run, preview, send, verify, errors, reset, resolve, retire):
    sync_app.command()(command)
