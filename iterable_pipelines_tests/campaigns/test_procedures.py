"""Procedures at the sandbox: what is sent, what is refused, by whom, and what is written down (K18 to K20)."""

import json
import os
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from iterable_pipelines.api import Answer
from iterable_pipelines.campaigns.answers import read_answer
from iterable_pipelines.campaigns.errors import CallAtWork, CallRefused
from iterable_pipelines.campaigns.ledger import CallLedger
from iterable_pipelines.campaigns.procedures import (
    PROCEDURES,
    AbortCampaign,
    ActivateTriggeredCampaign,
    CancelScheduledOrRecurringCampaign,
    DeactivateTriggeredCampaign,
    ScheduleCampaign,
    SendCampaign,
    TriggerCampaign,
    TriggerJourney,
    procedure_of,
)
from iterable_pipelines_tests.campaigns.conftest import PEOPLE, Town

AT = datetime(2026, 11, 23, 8, tzinfo=UTC)


def test_without_approval_nothing_is_sent_and_all_is_said(town: Town) -> None:
    number = town.create()
    report = town.trigger(number, approve=False)
    assert town.writes("campaigns/trigger") == 0 and town.recipients == []
    assert report.prepared.sizes == {town.all: 3} and report.prepared.reach == 3
    assert report.prepared.objections == ()
    (noted,) = town.calls
    assert (noted.state, noted.who, noted.approved, noted.list_size) == ("dry_run", "ann", False, 3)
    assert noted.before["campaignState"] == "Running"


def test_a_trigger_is_sent_once_with_what_was_asked_and_no_more(town: Town) -> None:
    number = town.create()
    procedure = TriggerCampaign(
        campaign_id=number,
        list_ids=[town.all],
        suppression_list_ids=[town.some],
        data_fields={"code": "SUMMER"},
        allow_repeat_marketing_sends=False,
    )
    assert town.call(procedure).call.state == "done"
    assert town.recipients == [PEOPLE[1:]]
    (asked,) = town.sandbox.requests("/api/campaigns/trigger")
    assert json.loads(asked.body) == {
        "campaignId": number,
        "listIds": [town.all],
        "suppressionListIds": [town.some],
        "dataFields": {"code": "SUMMER"},
        "allowRepeatMarketingSends": False,
    }
    # what was not given is left out, as null would be an answer too (4.2)
    assert TriggerCampaign(campaign_id=1, list_ids=[2]).body == {"campaignId": 1, "listIds": [2]}
    (noted,) = town.published(
        "select state, settled_by, http_status, arguments->'data_fields' from activation.campaign_calls"
    )
    assert noted == ("done", "answer", 200, '["code"]')


def test_campaigns_are_stopped_and_started(town: Town) -> None:
    triggered, later = town.create(), town.create(listIds=[town.all], scheduleSend=False)
    assert town.call(DeactivateTriggeredCampaign(campaign_id=triggered)).call.state == "done"
    assert town.state(triggered) == "Ready"
    assert town.call(ActivateTriggeredCampaign(campaign_id=triggered)).call.state == "done"
    assert town.state(triggered) == "Running"
    assert town.call(AbortCampaign(campaign_id=triggered)).call.state == "done"
    assert town.state(triggered) == "Aborted"
    in_a_day = town.clock() + timedelta(days=1)
    assert town.call(ScheduleCampaign(campaign_id=later, send_at=in_a_day)).call.state == "done"
    assert town.state(later) == "Scheduled"
    assert town.call(CancelScheduledOrRecurringCampaign(campaign_id=later)).call.state == "done"
    assert town.state(later) == "Draft" and town.recipients == []
    sent = town.call(SendCampaign(campaign_id=later))
    assert sent.prepared.reach == 3 and town.recipients == [PEOPLE]
    assert [each.state for each in town.calls] == ["done"] * 6


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (AbortCampaign, "must be Running or Starting"),
        (CancelScheduledOrRecurringCampaign, "must be Recurring or Scheduled"),
        (SendCampaign, "must be Draft or Ready"),
        (ActivateTriggeredCampaign, "of type Blast, and only one of type Triggered can be"),
        (DeactivateTriggeredCampaign, "of type Blast"),
    ],
)
def test_what_the_state_forbids_is_refused_before_it_is_sent(town: Town, kind: Any, told: str) -> None:
    number = town.create(listIds=[town.all])
    assert town.state(number) == "Finished"
    assert town.call(kind(campaign_id=number), approve=False).prepared.objections
    with pytest.raises(CallRefused, match=told) as refused:
        town.call(kind(campaign_id=number))
    assert "Nothing was sent" in str(refused.value) and "Next: " in str(refused.value)
    assert town.writes(kind.path.removeprefix("/api/").replace("{campaign_id}", str(number))) == 0
    assert [each.state for each in town.calls] == ["refused", "dry_run"]


