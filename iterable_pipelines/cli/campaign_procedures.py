"""`campaign abort`, `trigger`, `cancel` and the others: what happens once, and only with --approve."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from iterable_pipelines.campaigns.errors import CallRefused
from iterable_pipelines.campaigns.procedures import (
    AbortCampaign,
    ActivateTriggeredCampaign,
    CancelScheduledOrRecurringCampaign,
    DeactivateTriggeredCampaign,
    Procedure,
    ScheduleCampaign,
    SendCampaign,
    TriggerCampaign,
    TriggerJourney,
    procedure_of,
)
from iterable_pipelines.cli.campaign_gate import pass_gate
from iterable_pipelines.cli.console import say
from iterable_pipelines.cli.who import who
from iterable_pipelines.settings import load_settings

if TYPE_CHECKING:
    from iterable_pipelines.campaigns.calls import Report

# as `sync plan` leaves where a guard says no
_OBJECTED = 4

Id = Annotated[int, typer.Argument(metavar="ID", help="Iterable's id of the campaign.")]
Approve = Annotated[bool, typer.Option("--approve", help="Do it. Without, only say what would be done.")]
Data = Annotated[str | None, typer.Option("--data", help='Data fields as JSON: \'{"code": "SUMMER"}\'.')]


def abort(campaign_id: Id, approve: Approve = False) -> None:
    """Stop a campaign that is being sent."""
    _call(AbortCampaign, {"campaign_id": campaign_id}, approve)


def cancel(campaign_id: Id, approve: Approve = False) -> None:
    """Call off a campaign that is scheduled or recurring."""
    _call(CancelScheduledOrRecurringCampaign, {"campaign_id": campaign_id}, approve)


def activate(campaign_id: Id, approve: Approve = False) -> None:
    """Let a triggered campaign send from now on."""
    _call(ActivateTriggeredCampaign, {"campaign_id": campaign_id}, approve)


def deactivate(campaign_id: Id, approve: Approve = False) -> None:
    """Let a triggered campaign send no more."""
    _call(DeactivateTriggeredCampaign, {"campaign_id": campaign_id}, approve)


def send(campaign_id: Id, approve: Approve = False) -> None:
    """Send a campaign now, to its own lists."""
    _call(SendCampaign, {"campaign_id": campaign_id}, approve)


def schedule(
    campaign_id: Id,
    at: Annotated[str, typer.Option(help="When, with its time zone: 2026-11-23T09:00+01:00, or …Z.")],
    start_time_zone: Annotated[
        str | None, typer.Option(help="By the recipients' own time zones: the first of them, Pacific/Auckland.")
    ] = None,
    default_time_zone: Annotated[str | None, typer.Option(help="The zone of recipients who have none.")] = None,
    approve: Approve = False,
) -> None:
    """Have a campaign sent at a moment within the next seven days."""
    zones = {"start_time_zone": start_time_zone, "default_time_zone": default_time_zone}
    _call(ScheduleCampaign, {"campaign_id": campaign_id, "send_at": at, **zones}, approve)


def trigger(
    campaign: Annotated[str, typer.Argument(metavar="NAME|ID", help="A file in campaigns/, or Iterable's id.")],
    lists: Annotated[list[int] | None, typer.Option("--list", help="By id: a list to send to; repeatable.")] = None,
    suppress: Annotated[list[int] | None, typer.Option(help="By id: a list that gets nothing; repeatable.")] = None,
    data: Data = None,
    repeat: Annotated[
        bool | None,
        typer.Option("--repeat/--no-repeat", help="By id: whether who has had it gets it again. Left out: yes."),
    ] = None,
    override: Annotated[list[str] | None, typer.Option(help="By name: a check to set aside; repeatable.")] = None,
    because: Annotated[str, typer.Option(help="Why it is set aside; it is kept.")] = "",
    approve: Approve = False,
) -> None:
    """Send a triggered campaign to lists: by name through its gate, by id as the options say."""
    if not campaign.isdigit():
        if lists or suppress or data or repeat is not None:
            raise CallRefused(
                f"campaigns/{campaign}.yml says whom it goes to: --list, --suppress, --data and --no-repeat are for "
                f"ids. Nothing was sent.\nNext: iterable-pipelines campaign trigger {campaign}"
            )
        pass_gate(campaign, approve, override or [], because)
        return
    if override or because:
        raise CallRefused(
            f"campaign {campaign} was given by its id, and an id has no gate to override. Nothing was sent.\n"
            "Next: iterable-pipelines campaign gates"
        )
    given = {
        "campaign_id": int(campaign),
        "list_ids": lists or [],
        "suppression_list_ids": suppress,
        "data_fields": _fields(data),
        "allow_repeat_marketing_sends": repeat,
    }
    _call(TriggerCampaign, given, approve)


def journey(
    workflow_id: Annotated[int, typer.Argument(metavar="ID", help="Iterable's id of the journey.")],
    list_id: Annotated[int | None, typer.Option("--list", help="Everybody on this list.")] = None,
    email: Annotated[str | None, typer.Option(help="The user of this address.")] = None,
    user_id: Annotated[str | None, typer.Option(help="The user of this id.")] = None,
    data: Data = None,
    approve: Approve = False,
) -> None:
    """Let a user, or everybody on a list, enter a journey."""
    given = {"workflow_id": workflow_id, "list_id": list_id, "email": email, "user_id": user_id}
    _call(TriggerJourney, {**given, "data_fields": _fields(data)}, approve)


def _call(kind: type[Procedure], given: dict[str, Any], approve: bool) -> None:
    from iterable_pipelines.campaigns.calls import call

    procedure = procedure_of(kind, given)
    report = call(load_settings(), procedure, who(), approve=approve, log=say)
    show_report(report)
    if not approve and report.prepared.objections:
        say("It would be refused. Nothing was sent.")
        raise typer.Exit(_OBJECTED)
    if not approve:
        say("Nothing was sent.\nNext, if that is meant: the same command with --approve")


def show_report(report: "Report") -> None:
    """The campaign, the request, how many it goes to, what speaks against it, and what came of it."""
    from iterable_pipelines.campaigns.summary import summary

    for line in summary(report):
        say(line)


def _fields(text: str | None) -> dict[str, Any] | None:
    try:
        found = json.loads(text) if text else None
    except ValueError:
        found = text
    if found is not None and not isinstance(found, dict):
        raise CallRefused(
            '--data must be a JSON object, such as \'{"code": "SUMMER"}\'. Nothing was sent.\n'
            "Next: the same command with that corrected"
        )
    return found
