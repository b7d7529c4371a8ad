"""Devices, subscriptions and what is done to a user (1.8, api.md 6.1)."""

from typing import Any

import pytest

from iterable_pipelines.activation.compile.compiler import Acknowledged
from iterable_pipelines.activation.project import ProjectType
from iterable_pipelines_tests.activation.compile.made import BY_EMAIL, BY_USER_ID, codes, compiler, payload

DEVICE: dict[str, Any] = {**BY_USER_ID, "token": "token", "platform": "os", "application_name": "app"}
COLUMNS = "user_id token os app sandbox model"
ROW = {"user_id": "u1", "token": "t", "os": "ios", "app": "com.acme.app"}


@pytest.mark.parametrize(
    ("system", "sandbox", "platform"),
    [
        *(("ios", False, "APNS"), ("iPadOS", None, "APNS"), ("tvos", False, "APNS"), ("watchos", True, "APNS_SANDBOX")),
        *(
            ("Android", True, "GCM"),
            ("GCM", False, "GCM"),
            ("APNS", False, "APNS"),
            ("apns_sandbox", False, "APNS_SANDBOX"),
        ),
    ],
)
def test_1_8_platforms(system: str, sandbox: bool | None, platform: str) -> None:
    made = compiler("device", COLUMNS, **DEVICE, sandbox="sandbox", fields={"model": "model"})
    assert payload(made, {**ROW, "os": system, "sandbox": sandbox, "token": 7, "model": "X"}) == {
        "userId": "u1",
        "device": {"token": "7", "platform": platform, "applicationName": "com.acme.app", "dataFields": {"model": "X"}},
    }


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"os": "windows"}, "unknown_platform"),
        ({"os": None}, "unknown_platform"),
        ({"app": " "}, "missing_application_name"),
        ({"token": None}, "missing_token"),
        ({"user_id": None}, "missing_identifier"),
    ],
)
def test_1_8_devices_that_lack_something(more: dict[str, Any], code: str) -> None:
    assert codes(compiler("device", COLUMNS, **DEVICE), ROW | more) == [code]


def test_1_8_browsers() -> None:
    made = compiler("device", "user_id token", "email", **BY_USER_ID, token="token", browser=True)
    assert payload(made, {"user_id": "u1", "token": "t"}) == {"userId": "u1", "browserToken": "t"}
    assert codes(made, {"user_id": "u1", "token": ""}) == ["missing_token"]


@pytest.mark.parametrize(("on_leave", "browser"), [("keep", False), ("disable", False), ("disable", True)])
def test_1_8_a_device_that_is_gone(on_leave: str, browser: bool) -> None:
    made = compiler("device", COLUMNS, **DEVICE, on_leave=on_leave, browser=browser)
    (record,) = made.compile("1", ROW).records
    gone = made.leave(Acknowledged("1", "1", record.output, record.identity, record.payload, 0))
    if on_leave == "keep" or browser:
        assert gone is None
    else:
        assert gone is not None and (gone.endpoint, gone.payload) == ("device_off", {"token": "t", "userId": "u1"})


ARRAYS: dict[str, Any] = {**BY_EMAIL, "email_list_ids": "lists", "unsubscribed_channel_ids": "channels"}


@pytest.mark.parametrize(
    ("lists", "sent"),
    [([3, 1, 3], [1, 3]), ([], []), ("[2, 1]", [1, 2]), (["7", 8.0], [7, 8])],
)
def test_subscriptions_are_whole_arrays_and_null_leaves_one_as_it_is(lists: Any, sent: list[int]) -> None:
    made = compiler("subscription", "email lists channels", **ARRAYS, campaign_id={"constant": 7})
    found = payload(made, {"email": "a@ex.com", "lists": lists, "channels": None})
    assert found == {"email": "a@ex.com", "emailListIds": sent, "campaignId": 7}


def test_subscriptions_without_any_array_or_with_a_wrong_one() -> None:
    made = compiler("subscription", "email lists channels", **ARRAYS)
    assert made.compile("1", {"email": "a@ex.com"}).skipped == "nothing_to_send"
    for wrong in ("x", 7, [None], ["a"], [1.5], [2**63], {"a": 1}):
        assert codes(made, {"email": "a@ex.com", "lists": wrong}) == ["unserializable_value"]


@pytest.mark.parametrize("action", ["delete", "forget", "unforget"])
def test_actions_name_one_identifier(action: str, project: ProjectType) -> None:
    made = compiler(
        "user_action", "email user_id", project, **BY_EMAIL, action=action, mode="insert", fields={"user_id": "userId"}
    )
    (record,) = made.compile("1", {"email": "A@ex.com", "user_id": "u1"}).records
    expected = {"userId": "u1"} if project == "userid" else {"email": "a@ex.com"}
    assert (record.endpoint, record.payload) == (action, expected)
    assert codes(made, {"email": None, "user_id": None}) == ["missing_identifier"]