def test_a_campaign_that_is_not_there(town: Town) -> None:
    with pytest.raises(CallRefused, match="there is no campaign 123"):
        town.trigger(123)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"campaign_id": 5, "list_ids": []}, "triggers no campaign without listIds"),
        ({"campaign_id": 5}, "list_ids: missing"),
        ({"campaign_id": 0, "list_ids": [1]}, "campaign_id"),
        ({"campaign_id": 5, "list_ids": [1], "lists": [2]}, "lists"),
    ],
)
def test_arguments_are_looked_at_first(given: dict[str, Any], told: str) -> None:
    """D9 among them."""
    with pytest.raises(CallRefused, match=told):
        procedure_of(TriggerCampaign, given)


def test_a_schedule_needs_a_zone_and_lies_within_seven_days(town: Town) -> None:
    with pytest.raises(CallRefused, match="write the time zone"):
        procedure_of(ScheduleCampaign, {"campaign_id": 5, "send_at": "2026-11-23T09:00"})
    with pytest.raises(CallRefused, match="belong together"):
        procedure_of(ScheduleCampaign, {"campaign_id": 5, "send_at": AT, "start_time_zone": "Asia/Tokyo"})
    with pytest.raises(CallRefused, match="time zone"):
        procedure_of(
            ScheduleCampaign,
            {"campaign_id": 5, "send_at": AT, "start_time_zone": "CET1", "default_time_zone": "UTC"},
        )
    zones = {"start_time_zone": "Asia/Tokyo", "default_time_zone": "UTC"}
    made = procedure_of(ScheduleCampaign, {"campaign_id": 5, "send_at": "2026-11-23T09:00+01:00", **zones})
    assert made.to == "/api/campaigns/5/schedule"
    assert made.body == {
        "sendAt": "2026-11-23T08:00:00Z",
        "recipientTimeZone": {"startTimeZone": "Asia/Tokyo", "defaultTimeZone": "UTC"},
    }
    assert made.objections(AT - timedelta(days=1)) == []
    assert "is over" in made.objections(AT)[0]
    assert "seven days" in made.objections(AT - timedelta(days=7, seconds=1))[0]


def test_a_right_that_the_project_lacks_is_explained(make_town: Any) -> None:
    town = make_town()
    number = town.create()
    with pytest.raises(CallRefused, match="403") as refused:
        town.call(DeactivateTriggeredCampaign(campaign_id=number))
    assert "has not switched this on for your project" in str(refused.value)
    assert town.calls[0].state == "refused" and town.calls[0].http_status == 403


@pytest.mark.parametrize(
    ("status", "body", "outcome", "advice"),
    [
        (400, {"code": "BadParams", "msg": "Campaign is not a triggered campaign"}, "refused", "campaign send 5"),
        (400, {"code": "GenericError", "msg": "Campaign abort failed. Id: 5"}, "refused", "campaign_state"),
        (400, {"code": "Success", "msg": "error.lists.invalidListId(9)"}, "refused", "iterable-pipelines lists"),
        (400, {"code": "BadParams", "msg": "Campaign not found. Id: 5"}, "refused", "no such campaign"),
        (401, {"code": "BadApiKey", "msg": "Invalid API key"}, "refused", "iterable-pipelines check"),
        (403, {"code": "Forbidden", "msg": "not enabled"}, "refused", "not switched this on"),
        (404, {"code": "NotFound", "msg": "x"}, "refused", "no such campaign"),
        (409, {"code": "Whatever", "msg": "x"}, "refused", "campaign_state"),
        (429, {"code": "RateLimitExceeded", "msg": "Exceeded"}, "wait", ""),
        (200, {"code": "RateLimitExceeded", "msg": "Exceeded"}, "wait", ""),
        (200, {"code": "Success", "msg": ""}, "done", ""),
        (200, {"code": "BadParams", "msg": "Campaign is not a triggered campaign"}, "refused", "campaign send 5"),
        (200, {"code": "GenericError", "msg": "An error occurred"}, "unknown", ""),
        (200, None, "unknown", ""),
        (408, {"code": "GenericError"}, "unknown", ""),
        (500, {"code": "GenericError", "msg": "An error occurred"}, "unknown", ""),
        (503, None, "unknown", ""),
    ],
)
def test_what_answers_mean(status: int, body: Any, outcome: str, advice: str) -> None:
    """Every documented error has its next command (api.md 1.4); what says nothing is neither done nor refused."""
    answer = Answer(status, b"<html>" if body is None else json.dumps(body).encode())
    meaning = read_answer(TriggerCampaign(campaign_id=5, list_ids=[1]), answer)
    assert meaning.outcome == outcome and advice in meaning.advice
    if outcome == "refused":
        assert "Next: " in meaning.advice


