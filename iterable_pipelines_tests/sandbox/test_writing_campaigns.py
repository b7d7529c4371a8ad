"""Campaigns as clients make, send, trigger and stop them, and what reads tell of it (api.md 1.4, 5.1, 6.5)."""

from datetime import timedelta

import pytest
import requests

from iterable_pipelines_tests.sandbox.project import NOW, project

MARKETING, TRANSACTIONAL = 47252, 47250  # message types of e-mail; the channel of the first is 39581
MILLIS = int(NOW.timestamp() * 1000)
PEOPLE = [{"email": f"{name}@example.com"} for name in ("ann", "bo", "cy")]


class Town:
    """A project with a template, a list of three people and a list of one of them."""

    def __init__(self, running, message_type=MARKETING):
        self.running, self.sandbox, self.world = running, running.sandbox, running.world
        self.all, self.some = (running.post("lists", name=name).json()["listId"] for name in ("All", "Some"))
        running.post("lists/subscribe", listId=self.all, subscribers=PEOPLE)
        running.post("lists/subscribe", listId=self.some, subscribers=PEOPLE[:1])
        running.post("templates/email/upsert", clientTemplateId="c-1", name="One", messageTypeId=message_type)
        (self.template,) = self.template_ids()

    def template_ids(self):
        found = self.running.get("templates/getByClientTemplateId", clientTemplateId="c-1").json()["templates"]
        return [each["templateId"] for each in found]

    def create(self, **more):
        body = {"name": "Sale", "templateId": self.template} | more
        return self.running.post("campaigns/create", **body).json()["campaignId"]

    def campaign(self, number):
        return self.running.get(f"campaigns/{number}").json()

    def state(self, number):
        return self.campaign(number)["campaignState"]

    def trigger(self, number, **more):
        return self.running.post("campaigns/trigger", **({"campaignId": number, "listIds": [self.all]} | more))

    def recipients(self):
        return [each.recipients for each in self.sandbox.sends]

    def messages(self, name="bo", **params):
        found = self.running.get("users/getSentMessages", email=f"{name}@example.com", **params).json()["messages"]
        return [each["campaignId"] for each in found]

    def sends(self, number):
        """Total Email Sends of the campaign's metrics."""
        header, row = self.running.get("campaigns/metrics", campaignId=number).text.splitlines()
        return int(dict(zip(header.split(","), row.split(","), strict=True))["Total Email Sends"])


@pytest.fixture
def town():
    with project() as running:
        yield Town(running)


EVERYBODY = ("ann@example.com", "bo@example.com", "cy@example.com")


def test_a_blast_goes_out_at_once_unless_told_otherwise(town):
    number = town.create(listIds=[town.all], suppressionListIds=[town.some])
    found = town.campaign(number)
    assert found["type"] == "Blast" and found["campaignState"] == "Finished" and found["sendSize"] == 2
    assert found["listIds"] == [town.all] and found["suppressionListIds"] == [town.some]
    assert found["createdAt"] <= found["startAt"] == found["endedAt"] == MILLIS < found["updatedAt"]
    (sent,) = town.sandbox.sends
    assert (sent.id, sent.recipients, sent.list_ids, sent.at) == (number, EVERYBODY[1:], (town.all,), NOW)
    assert town.messages("bo") == [number] and town.messages("ann") == [] and town.sends(number) == 2
    assert found in town.running.get("campaigns", pageSize=1000).json()["campaigns"]
    assert town.running.get("templates/email/get", templateId=found["templateId"]).json()["metadata"]["campaignId"]
    assert town.template_ids() == [town.template, found["templateId"]]  # a copy that shares the id


def test_a_blast_that_is_not_sent_yet(town):
    number = town.create(listIds=[town.all], scheduleSend=False)
    assert town.state(number) == "Draft" and town.recipients() == [] and "startAt" not in town.campaign(number)
    assert town.running.post(f"campaigns/{number}/schedule", sendAt="2026-11-02 13:00:00").status_code == 403
    assert town.running.post(f"campaigns/{number}/send").status_code == 200
    assert town.recipients() == [EVERYBODY] and town.state(number) == "Finished"
    again = town.running.post(f"campaigns/{number}/send")
    assert (again.status_code, again.json()["code"]) == (400, "GenericError") and len(town.recipients()) == 1


