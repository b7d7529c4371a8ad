"""A lost answer: nothing is repeated, what happened is found out by reading, or by somebody's word (R12, S8, S9)."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from iterable_pipelines.campaigns.doubts import resolve, settle
from iterable_pipelines.campaigns.errors import CallInDoubt, CallRefused
from iterable_pipelines.campaigns.ledger import CallLedger
from iterable_pipelines.campaigns.procedures import (
    AbortCampaign,
    ActivateTriggeredCampaign,
    CancelScheduledOrRecurringCampaign,
    DeactivateTriggeredCampaign,
    SendCampaign,
    TriggerCampaign,
    TriggerJourney,
)
from iterable_pipelines_tests.campaigns.conftest import PEOPLE, Town

PROGRAM = """
import sys
from iterable_pipelines.campaigns.calls import call
from iterable_pipelines.campaigns.procedures import TriggerCampaign
from iterable_pipelines.settings import load_settings
from iterable_pipelines_tests.activation.conftest import quick_client

settings = load_settings()
procedure = TriggerCampaign(campaign_id=int(sys.argv[1]), list_ids=[int(sys.argv[2])])
call(settings, procedure, "ann", approve=True, client=quick_client(settings, print))
"""


@pytest.mark.parametrize("moves", [True, False])
@pytest.mark.parametrize("fault", ["lost_answer", "status_after", "html200"])
def test_a_trigger_whose_answer_was_lost(make_town: Callable[..., Town], fault: str, moves: bool) -> None:
    """It shows by the campaign, or by a message to somebody on the list, and is not sent twice."""
    town = make_town(trigger_moves_campaign=moves)
    number = town.create()
    town.sandbox.fault(fault, "/api/campaigns/trigger", status=500)
    if fault == "html200":
        # the page came instead of an answer, and nothing was done: that shows only after a while
        with pytest.raises(CallInDoubt, match="campaign settle"):
            town.trigger(number)
        assert town.recipients == []
        return
    report = town.trigger(number)
    assert (report.call.state, report.call.settled_by) == ("done", "reading")
    assert "a member of its lists" in report.call.note
    assert town.recipients == [PEOPLE] and town.writes("campaigns/trigger") == 1


def test_a_campaign_that_somebody_has_edited_is_no_proof_that_it_was_sent(town: Town) -> None:
    """Nor is it one of the opposite, however long ago: it may have been the call that has moved it."""
    number = town.create()
    town.sandbox.fault("status", "/api/campaigns/trigger", status=500)
    with pytest.raises(CallInDoubt):
        town.trigger(number)
    objects = town.sandbox.world.objects
    edited = objects.written[number]
    objects.written[number] = replace(edited, updated=edited.updated + 1000)
    town.ahead = timedelta(hours=1)
    with pytest.raises(CallInDoubt, match="has changed, and none of 3 members was sent it"):
        town.trigger(number)
    assert town.recipients == [] and town.writes("campaigns/trigger") == 1


def test_of_every_list_somebody_is_asked_for(make_town: Callable[..., Town]) -> None:
    """A list of many who are sent nothing hides nobody of another one."""
    town = make_town(trigger_moves_campaign=False)
    number = town.create()
    many = town.post("lists", name="Many")["listId"]
    away = [{"email": f"away{each}@example.com"} for each in range(20)]
    town.post("lists/subscribe", listId=many, subscribers=away)
    channels = [each["id"] for each in town.get("channels")["channels"]]
    for each in away:
        town.post("users/updateSubscriptions", **each, unsubscribedChannelIds=channels)
    town.sandbox.fault("lost_answer", "/api/campaigns/trigger")
    report = town.call(TriggerCampaign(campaign_id=number, list_ids=[many, town.all]))
    assert (report.call.state, report.call.settled_by) == ("done", "reading")


def test_a_request_that_hung_is_given_its_time_from_when_it_was_given_up(town: Town) -> None:
    number = town.create()
    town.sandbox.fault("status", "/api/campaigns/abort", status=500)
    abort = AbortCampaign(campaign_id=number)
    with pytest.raises(CallInDoubt):
        town.call(abort)
    ledger = CallLedger(town.settings)
    (doubtful,) = ledger.in_doubt()
    ledger.note(replace(doubtful, sent_at=town.clock() - timedelta(minutes=30)))
    with pytest.raises(CallInDoubt, match="only 1 min after"):
        town.call(abort)


def test_a_trigger_that_did_not_happen_may_be_called_again_but_not_before_that_is_known(town: Town) -> None:
    number = town.create()
    town.sandbox.fault("status", "/api/campaigns/trigger", status=500)
    with pytest.raises(CallInDoubt, match="It is not repeated"):
        town.trigger(number)
    for again in (town.trigger, lambda it: town.call(SendCampaign(campaign_id=it))):
        with pytest.raises(CallInDoubt, match="Nothing was sent now"):
            again(number)
    assert "it is not known whether" in town.trigger(number, approve=False).prepared.objections[0]
    assert town.writes("campaigns/trigger") == 1
    # what stops it is free
    (doubtful,) = [each for each in town.calls if each.state == "unknown"]
    town.ahead = timedelta(minutes=16)
    settled = settle(town.settings, doubtful.id, town.client, town.clock, town.said.append)
    assert (settled.state, settled.settled_by) == ("not_done", "reading")
    assert town.trigger(number).call.state == "done"
    assert town.recipients == [PEOPLE]


def test_the_same_command_later_settles_it_by_itself(town: Town) -> None:
    number = town.create()
    town.sandbox.fault("status", "/api/campaigns/trigger", status=500)
    with pytest.raises(CallInDoubt):
        town.trigger(number)
    town.ahead = timedelta(minutes=16)
    assert town.trigger(number).call.state == "done"
    assert [each.state for each in town.calls] == ["done", "not_done"] and town.recipients == [PEOPLE]


def test_a_call_that_turns_out_to_have_happened_is_not_made_again_by_the_same_command(town: Town) -> None:
    number = town.create()
    town.sandbox.fault("lost_answer", "/api/campaigns/trigger")
    town.sandbox.fault("status", "/api/campaigns/", times=None, after=1, status=500)
    with pytest.raises(CallInDoubt):
        town.trigger(number)
    town.sandbox.faults.clear()
    with pytest.raises(CallRefused, match="has happened"):
        town.trigger(number)
    assert town.recipients == [PEOPLE]


def test_who_cannot_be_asked_for_leaves_it_in_doubt(town: Town) -> None:
    """Nobody on the list who is not shut out: that none has a message proves nothing."""
    number = town.create()
    town.sandbox.fault("status", "/api/campaigns/trigger", status=500)
    procedure = TriggerCampaign(campaign_id=number, list_ids=[town.some], suppression_list_ids=[town.all])
    with pytest.raises(CallInDoubt):
        town.call(procedure)
    town.ahead = timedelta(days=1)
    with pytest.raises(CallInDoubt, match="nobody who could be asked for"):
        town.call(procedure)
    (doubtful,) = [each for each in town.calls if each.state == "unknown"]
    assert resolve(town.settings, doubtful.id, "not_done", "ann", town.said.append).settled_by == "ann"
    with pytest.raises(CallRefused, match="not in doubt"):
        resolve(town.settings, doubtful.id, "done", "ann", town.said.append)
    assert town.call(procedure).call.state == "done"


@pytest.mark.parametrize(("members", "told"), [(None, "how many it goes to is not known"), (1_000_000, "115 min")])
def test_a_long_list_takes_its_time(town: Town, members: int | None, told: str) -> None:
    """That none of ten has a message yet says little of a million."""
    number = town.create()
    town.sandbox.fault("status", "/api/campaigns/trigger", status=500)
    with pytest.raises(CallInDoubt):
        town.trigger(number)
    ledger = CallLedger(town.settings)
    (doubtful,) = ledger.in_doubt()
    ledger.note(replace(doubtful, list_size=members))
    town.ahead = timedelta(minutes=114)
    settled = settle(town.settings, doubtful.id, town.client, town.clock, town.said.append)
    assert settled.state == "unknown" and told in settled.note
    town.ahead = timedelta(minutes=116)
    settled = settle(town.settings, doubtful.id, town.client, town.clock, town.said.append)
    assert settled.state == ("not_done" if members else "unknown")


@pytest.mark.parametrize("applied", [True, False])
@pytest.mark.parametrize(
    "kind",
    [
        AbortCampaign,
        CancelScheduledOrRecurringCampaign,
        ActivateTriggeredCampaign,
        DeactivateTriggeredCampaign,
        SendCampaign,
    ],
)
def test_what_changes_a_state_is_settled_by_it(town: Town, kind: Any, applied: bool) -> None:
    if kind is SendCampaign:
        number = town.create(listIds=[town.all], scheduleSend=False)
    elif kind is CancelScheduledOrRecurringCampaign:
        later = town.clock() + timedelta(days=1)
        number = town.create(listIds=[town.all], sendAt=f"{later:%Y-%m-%d %H:%M:%S}")
    else:
        number = town.create()
        if kind is ActivateTriggeredCampaign:
            town.post("campaigns/deactivateTriggered", campaignId=number)
    path = kind.path.replace("{campaign_id}", str(number))
    town.sandbox.fault("status_after" if applied else "status", path, status=500)
    if applied:
        assert town.call(kind(campaign_id=number)).call.settled_by == "reading"
        return
    with pytest.raises(CallInDoubt):
        town.call(kind(campaign_id=number))
    town.ahead = timedelta(minutes=2)
    assert town.call(kind(campaign_id=number)).call.state == "done"
    assert [each.state for each in town.calls] == ["done", "not_done"]


def test_recurring_and_finished_means_cancelled(town: Town) -> None:
    recurring = 2899999
    town.sandbox.fault("status_after", "/api/campaigns/cancel", status=500)
    report = town.call(CancelScheduledOrRecurringCampaign(campaign_id=recurring))
    assert (report.call.state, report.call.note) == ("done", f"campaign {recurring} is Finished")


def test_a_journey_is_settled_by_a_person(town: Town) -> None:
    town.sandbox.fault("status", "/api/workflows/triggerWorkflow", times=None, status=500)
    enter = TriggerJourney(workflow_id=7, list_id=town.all)
    with pytest.raises(CallInDoubt, match="look at the journey in Iterable"):
        town.call(enter)
    town.ahead = timedelta(days=30)
    with pytest.raises(CallInDoubt, match="does not show who has entered"):
        town.call(enter)
    assert town.writes("workflows/triggerWorkflow") == 1
    resolve(town.settings, town.calls[-1].id, "done", "ann", town.said.append)
    with pytest.raises(CallInDoubt):
        town.call(enter)
    assert town.writes("workflows/triggerWorkflow") == 2


def test_a_journey_in_doubt_is_of_one_user(town: Town) -> None:
    """Another user may enter while it is not known of the first."""
    path = "/api/workflows/triggerWorkflow"
    town.sandbox.fault("status", path, status=500)
    ann, bo = (TriggerJourney(workflow_id=town.journey, email=f"{name}@example.com") for name in ("ann", "bo"))
    with pytest.raises(CallInDoubt):
        town.call(ann)
    assert town.call(bo).call.state == "done"
    with pytest.raises(CallInDoubt, match="Nothing was sent now"):
        town.call(ann)
    assert town.recipients == [("bo@example.com",)] and town.writes("workflows/triggerWorkflow") == 2


@pytest.mark.parametrize("point", ["campaign_call_sending", "campaign_call_answered"])
def test_a_process_that_is_killed(town: Town, point: str) -> None:
    """Before the bytes leave, or after the answer came: in doubt either way, and never sent twice."""
    number = town.create()
    settings = {name: str(getattr(town.settings, name)) for name in ("project_root", "data_dir", "base_url")}
    environment = {f"ITERABLE_{name.upper()}": value for name, value in settings.items()}
    killed = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(number), str(town.all)],
        env={**os.environ, **environment, "ITERABLE_API_KEY": town.sandbox.key, "ITERABLE_CRASH_AT": point},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert killed.returncode == -9 and f"crashpoint {point}" in killed.stderr, killed.stderr
    assert town.calls[0].state == "sending"
    if point == "campaign_call_answered":
        with pytest.raises(CallRefused, match="has happened"):
            town.trigger(number)
    else:
        with pytest.raises(CallInDoubt):
            town.trigger(number)
        town.ahead = timedelta(minutes=16)
        town.trigger(number)
    assert town.recipients == [PEOPLE]
