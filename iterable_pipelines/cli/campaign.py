"""`campaign`: campaigns and journeys as wholes. This file names the commands, and has those about earlier calls."""

from dataclasses import asdict
from typing import Annotated

import typer

from iterable_pipelines.cli.campaign_gate import gate, gates
from iterable_pipelines.cli.campaign_procedures import (
    abort,
    activate,
    cancel,
    deactivate,
    journey,
    schedule,
    send,
    trigger,
)
from iterable_pipelines.cli.console import CannotGoOn, out, plain, say, table
from iterable_pipelines.cli.who import who
from iterable_pipelines.settings import load_settings

campaign_app = typer.Typer(
    help="Campaigns and journeys as wholes: stop, start and send them. Nothing is done without --approve.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
for command in (gate, gates, trigger, send, schedule, abort, cancel, activate, deactivate, journey):
    campaign_app.command()(command)


@campaign_app.command()
def calls(
    limit: Annotated[int, typer.Option(min=1, help="So many of the newest.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show who has called what, dry runs too, and what came of it."""
    import json

    from iterable_pipelines.campaigns.ledger import CallLedger

    ledger = CallLedger(load_settings())
    found = ledger.calls()[:limit]
    if as_json:
        say(json.dumps([asdict(each) for each in found], indent=2, default=str))
        return
    shown = table("Calls", "call", "planned (UTC)", "procedure", "about", "by", "state", "note")
    for each in found:
        about = f"campaign {each.campaign_id}" if each.campaign_id else f"journey {each.arguments['workflow_id']}"
        shown.add_row(
            *(each.id, f"{each.planned_at:%Y-%m-%d %H:%M}", each.procedure, about, plain(each.who, 40), each.state),
            plain(each.note or each.response, 100),
        )
    out().print(shown)
    if ledger.in_doubt():
        say("Next: iterable-pipelines campaign settle")


@campaign_app.command()
def settle(
    call_id: Annotated[str | None, typer.Argument(metavar="CALL", help="One call; without, all in doubt.")] = None,
    happened: Annotated[bool, typer.Option("--happened", help="I have looked: it has.")] = False,
    did_not: Annotated[bool, typer.Option("--did-not", help="I have looked: it has not.")] = False,
) -> None:
    """Find out what became of calls whose answer was lost: by asking Iterable, or by what you know yourself."""
    from iterable_pipelines.campaigns.calls import client_of
    from iterable_pipelines.campaigns.doubts import next_of, resolve
    from iterable_pipelines.campaigns.doubts import settle as settle_by_reading
    from iterable_pipelines.campaigns.errors import CallAtWork
    from iterable_pipelines.campaigns.ledger import CallLedger

    settings = load_settings()
    if happened or did_not:
        if call_id is None or (happened and did_not):
            raise CannotGoOn(
                "--happened and --did-not are about one call, and exclude each other. Nothing was changed.\n"
                "Next: iterable-pipelines campaign calls"
            )
        found = resolve(settings, call_id, "done" if happened else "not_done", who(), say)
        say(f"call {found.id}: {found.state}, as you say")
        return
    wanted = [call_id] if call_id else [each.id for each in CallLedger(settings).in_doubt()]
    client = client_of(settings, say)
    doubtful = []
    for each in wanted:
        try:
            found = settle_by_reading(settings, each, client, log=say)
        except CallAtWork as busy:
            say(f"call {each}: {busy}")
            continue
        say(f"call {found.id}, {found.procedure}: {found.state}" + (f": {found.note}" if found.note else ""))
        doubtful += [found] if found.state == "unknown" else []
    if not wanted:
        say("No call is in doubt.")
    if doubtful:
        raise CannotGoOn(f"{len(doubtful)} calls are still in doubt.\nNext: {next_of(doubtful[0])}")
