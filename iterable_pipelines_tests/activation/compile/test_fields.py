"""Which columns become which fields (V5–V7, K1, K3, "*", what dbt says of columns)."""

from decimal import Decimal
from typing import Any

import pytest

from iterable_pipelines.activation.compile.objects import compiler_again
from iterable_pipelines.activation.errors import ActivationRefused
from iterable_pipelines.activation.records import payload_hash
from iterable_pipelines_tests.activation.compile.made import AS_OF, BY_EMAIL, codes, compiler, payload, warnings

ME = {"email": "d@ex.com"}


def data(row: dict[str, Any], columns: str, **said: Any) -> Any:
    """dataFields of a user whose row this is."""
    return payload(compiler("user", columns, **BY_EMAIL, **said), ME | row).get("dataFields")


def test_v5_nulls_clear_fields_of_profiles_and_are_left_out_of_events() -> None:
    assert data({"a": None}, "email a", fields="*") == {"a": None}
    assert data({"a": None}, "email a", fields="*", null_policy="omit") is None
    assert data({"a": None, "b": None}, "email a b", fields={"a": "a", "b": {"to": "b", "null": "omit"}}) == {"a": None}
    event: dict[str, Any] = {"event_name": {"constant": "Ping"}, "created_at": "at", "fields": "*"}
    made = compiler("event", "email at a o", **BY_EMAIL, **event)
    row = {**ME, "at": 1772366400, "a": None, "o": {"x": None, "y": [None]}}
    assert payload(made, row)["dataFields"] == {"o": {"y": [None]}}
    kept = compiler("event", "email at a", **BY_EMAIL, **event, null_policy="send")
    assert payload(kept, {**ME, "at": 1772366400, "a": None})["dataFields"] == {"a": None}


def test_v5_a_column_that_is_not_mapped_says_nothing() -> None:
    assert data({"a": 1, "b": 2}, "email a b", fields={"a": "a"}) == {"a": 1}


def test_v6_dotted_names_nest_and_merge() -> None:
    said: dict[str, Any] = {"fields": {"city": "address.city", "zip": "address.zip"}, "constants": {"a.b.c": 1}}
    made = compiler("user", "email city zip", **BY_EMAIL, **said)
    assert payload(made, {**ME, "city": "Lyon", "zip": "69001"}) == {
        "email": "d@ex.com",
        "mergeNestedObjects": True,
        "dataFields": {"address": {"city": "Lyon", "zip": "69001"}, "a": {"b": {"c": 1}}},
    }
    explicit = compiler("user", "email city zip", **BY_EMAIL, **said, merge_nested_objects=False)
    assert payload(explicit, {**ME, "city": "Lyon"})["mergeNestedObjects"] is False
    omitted = compiler("user", "email city", **BY_EMAIL, fields={"city": "address.city"}, null_policy="omit")
    assert payload(omitted, {**ME, "city": None}) == ME
    flat = compiler("user", "email city", **BY_EMAIL, fields="*", merge_nested_objects=True)
    assert payload(flat, {**ME, "city": "Lyon"})["mergeNestedObjects"] is True


def test_v7_geo_points() -> None:
    made = compiler("user", "email home_geo_location", **BY_EMAIL, fields="*")
    point = {"lat": 52.5, "lon": 13}
    assert payload(made, {**ME, "home_geo_location": point})["dataFields"] == {"home_geo_location": point}
    assert payload(made, {**ME, "home_geo_location": None})["dataFields"] == {"home_geo_location": None}
    for wrong in (
        {"lat": 1},
        {"lat": 1, "lon": 2, "alt": 3},
        {"lat": "1", "lon": 2},
        {"lat": True, "lon": 2},
        "1,2",
        [1, 2],
    ):
        assert codes(made, {**ME, "home_geo_location": wrong}) == ["invalid_geo_location"]


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("+49 170/123-45.67", "+491701234567"),
        ("(415) 555-0199", "4155550199"),
        (14155550199, "14155550199"),
        (None, None),
    ],
)
def test_k1_phones(given: Any, sent: str | None) -> None:
    assert data({"phone": given}, "email phone", fields="*") == {"phoneNumber": sent}
    assert data({"tel": given}, "email tel", fields={"tel": "phoneNumber"}) == {"phoneNumber": sent}


