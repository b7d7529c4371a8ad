"""Subscriptions are overwritten, devices merged by token (api.md 6.1; outbound 1.8)."""

import pytest

from iterable_pipelines.sandbox.writing.devices import MOST_TOKENS
from iterable_pipelines_tests.sandbox.project import project

ANN, BO = {"email": "ann@example.com"}, {"email": "bo@example.com"}
DEVICE = {"token": "t1", "platform": "APNS", "applicationName": "com.example.app"}


@pytest.fixture
def running():
    with project() as found:
        yield found


def bulk(running, *rows):
    return running.post("users/bulkUpdateSubscriptions", updateSubscriptionsRequests=list(rows))


def test_every_array_given_overwrites_and_the_others_stay(running):
    bulk(running, ANN | {"unsubscribedChannelIds": [39581], "unsubscribedMessageTypeIds": [47250]})
    answer = bulk(running, ANN | {"unsubscribedChannelIds": []}, BO | {"emailListIds": [949810]}).json()
    assert (answer["successCount"], answer["failCount"]) == (2, 0)
    after = running.user("ann@example.com")
    assert (after["unsubscribedChannelIds"], after["unsubscribedMessageTypeIds"]) == ([], [47250])
    assert running.world.members(949810) == [("bo@example.com", None)]


def test_failures_are_named_by_whether_the_name_is_valid(running):
    answer = bulk(running, {"email": "nonsense"}, {"email": "forgotten1@example.com"}, {"userId": "no"}, ANN).json()
    assert answer == {
        "successCount": 1,
        "failCount": 3,
        "invalidEmails": ["nonsense"],
        "invalidUserIds": [],
        "validEmailFailures": ["forgotten1@example.com"],
        "validUserIdFailures": ["no"],
    }


def test_two_people_in_one_row_refuse_the_whole_call():
    with project("hybrid") as running:
        running.bulk(ANN | {"userId": "u1"}, BO | {"userId": "u2"})
        before = running.world.snapshot_of_writes()
        answer = bulk(running, BO | {"unsubscribedChannelIds": [39581]}, ANN | {"userId": "u2"})
        assert answer.status_code == 409 and running.world.snapshot_of_writes() == before


def test_a_message_type_needs_its_channel_unless_that_is_waived(running):
    row = ANN | {"subscribedMessageTypeIds": [47251], "unsubscribedChannelIds": [39580]}
    assert running.post("users/updateSubscriptions", **row).json()["code"] == "BadParams"
    assert running.post("users/updateSubscriptions", **row, validateChannelAlignment=False).status_code == 200
    assert running.user("ann@example.com")["subscribedMessageTypeIds"] == [47251]


def test_a_device_is_merged_by_its_token_and_makes_the_user(running):
    for fields in ({"os": "17", "model": "x"}, {"os": "18"}):
        running.post("users/registerDeviceToken", **ANN, device=DEVICE | {"dataFields": fields})
    running.post("users/registerDeviceToken", **ANN, device=DEVICE | {"token": "t2", "platform": "GCM"})
    first, second = running.user("ann@example.com")["devices"]
    assert first == DEVICE | {"endpointEnabled": True, "os": "18", "model": "x"} and second["token"] == "t2"
    bad = running.post("users/registerDeviceToken", **ANN, device=DEVICE | {"platform": "iOS"})
    assert bad.json()["code"] == "BadParams"


def test_a_device_is_disabled_for_one_or_for_everybody(running):
    for who in (ANN, BO):
        running.post("users/registerDeviceToken", **who, device=DEVICE)

    def enabled():
        return [running.user(each["email"])["devices"][0]["endpointEnabled"] for each in (ANN, BO)]

    assert running.post("users/disableDevice", token="t1", **ANN).status_code == 200 and enabled() == [False, True]
    assert running.post("users/disableDevice", token="t1").status_code == 200 and enabled() == [False, False]
    assert running.post("users/disableDevice", token="unknown").status_code == 400


@pytest.mark.parametrize("kind", ["devices", "browserTokens"])
def test_nobody_has_more_than_500_tokens(running, kind):
    def register(token):
        if kind == "devices":
            return running.post("users/registerDeviceToken", **ANN, device=DEVICE | {"token": token})
        return running.post("users/registerBrowserToken", **ANN, browserToken=token)

    register("t0")
    (first,) = running.user("ann@example.com")[kind]
    more = [first | {"token": f"t{n}"} if kind == "devices" else f"t{n}" for n in range(1, MOST_TOKENS)]
    running.world.everybody.change(running.world.everybody.by_email("ann@example.com"), {kind: [first, *more]})
    assert register("t499").status_code == 200 and register("one more").status_code == 400
    assert len(running.user("ann@example.com")[kind]) == MOST_TOKENS
