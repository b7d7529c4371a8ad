"""`campaign gate` and `campaign gates`: whether a campaign may be sent now, and why not."""

from typing import TYPE_CHECKING, Annotated

import typer

from iterable_pipelines.campaigns.declaration import FOLDER, GatedCampaign, load_campaigns
from iterable_pipelines.cli.arguments import chosen_of
from iterable_pipelines.cli.console import out, plain, say, table
from iterable_pipelines.cli.who import who
from iterable_pipelines.settings import Settings, load_settings

if TYPE_CHECKING:
    from iterable_pipelines.campaigns.gates import Check

# as `sync plan` leaves where a guard says no
_CLOSED = 4
_COLOURS = {"passed": "green", "overridden": "yellow", "failed": "red", "unknown": "red"}


def gate(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A file in campaigns/, without .yml.")],
) -> None:
    """Look at every check of a campaign's gate, and send nothing; exits with 0 open, 4 closed."""
    pass_gate(name, approve=False, overrides=[], because="")


def gates() -> None:
    """Show the campaigns that have a gate: whom they go to, what is looked at, and when."""
    found = load_campaigns(load_settings())
    if not found:
        say(f"There is no gate yet: write {FOLDER}/NAME.yml (docs/campaigns.md)")
        return
    shown = table("Gates", "name", "campaign", "goes to", "checks", "runs (UTC)", "sends by itself")
    for each in found:
        to = each.audience or ", ".join(map(str, each.list_ids))
        shown.add_row(
            *(each.name, str(each.campaign_id), to, ", ".join(each.checks)),
            *(each.schedule or "by hand", "yes" if each.approve else ""),
        )
    out().print(shown)
    say("Next: iterable-pipelines campaign gate NAME")


def pass_gate(name: str, approve: bool, overrides: list[str], because: str) -> None:
    """Show what the checks find, and with `approve` send the campaign if they all pass."""
    from iterable_pipelines.campaigns.gated import Override, trigger_gated
    from iterable_pipelines.campaigns.summary import summary

    settings = load_settings()
    gated = trigger_gated(
        settings,
        _one(settings, name),
        who(),
        approve=approve,
        override=Override(tuple(overrides), because),
        log=say,
        decided=lambda checks: _show(name, checks),
    )
    for line in summary(gated.report) if gated.report else ():
        say(line)
    if approve:
        return
    if gated.closed:
        say(f"{name}: the gate is closed: {', '.join(each.name for each in gated.closed)}. Nothing was sent.")
        raise typer.Exit(_CLOSED)
    say(f"{name}: the gate is open. Nothing was sent.\nNext: iterable-pipelines campaign trigger {name} --approve")


def _one(settings: Settings, name: str) -> GatedCampaign:
    known = {each.name: each for each in load_campaigns(settings)}
    return known[chosen_of(known, [name], False, "campaign", settings.project_root / FOLDER)[0]]


def _show(name: str, checks: "list[Check]") -> None:
    shown = table(f"{name}: its gate", "check", "", "what was found")
    for each in checks:
        shown.add_row(each.name, f"[{_COLOURS[each.word]}]{each.word}[/]", plain(each.text, 200))
    out().print(shown)
