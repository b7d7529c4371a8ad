"""Messages to single people and journeys, of which nothing may be repeated blindly (api.md 6.5, 6.7; outbound R12)."""

from datetime import timedelta

import pytest
import requests

from iterable_pipelines_tests.sandbox.project import NOW, project

MESSAGE_TYPE = {"email": 47252, "push": 47254, "sms": 47256, "inapp": 47258}
TARGETS = {"email": "email", "push": "push", "sms": "sms", "inApp": "inapp"}
ANN = "ann@example.com"
JOURNEY, PAUSED, ARCHIVED = 76_780, 76_784, 76_788


def campaign(running, medium="inapp", **more):
    """A triggered campaign of a medium, ready to be triggered."""
    client_id = f"of-{medium}"
    running.post(f"templates/{medium}/upsert", clientTemplateId=client_id, messageTypeId=MESSAGE_TYPE[medium])
    found = running.get("templates/getByClientTemplateId", clientTemplateId=client_id).json()["templates"]
    body = {"name": medium, "templateId": found[0]["templateId"]} | more
    return running.post("campaigns/create", **body).json()["campaignId"]


def messages(running, **who):
    who = who or {"email": ANN}
    return [each["campaignId"] for each in running.get("users/getSentMessages", **who).json()["messages"]]


@pytest.fixture
def running():
    with project() as found:
        yield found


@pytest.mark.parametrize("path", TARGETS)
def test_each_medium_sends_to_one_person_every_time(running, path):
    running.bulk({"email": ANN})
    number = campaign(running, TARGETS[path])
    for _ in range(2):
        assert running.post(f"{path}/target", campaignId=number, recipientEmail=ANN).status_code == 200
    assert messages(running) == [number] * 2
    assert [(each.path, each.recipients) for each in running.sandbox.sends] == [(f"/api/{path}/target", (ANN,))] * 2
    once = {"campaignId": number, "recipientEmail": ANN, "allowRepeatMarketingSends": False}
    assert running.post(f"{path}/target", **once).status_code == 200
    assert messages(running) == [number] * 2
    assert running.sandbox.sends[-1].skipped == ((ANN, "DuplicateMarketingMessage"),)


@pytest.mark.parametrize("path", TARGETS)
def test_only_some_media_make_whom_they_do_not_know(running, path):
    number = campaign(running, TARGETS[path])
    answer = running.post(f"{path}/target", campaignId=number, recipientEmail=ANN)
    made = path in ("email", "inApp")
    assert answer.status_code == (200 if made else 400) and (running.user(ANN) is not None) is made
    assert messages(running) == [number] * made


def test_an_in_app_message_reaches_the_app(running):
    number = campaign(running)
    running.post("inApp/target", campaignId=number, recipientUserId="u-1")
    (found,) = running.get("inApp/getMessages", userId="u-1", count=5).json()["inAppMessages"]
    assert found["campaignId"] == number
    assert messages(running, userId="u-1") == [number]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"campaignId": 1, "recipientEmail": ANN}, "Campaign not found. Id: 1"),
        ({"campaignId": 2200000, "recipientEmail": ANN}, "Campaign is not a triggered campaign"),
        ({"campaignId": 2200001, "recipientEmail": ANN}, "Campaign is not of this medium. Id: 2200001"),
        ({}, "recipientEmail or recipientUserId is required"),
        ({"recipientEmail": "nonsense"}, "Invalid email: nonsense"),
        ({"recipientEmail": "forgotten1@example.com"}, "User has been forgotten"),
        ({"recipientEmail": ANN, "sendAt": "2027-12-01 00:00:00"}, "sendAt must be no more than 365 days ahead"),
        ({"recipientEmail": ANN, "sendAt": "soon"}, '[/api/inApp/target] Invalid format: "soon"'),
    ],
)
def test_what_cannot_be_sent_says_why(running, body, says):
    answer = running.post("inApp/target", **({"campaignId": campaign(running)} | body))
    assert answer.status_code in (400, 409) and answer.json()["msg"] == says and running.sandbox.sends == []


def test_scheduled_messages_wait_and_can_be_cancelled(running):
    number = campaign(running)
    for name in ("ann", "bo", "cy"):
        body = {"campaignId": number, "recipientEmail": f"{name}@example.com", "sendAt": "2026-11-02 13:00:00"}
        assert running.post("inApp/target", **body).status_code == 200
    assert running.post("inApp/cancel", campaignId=number, email="bo@example.com").status_code == 200
    assert running.post("inApp/cancel", scheduledMessageId=3).status_code == 200
    assert running.post("inApp/cancel", scheduledMessageId=3).status_code == 400
    assert running.post("inApp/cancel", campaignId=number).status_code == 400
    assert running.sandbox.sends == []
    running.world.stop_clock(NOW + timedelta(hours=1))
    assert [each.recipients for each in running.sandbox.sends] == [(ANN,)]
    assert running.post("inApp/cancel", campaignId=number, email=ANN).status_code == 400  # it went out


def test_who_was_forgotten_meanwhile_gets_nothing(running):
    number = campaign(running)
    running.post("inApp/target", campaignId=number, recipientEmail=ANN, sendAt="2026-11-02 13:00:00")
    running.post("users/forget", email=ANN)
    running.world.stop_clock(NOW + timedelta(hours=1))
    assert [each.recipients for each in running.sandbox.sends] == [()] and running.export("inAppSend") == []
    assert not any(ANN in str(each) for each in running.export("inAppSendSkip"))


def test_a_lost_answer_was_sent(running):
    number = campaign(running)
    running.sandbox.fault("lost_answer", "/api/inApp/target")
    with pytest.raises(requests.ConnectionError):
        running.post("inApp/target", campaignId=number, recipientEmail=ANN)
    running.sandbox.fault("status", "/api/inApp/target", status=500)
    assert running.post("inApp/target", campaignId=number, recipientEmail=ANN).status_code == 500
    assert messages(running) == [number] and len(running.sandbox.sends) == 1


def test_journeys_take_people_and_lists():
    with project(settle_seconds={"bulk": 60}) as running:
        people = [{"email": f"{name}@example.com"} for name in ("ann", "bo")]
        list_id = running.post("lists", name="New").json()["listId"]
        running.post("lists/subscribe", listId=list_id, subscribers=people)
        running.world.stop_clock(NOW + timedelta(seconds=100))

        def trigger(**body):
            return running.post("workflows/triggerWorkflow", **({"workflowId": JOURNEY} | body)).status_code

        assert trigger(email=ANN) == trigger(email=ANN) == 200
        assert trigger(listId=list_id) == 200 and trigger(listId=list_id) == 400  # one at a time
        assert trigger(listId=list_id, workflowId=JOURNEY + 1) == 200
        running.world.stop_clock(NOW + timedelta(seconds=161))
        assert trigger(listId=list_id) == 200
        refused = ({}, {"email": ANN, "listId": list_id}, {"email": "no@example.com"}, {"listId": 1})
        assert {trigger(**body) for body in refused} == {400}
        assert {trigger(email=ANN, workflowId=each) for each in (1, PAUSED, ARCHIVED)} == {400}
        everybody = (ANN, "bo@example.com")
        found = [(each.id, each.recipients, each.list_ids) for each in running.sandbox.sends]
        assert found == [(JOURNEY, (ANN,), ())] * 2 + [
            (number, everybody, (list_id,)) for number in (JOURNEY, JOURNEY + 1, JOURNEY)
        ]