def test_a_scheduled_blast_waits_and_can_be_cancelled():
    with project(may_schedule=True) as running:
        town = Town(running)
        first, second, third = (town.create(listIds=[town.all], sendAt="2026-11-02 13:00:00") for _ in range(3))
        assert town.state(first) == "Scheduled" and town.recipients() == []
        assert running.post("campaigns/cancel", campaignId=second).status_code == 200
        assert running.post(f"campaigns/{third}/schedule", sendAt="2026-11-02T15:00:00Z").status_code == 200
        late = running.post(f"campaigns/{third}/schedule", sendAt="2026-11-10 12:00:01")
        assert late.status_code == 400 and "7 days" in late.json()["msg"]
        town.world.stop_clock(NOW + timedelta(hours=2))
        assert [each.id for each in town.sandbox.sends] == [first]
        assert [town.state(each) for each in (first, second, third)] == ["Finished", "Draft", "Scheduled"]
        assert town.campaign(first)["startAt"] == MILLIS + 3_600_000
        town.world.stop_clock(NOW + timedelta(hours=4))
        assert [each.id for each in town.sandbox.sends] == [first, third]


def test_a_triggered_campaign_sends_each_time_and_says_so(town):
    number = town.create()
    before = town.campaign(number)
    assert before["type"] == "Triggered" and before["campaignState"] == "Running"
    assert {"startAt", "endedAt", "sendSize", "listIds"}.isdisjoint(before)
    assert town.trigger(number).status_code == 200
    assert town.campaign(number) == before | {"updatedAt": before["updatedAt"] + 1}
    assert town.recipients() == [EVERYBODY] and town.messages() == [number] and town.sends(number) == 3
    town.trigger(number, suppressionListIds=[town.some])
    assert town.recipients() == [EVERYBODY, EVERYBODY[1:]] and town.messages() == [number] * 2
    town.trigger(number, allowRepeatMarketingSends=False)
    third = town.sandbox.sends[-1]
    assert third.recipients == () and third.skipped[0] == ("ann@example.com", "DuplicateMarketingMessage")
    assert town.messages() == [number] * 2 and town.sends(number) == 5
    skipped = town.running.get("export/data.json", dataTypeName="emailSendSkip", range="All").text.splitlines()
    assert len(skipped) == 3 and "DuplicateMarketingMessage" in skipped[0]


def test_whether_a_trigger_moves_the_campaign_nobody_knows():
    with project(trigger_moves_campaign=False) as running:
        town = Town(running)
        number = town.create()
        before = town.campaign(number)
        town.trigger(number)
        assert town.campaign(number) == before and town.sends(number) == 3


@pytest.mark.parametrize(
    ("message_type", "reasons"),
    [(MARKETING, ["UnsubscribedChannel", "UnsubscribedMessageType"]), (TRANSACTIONAL, [])],
)
def test_who_unsubscribed_gets_no_marketing(message_type, reasons):
    with project() as running:
        town = Town(running, message_type)
        running.post("users/updateSubscriptions", **PEOPLE[0], unsubscribedChannelIds=[39581])
        running.post("users/updateSubscriptions", **PEOPLE[2], unsubscribedMessageTypeIds=[MARKETING])
        town.trigger(town.create())
        (sent,) = town.sandbox.sends
        assert [reason for _, reason in sent.skipped] == reasons and len(sent.recipients) == 3 - len(reasons)


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("create", {"name": "x", "templateId": 1}, "Template not found: 1"),
        ("create", {"name": "x", "templateId": 3000000, "sendAt": ""}, '[/api/campaigns/create] Invalid format: ""'),
        ("create", {"name": "x", "templateId": 3000000, "listIds": [1]}, "error.lists.invalidListId(1)"),
        ("create", {"templateId": 3000000}, "[/api/campaigns/create] Invalid JSON body"),
        ("trigger", {"campaignId": 2200000, "listIds": [949810]}, "Campaign is not a triggered campaign"),
        ("trigger", {"campaignId": 2200001, "listIds": []}, "listIds must not be empty"),
        ("trigger", {"campaignId": 2200001}, "[/api/campaigns/trigger] Invalid JSON body"),
        ("trigger", {"campaignId": 2200001, "listIds": [1]}, "error.lists.invalidListId(1)"),
        ("trigger", {"campaignId": 1, "listIds": [949810]}, "Campaign not found. Id: 1"),
        ("abort", {"campaignId": 2200000}, "Campaign abort failed. Id: 2200000"),
        ("cancel", {"campaignId": 2200000}, "Campaign cancel failed. Id: 2200000"),
        ("2200000/send", {}, "Campaign send failed. Id: 2200000"),
    ],
)
def test_what_cannot_be_done_says_why(town, path, body, says):
    answer = town.running.post(f"campaigns/{path}", **body)
    assert answer.status_code == 400 and answer.json()["msg"] == says
    assert town.recipients() == []