@pytest.mark.parametrize("given", ["0170 123", "12345", "1" * 16, "++1415555", "", 1.5, True, {"a": 1}])
def test_k1_a_phone_that_is_none_does_not_stop_the_rest(given: Any) -> None:
    made = compiler("user", "email phone city", **BY_EMAIL, fields="*")
    row = {**ME, "phone": given, "city": "Oslo"}
    assert payload(made, row)["dataFields"] == {"city": "Oslo"}
    assert warnings(made, row) == [("invalid_phone_number", "phoneNumber")]


def test_k1_a_name_that_was_written_out_stays() -> None:
    assert data({"phone": "call me"}, "email phone", fields={"phone": "phone"}) == {"phone": "call me"}


def test_k3_managed_fields_of_a_star_are_refused_and_those_of_traits_left_out() -> None:
    with pytest.raises(
        ActivationRefused, match=r"column emailListIds too: emailListIds is managed .*; use object: list"
    ):
        compiler("user", "email emailListIds", **BY_EMAIL, fields="*")
    allowed = compiler("user", "email signupDate", **BY_EMAIL, fields="*", allow_managed_fields="signupDate")
    assert payload(allowed, {**ME, "signupDate": "x"})["dataFields"] == {"signupDate": "x"}
    calls = compiler("calls", "type traits")
    traits = {**ME, "devices": [], "itblInternalX": 1, "plan": "pro"}
    row = {"type": "identify", "traits": traits}
    assert payload(calls, row)["dataFields"] == {"plan": "pro"}
    assert warnings(calls, row) == [("managed_field", "devices"), ("managed_field", "itblInternalX")]


def test_star_takes_what_has_no_role_and_no_mapping() -> None:
    columns = "email seen a b"
    said: dict[str, Any] = {"fields": {"*": {"to": "*", "null": "omit"}, "b": "beta"}, "watermark": "seen"}
    assert data({"seen": "x", "a": None, "b": None}, columns, **said) == {"beta": None}
    made = compiler("user", columns, **BY_EMAIL, **said)
    assert made.columns == {"email", "a", "b"}


def test_star_honours_what_dbt_says_of_columns() -> None:
    meta = {"a": {"field": "alpha.one"}, "b": {"ignore": True}, "c": {"type": "string"}, "d": {"unordered": True}}
    made = compiler("user", "email a b c d", "hybrid", meta, **BY_EMAIL, fields="*")
    row = {**ME, "a": 1, "b": 2, "c": 3, "d": ["z", "a"]}
    assert payload(made, row)["dataFields"] == {"alpha": {"one": 1}, "c": "3", "d": ["a", "z"]}


def test_star_does_not_send_two_columns_to_one_field() -> None:
    with pytest.raises(ActivationRefused, match="columns a and b to the same field a"):
        compiler("user", "email a b", "hybrid", {"b": {"field": "a"}}, **BY_EMAIL, fields="*")


@pytest.mark.parametrize(
    ("kind", "given", "sent"),
    [
        ("string", 7, "7"),
        ("string", True, "true"),
        ("long", "42", 42),
        ("long", 42.0, 42),
        ("double", "1.5", 1.5),
        ("boolean", "TRUE", True),
        ("boolean", 0, False),
    ],
)
def test_a_mapping_may_say_the_type(kind: str, given: Any, sent: Any) -> None:
    found = data({"a": given}, "email a", fields={"a": {"to": "a", "type": kind}})
    assert found == {"a": sent} and type(found["a"]) is type(sent)