def test_what_iterable_refuses_is_told_and_may_be_asked_again(town: Town) -> None:
    number = town.create()
    body = {"msg": "Campaign is not a triggered campaign", "code": "BadParams", "params": None}
    town.sandbox.fault("status", "/api/campaigns/trigger", status=400, body=body)
    with pytest.raises(CallRefused, match="not a triggered campaign"):
        town.trigger(number)
    assert town.recipients == []
    assert town.trigger(number).call.state == "done"


def test_too_many_requests_are_waited_for(town: Town) -> None:
    """A 429 was not carried out, so it is tried again (R10)."""
    number = town.create()
    town.sandbox.fault("429", "/api/campaigns/trigger", times=2, retry_after=0)
    assert town.trigger(number).call.state == "done"
    assert town.recipients == [PEOPLE] and town.writes("campaigns/trigger") == 3


def test_two_processes_at_once_make_one_call(town: Town) -> None:
    number = town.create()
    ledger = CallLedger(town.settings)
    with ledger.turn(f"send-campaign-{number}"), pytest.raises(CallAtWork, match="Nothing was sent"):
        town.trigger(number)
    assert town.recipients == [] and town.calls[0].state == "refused"
    assert town.trigger(number).call.state == "done"
    # what stops a campaign never waits for what sends it
    with ledger.turn(f"send-campaign-{number}"):
        assert town.call(AbortCampaign(campaign_id=number)).call.state == "done"


def test_what_became_of_a_call_is_told_even_if_it_cannot_be_published(town: Town) -> None:
    number = town.create()
    town.settings.published_path.mkdir(parents=True)
    os.utime(town.settings.published_path, (0, 0))
    assert town.trigger(number).call.state == "done"
    assert any("will be published by the next call" in each for each in town.said)


def test_a_journey_is_entered_by_a_user_or_a_list_and_nobody_is_written_down(town: Town) -> None:
    for given in ({}, {"email": "ann@example.com", "list_id": 5}):
        with pytest.raises(CallRefused, match="exactly one of"):
            procedure_of(TriggerJourney, {"workflow_id": 7, **given})
    made = TriggerJourney(workflow_id=7, email="Ann@Example.com", data_fields={"from": "bo@example.com"})
    assert made.body == {"workflowId": 7, "email": "Ann@Example.com", "dataFields": {"from": "bo@example.com"}}
    ledger = CallLedger(town.settings)
    planned = ledger.plan(made, "ann", True, town.clock())
    assert planned.arguments == {"workflow_id": 7, "email": "not kept", "data_fields": ["from"]}
    other = TriggerJourney(workflow_id=7, email="bo@example.com")
    assert ledger.lane_of(other) != ledger.lane_of(made)
    assert ledger.lane_of(made) == ledger.lane_of(TriggerJourney(workflow_id=7, email="ann@example.com"))
    kept = b"".join(each.read_bytes() for each in ledger.path.parent.iterdir())
    assert b"xample.com" not in kept


def test_a_list_enters_a_journey_and_waits_until_it_is_in(make_town: Any) -> None:
    town = make_town(settle_seconds=60)
    enter = TriggerJourney(workflow_id=town.journey, list_id=town.all)
    town.sandbox.world.stop_clock(town.clock() + timedelta(minutes=2))
    assert town.call(enter, approve=False).prepared.reach == 3
    assert town.call(enter).call.state == "done" and [sorted(each) for each in town.recipients] == [sorted(PEOPLE)]
    with pytest.raises(CallRefused, match="still on its way into this journey"):
        town.call(enter)
    with pytest.raises(CallRefused, match="must be switched on"):
        town.call(TriggerJourney(workflow_id=1, list_id=town.all))


def test_every_procedure_is_one_that_may_be_written() -> None:
    from iterable_pipelines.api.operations import check_write

    for each in PROCEDURES.values():
        check_write("POST", each.path.replace("{campaign_id}", "5"))
