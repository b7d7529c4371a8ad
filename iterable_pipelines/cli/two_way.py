"""`two-way`: catalog items and templates, and tables of the warehouse, kept alike as two_way/*.yml say."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from iterable_pipelines.cli.arguments import chosen_of
from iterable_pipelines.cli.console import CannotGoOn, out, plain, say, table
from iterable_pipelines.cli.runs import Runs
from iterable_pipelines.settings import Settings, load_settings
from iterable_pipelines.two_way.decide import Winner

if TYPE_CHECKING:
    from iterable_pipelines.two_way.declaration import TwoWay

two_way_app = typer.Typer(
    help="Catalog items and templates, and tables of the warehouse, kept alike both ways, as two_way/*.yml say.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
_NOTHING = (("", "", ""),)
Name = Annotated[str, typer.Argument(metavar="NAME", help="The file's name, without .yml.")]
Names = Annotated[list[str] | None, typer.Argument(metavar="NAME", help="The file's name, without .yml.")]
Everything = Annotated[bool, typer.Option("--all", help="Every two-way synchronization there is.")]
Approve = Annotated[
    list[str] | None, typer.Option("--approve", help="changes, deletes or empty_side: lets this run pass that guard.")
]


def _chosen(settings: Settings, names: list[str] | None, everything: bool) -> "list[TwoWay]":
    from iterable_pipelines.two_way.declaration import load_two_way

    known = {each.name: each for each in load_two_way(settings)}
    chosen = chosen_of(known, names, everything, "two-way synchronization", settings.project_root / "two_way")
    if not chosen:
        say(f"There is none yet: write {settings.project_root / 'two_way'}/NAME.yml; docs/two-way.md says how")
    return [known[each] for each in chosen]


@two_way_app.command("list")
def list_() -> None:
    """Show every two-way synchronization, and where it stands."""
    from iterable_pipelines.two_way.by_hand import standing_of

    settings = load_settings()
    numbers = ("alike", "awaited", "not alike")
    columns = ("name", "object", "table", "conflict", *numbers, "last run (UTC)", "status")
    shown = table("Two-way", *columns, numbers=numbers)
    chosen = _chosen(settings, None, True)
    for each in chosen:
        found = standing_of(settings, each)
        counts = (found.alike, found.awaited, sum(found.problems.values()))
        last = f"{found.finished:%Y-%m-%d %H:%M}" if found.finished else "never"
        status = (found.status or "never run") if each.enabled else "switched off"
        shown.add_row(each.name, each.object, each.table, each.conflict, *(f"{n:,}" for n in counts), last, status)
    if chosen:
        out().print(shown)
        say("Next: iterable-pipelines two-way plan NAME")


@two_way_app.command()
def plan(name: Names = None, everything: Everything = False) -> None:
    """Say what a run would do on either side, the first of it field by field; change nothing."""
    from iterable_pipelines.two_way.run import plan_two_way

    settings = load_settings()
    for each in _chosen(settings, name, everything):
        found = plan_two_way(settings, each, log=say)
        rows = [
            (change.key, change.action, *one) for change in found.changes for one in change.fields or (("", "", ""),)
        ]
        if rows:
            shown = table(f"{each.name}: the first changes", "key", "action", "member", "in the table", "in Iterable")
            for key, action, *values in rows:
                shown.add_row(escape(key), action, *map(_text, values))
            out().print(shown)
        for statement in found.makes:
            say(f"{each.name}: would run {statement}")
        say(f"{each.name}: {found}")


@two_way_app.command()
def run(
    name: Names = None,
    everything: Everything = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="The same as two-way plan: nothing is changed.")] = False,
    approve: Approve = None,
) -> None:
    """Make both sides alike now, as a run that Dagster's UI shows."""
    if dry_run:
        plan(name, everything)
        return
    settings = load_settings()
    chosen = _chosen(settings, name, everything)
    if not chosen:
        return
    import dagster as dg

    from iterable_pipelines.automation import two_way as job
    from iterable_pipelines.two_way.assets import checked_approvals, two_way_definitions
    from iterable_pipelines.two_way.by_hand import standing_of

    checked_approvals(approve or [])
    assets = [f"two_way/{each.name}" for each in chosen]
    options = {key: {"approve": approve or []} for key in assets}
    told: list[str] = []
    # all the other definitions would only be waited for
    definitions = dg.Definitions.merge(two_way_definitions(settings), dg.Definitions(jobs=[job]))
    with Runs(settings, lambda: definitions) as runs:
        outcome = runs.run(job.name, assets, config=options, said=told.append)
    for line in told:
        say(line)
    if outcome.failed:
        raise CannotGoOn("\n".join(outcome.failed.values()))
    for each in chosen:
        if standing_of(settings, each).problems:
            say(f"{each.name}: some records are not alike. Next: iterable-pipelines two-way conflicts {each.name}")


@two_way_app.command()
def show(name: Name) -> None:
    """Show where one stands: what is alike, awaited, kept on one side, or cannot be made alike."""
    from iterable_pipelines.two_way.by_hand import standing_of

    settings = load_settings()
    (two_way,) = _chosen(settings, [name], False)
    found = standing_of(settings, two_way)
    shown = table(f"{name}: {two_way.table} and Iterable", "what", "records", numbers=("records",))
    for what, number in (
        ("alike", found.alike),
        ("sent, and not shown by Iterable yet", found.awaited),
        ("deleted on one side and kept on the other", found.kept),
        *(("not alike: " + code, count) for code, count in found.problems.items()),
    ):
        shown.add_row(what, f"{number:,}")
    out().print(shown)
    if found.finished:
        done = ", ".join(f"{sum(each.values()):,} {action}" for action, each in found.counts.items())
        say(f"Last run {found.finished:%Y-%m-%d %H:%M} UTC: {found.status}: {done or 'nothing had to be done'}")
    if found.note:
        say(found.note)


@two_way_app.command()
def conflicts(name: Name) -> None:
    """Show the records that are not alike on both sides, and why."""
    from iterable_pipelines.two_way.by_hand import problems_of

    settings = load_settings()
    (two_way,) = _chosen(settings, [name], False)
    found = problems_of(settings, two_way)
    if not found:
        say(f"{name}: the last run left nothing that is not alike")
        return
    shown = table(f"{name}: not alike", "key", "code", "why", "member", "in the table", "in Iterable")
    for each in found:
        for fields in each.fields or _NOTHING:
            shown.add_row(escape(each.key), each.code, plain(each.message), *map(_text, fields))
    out().print(shown)
    if any(each.code == "conflict" for each in found):
        say(f"Next: iterable-pipelines two-way resolve {name} KEY warehouse, or … iterable")


@two_way_app.command()
def resolve(
    name: Name,
    key: Annotated[str, typer.Argument(metavar="KEY", help="The record, as two-way conflicts shows it.")],
    winner: Annotated[Winner, typer.Argument(help="Who wins.")],
) -> None:
    """Say which side wins the conflict about one record; the next run does it."""
    from iterable_pipelines.two_way import by_hand

    settings = load_settings()
    (two_way,) = _chosen(settings, [name], False)
    by_hand.resolve(settings, two_way, key, winner)
    say(f"{name}: {winner} wins about {key}. Next: iterable-pipelines two-way run {name}")


def _text(value: Any) -> str:
    return plain(value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False))