@pytest.mark.parametrize(
    ("kind", "given"), [("long", "x"), ("long", 1.5), ("long", True), ("double", "x"), ("boolean", 2)]
)
def test_what_has_not_the_type_that_was_said(kind: str, given: Any) -> None:
    made = compiler("user", "email a", **BY_EMAIL, fields={"a": {"to": "a", "type": kind}})
    assert codes(made, {**ME, "a": given}) == ["unserializable_value"]


def test_s4_volatile_fields_are_sent_and_do_not_count() -> None:
    made = compiler("user", "email seen city", **BY_EMAIL, fields="*", volatile="seen")
    first, second, third = (
        made.compile("1", {**ME, "seen": seen, "city": city}).records[0]
        for seen, city in (("1", "Oslo"), ("2", "Oslo"), ("2", "Lyon"))
    )
    assert second.payload["dataFields"] == {"seen": "2", "city": "Oslo"}
    assert payload_hash(first) == payload_hash(second) != payload_hash(third)


def test_s4_request_flags_count_as_a_change() -> None:
    said = [{}, {"create_new_fields": False}, {"delivery": "single"}]
    made = [compiler("user", "email", **BY_EMAIL, **each).compile("1", ME).records[0] for each in said]
    assert [dict(each.flags) for each in made] == [{}, {"createNewFields": False}, {}]
    assert len({payload_hash(each) for each in made}) == 3


def test_all_that_is_wrong_is_collected_in_the_order_of_1_12() -> None:
    said: dict[str, Any] = {"event_name": "n", "created_at": "at", "id": "id", "campaign_id": "c", "fields": "*"}
    made = compiler("event", "email n at id c a b", **BY_EMAIL, **said)
    row = {"email": "bad", "n": " ", "at": "soon", "id": "x" * 600, "c": "y", "a": b"1", "b": float("nan")}
    assert codes(made, row) == [
        *("invalid_email", "missing_event_name", "invalid_created_at", "event_id_too_long", "invalid_campaign_id"),
        *("unserializable_value", "unserializable_value"),
    ]
    assert not any("bad" in each.message for each in made.compile("1", row).issues)


def test_a_column_that_is_not_there_is_named() -> None:
    with pytest.raises(ActivationRefused, match=r"syncs/s.yml names the column citty, .* did you mean city\?"):
        compiler("user", "email city", **BY_EMAIL, fields={"citty": "city"})


def test_g10_a_compiler_can_be_made_of_its_mapping_again() -> None:
    columns = "email j a"
    made = compiler("user", columns, "email", **BY_EMAIL, fields="*", constants={"source": "w"}, mode="update")
    row = {**ME, "j": [Decimal("1.50")], "a": "2026-03-02T09:15:30Z", "later": 1}
    again = compiler_again(made.mapping, AS_OF)
    assert again.compile("1", row) == made.compile("1", row) and again.mapping == made.mapping
    # G10: a column that "*" takes from now on makes a new version, and the old one knows nothing of it
    wider = compiler(
        "user", columns + " later", "email", **BY_EMAIL, fields="*", constants={"source": "w"}, mode="update"
    )
    assert wider.mapping != made.mapping


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ({"description": "x", "frequency": "daily", "enabled": False, "guards": {"allow_empty": True}}, True),
        ({"source": "made.other", "max_failure_ratio": 1.0, "log_payloads": True}, True),
        ({"fields": {"a": "b"}}, False),
        ({"constants": {"c": 1}}, False),
        ({"null_policy": "omit"}, False),
        ({"create_new_fields": True}, False),
    ],
)
def test_g11_what_is_a_mapping_change(other: dict[str, Any], same: bool) -> None:
    usual: dict[str, Any] = {**BY_EMAIL, "fields": {"a": "a"}}
    one, two = (compiler("user", "email a", **(usual | said)) for said in ({}, other))
    assert (one.mapping == two.mapping) is same
