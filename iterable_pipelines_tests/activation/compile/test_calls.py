"""Calls: pages and screens, alias, group, context, devices (1.3–1.8, K2, K4)."""

from typing import Any

import pytest

from iterable_pipelines.activation.compile.objects import compiler_again
from iterable_pipelines.activation.errors import ActivationRefused
from iterable_pipelines.activation.project import ProjectType
from iterable_pipelines_tests.activation.compile.made import AS_OF, codes, compiler, payload, warnings

COLUMNS = "type userId previousId groupId event name category traits properties context timestamp messageId"
AT = {"timestamp": 1772366400, "userId": "u1"}


def sent(call: dict[str, Any], project: ProjectType = "hybrid", **said: Any) -> dict[str, Any]:
    return payload(compiler("calls", COLUMNS, project, **said), call)


def wrong(call: dict[str, Any], project: ProjectType = "hybrid", **said: Any) -> list[str]:
    return codes(compiler("calls", COLUMNS, project, **said), call)


def skipped(call: dict[str, Any], project: ProjectType = "hybrid", **said: Any) -> str:
    compiled = compiler("calls", COLUMNS, project, **said).compile("1", call)
    assert not compiled.records
    return compiled.skipped


def test_columns_go_by_any_spelling_and_may_be_named() -> None:
    for columns in ("type user_id", "Type UserId", "TYPE User-ID"):
        kind, user_id = columns.split()
        assert payload(compiler("calls", columns), {kind: "Identify", user_id: "u1"}) == {"userId": "u1"}
    made = compiler("calls", "kind who user_id", columns={"type": "kind", "user_id": "who"})
    assert payload(made, {"kind": "identify", "who": "u1", "user_id": "other"}) == {"userId": "u1"}
    assert made.columns == {"kind", "who"}
    with pytest.raises(ActivationRefused, match="no column `type`"):
        compiler("calls", "user_id")


def test_calls_without_a_type_or_of_another() -> None:
    assert wrong({"type": None}) == wrong({"type": " "}) == ["missing_call_type"]
    assert wrong({"type": "delete", "userId": "u1"}) == ["unsupported_call"]


def test_objects_may_be_structs_maps_or_json() -> None:
    made = compiler("calls", "type userId traits")
    for traits in ('{"plan": "pro"}', {"plan": "pro"}, [("plan", "pro")]):
        row = {"type": "identify", "userId": "u1", "traits": traits}
        assert payload(made, row) == {"userId": "u1", "dataFields": {"plan": "pro"}}
    assert codes(made, {"type": "identify", "userId": "u1", "traits": "plan=pro"}) == ["unserializable_value"]


@pytest.mark.parametrize(
    ("call", "name"),
    [
        ({"type": "page", "name": " shoppingCart "}, "shoppingCart page"),
        ({"type": "page", "properties": {"name": "Pricing"}}, "Pricing page"),
        ({"type": "page", "category": "Docs"}, "Docs page"),
        ({"type": "screen", "name": "Home", "category": "App"}, "Home screen"),
        ({"type": "page"}, "Loaded a Page"),
        ({"type": "screen"}, "Loaded a Screen"),
    ],
)
def test_names_of_pages_and_screens(call: dict[str, Any], name: str) -> None:
    assert sent(AT | call)["eventName"] == name
    assert sent(AT | call, single_event_name=True)["eventName"] == f"Loaded a {call['type'].title()}"


@pytest.mark.parametrize(
    ("pages", "named", "categorised", "nameless"),
    [
        ("all", True, True, True),
        ("named", True, False, False),
        ("categorised", False, True, False),
        ("none", False, False, False),
    ],
)
def test_pages_may_be_filtered(pages: str, named: bool, categorised: bool, nameless: bool) -> None:
    for more, wanted in (({"name": "A"}, named), ({"category": "B"}, categorised), ({}, nameless)):
        compiled = compiler("calls", COLUMNS, pages=pages).compile("1", AT | {"type": "page"} | more)
        assert bool(compiled.records) is wanted and compiled.skipped == ("" if wanted else "page_filtered")


ALIAS = {"type": "alias", "previousId": "old@ex.com", "userId": "New@ex.com"}


def test_0_12_alias_in_each_project(project: ProjectType) -> None:
    by_id = ALIAS | {"previousId": "u1"}
    if project == "email":
        assert sent(ALIAS, project) == {"currentEmail": "old@ex.com", "newEmail": "new@ex.com"}
        assert sent(by_id, project) == {"currentUserId": "u1", "newEmail": "new@ex.com"}
    else:
        assert sent(by_id, project) == {"userId": "u1", "dataFields": {"email": "new@ex.com"}}


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"previousId": None}, "missing_previous_id"),
        ({"previousId": " "}, "missing_previous_id"),
        ({"userId": None}, "missing_new_email"),
        ({"userId": "u2"}, "invalid_email"),
        ({"previousId": "a@b"}, "invalid_email"),
        ({"previousId": True}, "invalid_user_id"),
    ],
)
def test_alias_that_is_incomplete(more: dict[str, Any], code: str) -> None:
    assert wrong(ALIAS | more, "email") == [code]


def test_alias_to_the_same_address_is_nothing() -> None:
    assert skipped(ALIAS | {"userId": " OLD@ex.com"}, "email") == "noop"