def test_seeded_campaigns_are_stopped_and_the_recurring_one_too(town):
    assert town.running.post("campaigns/abort", campaignId=2200001).status_code == 200
    assert town.state(2200001) == "Aborted"
    assert town.running.post("campaigns/abort", campaignId=2200001).status_code == 400
    assert town.trigger(2200001).json()["msg"] == "Campaign is not active. Id: 2200001"
    assert town.running.post("campaigns/cancel", campaignId=2899999).status_code == 200
    assert town.state(2899999) == "Finished"


def test_a_blast_may_run_for_a_while_and_be_aborted():
    with project(blast_seconds=600) as running:
        town = Town(running)
        first, second = (town.create(listIds=[town.all]) for _ in range(2))
        assert town.state(first) == "Running" and "endedAt" not in town.campaign(first)
        assert running.post("campaigns/abort", campaignId=second).status_code == 200
        assert running.delete(f"lists/{town.all}").status_code == 409
        running_since = town.campaign(first)["updatedAt"]
        town.world.stop_clock(NOW + timedelta(seconds=600))
        assert [town.state(each) for each in (first, second)] == ["Finished", "Aborted"]
        assert (
            town.campaign(first)["endedAt"] == MILLIS + 600_000 and town.campaign(first)["updatedAt"] == running_since
        )
        assert running.delete(f"lists/{town.all}").status_code == 200


@pytest.mark.parametrize("enabled", [True, False])
def test_activating_is_a_right_of_few_projects(enabled):
    with project(may_activate=enabled) as running:
        town = Town(running)
        number = town.create()

        def switch(verb, campaign=number):
            return running.post(f"campaigns/{verb}Triggered", campaignId=campaign).status_code

        if not enabled:
            assert switch("activate") == switch("deactivate") == 403
            return
        assert switch("activate") == 400 and switch("activate", 2200000) == 400
        assert switch("deactivate") == 200 and town.state(number) == "Ready" and town.trigger(number).status_code == 400
        assert switch("activate") == 200 and town.state(number) == "Running"


def test_archiving_takes_many_and_names_those_that_failed(town):
    number = town.create(listIds=[town.all], sendAt="2026-11-02 13:00:00")
    answer = town.running.post("campaigns/archive", campaignIds=[number, 2200001, 1])
    assert answer.json() == {"success": [number, 2200001], "failed": [1]}
    town.world.stop_clock(NOW + timedelta(hours=2))
    assert [town.state(each) for each in (number, 2200001)] == ["Archived"] * 2 and town.recipients() == []


def test_a_lost_answer_can_be_settled_by_reading(town):
    number = town.create()
    for fault, sent in (("lost_answer", 3), ("status", 3), ("status_after", 6), ("lie", 6)):
        town.sandbox.fault(fault, "/api/campaigns/trigger", **({"share": 1} if fault == "lie" else {"status": 500}))
        if fault == "lost_answer":
            with pytest.raises(requests.ConnectionError):
                town.trigger(number)
        else:
            assert town.trigger(number).status_code == (200 if fault == "lie" else 500)
        assert town.sends(number) == len(town.running.export("emailSend")) == sent
    assert len(town.recipients()) == 2 and [each.name for each in town.sandbox.dropped] == [str(number)]


def test_sends_show_when_the_pipeline_has_settled():
    with project(settle_seconds={"bulk": 60}) as running:
        town = Town(running)
        town.world.stop_clock(NOW + timedelta(seconds=100))  # the lists have their members
        number = town.create()
        town.trigger(number)
        assert len(town.recipients()) == 1 and town.messages() == [] and town.sends(number) == 0
        town.world.stop_clock(NOW + timedelta(seconds=161))
        assert town.messages() == [number] and town.sends(number) == 3
        assert town.messages(campaignIds=[1]) == [] and town.messages(messageMedium="Push") == []
        assert town.messages(excludeBlastCampaigns="true") == [number]
