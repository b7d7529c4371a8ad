"""`track-calls`: send events to the destinations of track_calls/*.yml now, as a run that Dagster's UI shows."""

from typing import Annotated

import typer
from rich.markup import escape

from iterable_pipelines.cli.arguments import chosen_of
from iterable_pipelines.cli.console import CannotGoOn, out, say, table
from iterable_pipelines.cli.runs import Runs
from iterable_pipelines.settings import load_settings
from iterable_pipelines.track_calls import Preview, load_destinations, preview
from iterable_pipelines.track_calls.declaration import FOLDER


def track_calls(
    name: Annotated[list[str] | None, typer.Argument(metavar="NAME", help="The file's name, without .yml.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every destination there is.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent; send nothing.")] = False,
    show: Annotated[
        int,
        typer.Option(min=0, max=100, help="With --dry-run: print so many of the newest calls, with who they are of."),
    ] = 0,
) -> None:
    """Send events as track calls of Segment's shape, as track_calls/*.yml say; each event once."""
    settings = load_settings()
    known = {each.name: each for each in load_destinations(settings)}
    chosen = chosen_of(known, name, everything, "destination", settings.project_root / FOLDER)
    if show and not dry_run:
        raise typer.BadParameter("--show goes with --dry-run")
    if off := [each for each in chosen if not known[each].enabled and not everything]:
        raise typer.BadParameter(f"{off[0]} is switched off: {FOLDER}/{off[0]}.yml says enabled: false")
    chosen = [each for each in chosen if known[each].enabled]
    if not chosen:
        say(f"There is no destination yet: write {settings.project_root / FOLDER}/NAME.yml")
        return
    if dry_run:
        for each in chosen:
            _print(each, preview(settings, known[each], show), from_now=known[each].since is None)
        return
    from iterable_pipelines.automation import send_track_calls as job

    told: list[str] = []
    with Runs(settings) as runs:
        outcome = runs.run(job.name, [f"{FOLDER}/{each}" for each in chosen], said=told.append)
    for line in told:
        say(line)
    if outcome.failed:
        raise CannotGoOn("\n".join(outcome.failed.values()))


def _print(name: str, found: Preview, from_now: bool) -> None:
    if found.counts:
        shown = table(f"{name}: what would be sent", "event", "calls", numbers=("calls",))
        for event, calls in found.counts.most_common():
            shown.add_row(event, f"{calls:,}")
        out().print(shown)
    hint = "; since: now begins with the first run" if from_now and not found.counts else ""
    say(
        f"{name}: {found.counts.total():,} calls, {found.rejected:,} that nobody would take, {found.waiting:,} waiting "
        f"from before; nothing was sent{hint}"
    )
    if found.reasons:
        shown = table(f"{name}: rejected so far", "event", "reason", "calls", numbers=("calls",))
        for event, reason, calls in found.reasons:
            shown.add_row(event, escape(reason), f"{calls:,}")
        out().print(shown)
    for call in found.newest:
        say(call)