def test_group_is_skipped_unless_it_has_a_field() -> None:
    call = {"type": "group", "userId": "u1", "groupId": "g", "traits": {"plan": "pro", "seats": None}}
    assert skipped(call) == "unsupported_call:group"
    assert sent(call, group={"field": "company"}) == {
        "userId": "u1",
        "mergeNestedObjects": True,
        "dataFields": {"company": {"groupId": "g", "plan": "pro"}},
    }


def test_k2_context_is_taken_over_only_where_it_is_listed() -> None:
    context = {"ip": "1.2.3.4", "timezone": "Europe/Berlin", "userAgent": "x", "locale": "de", "page": {"url": "/"}}
    call = {"type": "identify", "userId": "u1", "traits": {"locale": "fr"}, "context": context}
    assert sent(call)["dataFields"] == {"locale": "fr"}
    found = sent(call, context_fields=["ip", "locale", "timezone", "page"])["dataFields"]
    assert found == {"ip": "1.2.3.4", "locale": "fr", "timeZone": "Europe/Berlin", "page": {"url": "/"}}


def test_v5_null_traits_clear_and_null_properties_do_not() -> None:
    assert sent({"type": "identify", "userId": "u1", "traits": {"a": None}})["dataFields"] == {"a": None}
    assert "dataFields" not in sent({"type": "identify", "userId": "u1", "traits": {"a": None}}, null_policy="omit")
    assert "dataFields" not in sent(AT | {"type": "track", "event": "Ping", "properties": {"a": None}})


@pytest.mark.parametrize(
    ("kind", "policy", "sent"),
    [
        ("JSON", {}, {"a": 1, "b": None}),
        ("STRUCT(a INTEGER, b INTEGER)", {}, {"a": 1}),
        ("STRUCT(a INTEGER, b INTEGER)", {"null_policy": "send"}, {"a": 1, "b": None}),
    ],
)
def test_v5_a_struct_says_nothing_of_members_that_a_call_lacks(kind: str, policy: Any, sent: dict[str, Any]) -> None:
    made = compiler("calls", {"type": "VARCHAR", "user_id": "VARCHAR", "traits": kind}, **policy)
    row = {"type": "identify", "user_id": "u1", "traits": {"a": 1, "b": None}}
    assert payload(made, row)["dataFields"] == sent
    assert compiler_again(made.mapping, AS_OF).compile("1", row) == made.compile("1", row)


def test_1_4_what_is_data_of_an_event() -> None:
    given = {"email": "a@ex.com", "campaign_id": "7", "TemplateId": 8, "eventId": "e", "id": 9, "n": 1}
    found = sent(AT | {"type": "track", "event": "Ping", "properties": given})
    assert found["dataFields"] == {"id": 9, "n": 1}
    assert (found["campaignId"], found["templateId"], found["id"]) == (7, 8, "e")


def test_k4_the_exact_spelling_wins_then_camel_case_then_the_first() -> None:
    given = {"Campaign ID": 1, "campaignId": 2, "campaign_id": 3}
    for expected in (3, 2, 1):
        assert sent(AT | {"type": "track", "event": "Ping", "properties": given})["campaignId"] == expected
        given.popitem()
    absent = {"campaign_id": None, "campaignId": 2}
    assert sent(AT | {"type": "track", "event": "Ping", "properties": absent})["campaignId"] == 2


def test_1_3_created_is_an_ordinary_field_and_met_only_when_asked() -> None:
    call = {"type": "identify", "userId": "u1", "traits": {"createdAt": "2026-03-01T12:00:00Z"}}
    assert sent(call)["dataFields"] == {"createdAt": "2026-03-01 12:00:00 +00:00"}
    assert sent(call, segment_classic_compat=True)["dataFields"]["met"] == "2026-03-01 12:00:00 +00:00"


DEVICES = {"devices": {"application_name": "com.acme.app"}}


@pytest.mark.parametrize(
    ("context", "endpoint", "payload"),
    [
        (
            {"device": {"token": "t", "type": "android"}, "os": {"token": "b"}},
            "device",
            {"userId": "u1", "device": {"token": "t", "platform": "GCM", "applicationName": "com.acme.app"}},
        ),
        (
            {"device": {"token": "t"}, "os": {"name": "iPadOS"}},
            "device",
            {"userId": "u1", "device": {"token": "t", "platform": "APNS", "applicationName": "com.acme.app"}},
        ),
        ({"os": {"token": 7}}, "browser", {"userId": "u1", "browserToken": "7"}),
    ],
)
def test_1_8_tokens_follow_the_user(context: dict[str, Any], endpoint: str, payload: dict[str, Any]) -> None:
    call = {"type": "identify", "userId": "u1", "context": context}
    user, token = compiler("calls", COLUMNS, **DEVICES).compile("1", call).records
    assert (user.output, token.endpoint, token.payload, token.needs) == ("user", endpoint, payload, "user")
    off = {"devices": {**DEVICES["devices"], "enabled": False}}
    assert sent(call) == sent(call, **off) == {"userId": "u1"}


def test_1_8_a_device_of_an_unknown_system_keeps_nobody_from_the_rest() -> None:
    call = {"type": "identify", "userId": "u1", "context": {"device": {"token": "t", "type": "toaster"}}}
    made = compiler("calls", COLUMNS, **DEVICES)
    assert payload(made, call) == {"userId": "u1"}
    assert warnings(made, call) == [("unknown_platform", "context.device.type")]
