"""Events: names, attribution, ids (1.4, T2–T4, G7)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iterable_pipelines.activation.compile.events import generated_id
from iterable_pipelines_tests.activation.compile.made import BY_USER_ID, codes, compiler, payload

AT = 1772366400
USUAL: dict[str, Any] = {**BY_USER_ID, "event_name": "name", "created_at": "at"}
COLUMNS = "user_id name at id campaign template a"
ROW = {"user_id": "u1", "name": "Ping", "at": AT}


def event(row: dict[str, Any], **said: Any) -> dict[str, Any]:
    return payload(compiler("event", COLUMNS, **(USUAL | said)), ROW | row)


def wrong(row: dict[str, Any], **said: Any) -> list[str]:
    return codes(compiler("event", COLUMNS, **(USUAL | said)), ROW | row)


def test_names_go_verbatim_without_blanks_around_them() -> None:
    assert event({"name": "  Trial Started "})["eventName"] == "Trial Started"
    assert event({}, event_name={"constant": "Subscribe"})["eventName"] == "Subscribe"
    assert wrong({"name": " "}) == wrong({"name": None}) == ["missing_event_name"]


def test_t2_without_a_moment_iterable_takes_the_time_of_reception_if_allowed() -> None:
    assert event({"at": None}, allow_missing_created_at=True) == {"userId": "u1", "eventName": "Ping", "id": "wh:s:1"}
    assert wrong({"at": None}) == ["invalid_created_at"]


@pytest.mark.parametrize(
    ("given", "sent"), [(42, 42), ("42", 42), (" 42 ", 42), (42.0, 42), (0, None), ("", None), (None, None)]
)
def test_t3_attribution(given: Any, sent: int | None) -> None:
    found = event({"campaign": given, "template": given}, campaign_id="campaign", template_id="template")
    assert (found.get("campaignId"), found.get("templateId")) == (sent, sent)


@pytest.mark.parametrize("given", ["x", 1.5, "1.5", True, [1], "-1", "٤"])
def test_t3_attribution_that_is_none(given: Any) -> None:
    said = {"campaign_id": "campaign", "template_id": "template"}
    assert wrong({"campaign": given, "template": given}, **said) == ["invalid_campaign_id", "invalid_template_id"]


def test_t3_attribution_may_be_constant() -> None:
    assert event({}, campaign_id={"constant": 7})["campaignId"] == 7


@pytest.mark.parametrize(
    ("given", "known"), [("e-1", "e-1"), (7, "7"), (7.0, "7"), (1.5, "1.5"), ("", "wh:s:1"), (None, "wh:s:1")]
)
def test_t4_ids(given: Any, known: str) -> None:
    assert event({"id": given}, id="id")["id"] == known


def test_t4_an_id_has_512_bytes_at_most() -> None:
    assert event({"id": "ü" * 256}, id="id")["id"] == "ü" * 256
    assert wrong({"id": "ü" * 257}, id="id") == ["event_id_too_long"]


@given(st.text(), st.text())
def test_t4_generated_ids_are_short_and_told_apart(one: str, two: str) -> None:
    ids = [generated_id("s", pk * times) for pk in (one, two) for times in (1, 200)]
    assert all(len(each.encode()) <= 512 and each.startswith("wh:s:") for each in ids)
    assert (ids[0] == ids[2]) is (one == two) and generated_id("s", one) == ids[0]


def test_a_renamed_sync_keeps_the_ids_of_its_events() -> None:
    assert event({}, renamed_from="clicks")["id"] == "wh:clicks:1"


def test_g7_an_update_needs_the_id_of_the_event() -> None:
    assert wrong({"id": None}, id="id", mode="update") == ["event_id_required"]
    assert event({"id": "e"}, id="id", mode="update")["id"] == "e"


def test_new_fields_are_a_member_of_each_event_and_single_events_go_elsewhere() -> None:
    made = compiler("event", COLUMNS, **USUAL, create_new_fields=False, delivery="single")
    (record,) = made.compile("1", ROW).records
    assert record.payload["createNewFields"] is False and not record.flags
    assert (record.endpoint, record.moment, record.key) == ("event", AT, "1")


def test_i7_identifiers_stay_among_the_data_where_the_sync_says_so() -> None:
    assert event({}, keep_identifiers_in_data_fields=True)["dataFields"] == {"userId": "u1"}
    calls = compiler("calls", "type event timestamp properties", keep_identifiers_in_data_fields=True)
    row = {"type": "track", "event": "Ping", "timestamp": AT, "properties": {"email": " A@ex.com", "n": 1}}
    assert payload(calls, row)["dataFields"] == {"n": 1, "email": "a@ex.com"}


def test_i7_events_keep_an_id_of_their_own_as_data() -> None:
    made = compiler("event", "user_id name at id", **USUAL, fields="*")
    assert payload(made, {**ROW, "id": 7})["dataFields"] == {"id": 7}
