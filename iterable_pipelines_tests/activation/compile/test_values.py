"""Values as Iterable takes them (V1–V4, V8), and their JSON."""

import json
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iterable_pipelines.activation.compile.values import LONGEST_TEXT, Values, read_json, read_moment
from iterable_pipelines.activation.records import Issue, canonical, wire

PLAIN = Values()


def plain(value: Any, values: Values = PLAIN) -> Any:
    issues: list[Issue] = []
    found = values.plain(value, "f", issues)
    assert not issues
    return found


def refused(value: Any, values: Values = PLAIN) -> list[tuple[str, str]]:
    issues: list[Issue] = []
    values.plain(value, "f", issues)
    return [(each.code, each.path) for each in issues]


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("2026-03-02T09:15:30.412Z", "2026-03-02 09:15:30 +00:00"),
        ("2026-03-02T09:15:30+02:00", "2026-03-02 07:15:30 +00:00"),
        ("2026-03-02T09:15:30+0200", "2026-03-02 07:15:30 +00:00"),
        ("2026-03-02T09:15:30,9-05", "2026-03-02 14:15:30 +00:00"),
        ("2026-03-02 09:15:30", "2026-03-02 09:15:30 +00:00"),
        ("2026-03-02T09:15", "2026-03-02 09:15:00 +00:00"),
        (datetime(2026, 3, 2, 9, 15, 30, 999999), "2026-03-02 09:15:30 +00:00"),
        (datetime(2026, 3, 2, 9, 15, 30, tzinfo=ZoneInfo("Asia/Tokyo")), "2026-03-02 00:15:30 +00:00"),
        (datetime(33, 3, 2), "0033-03-02 00:00:00 +00:00"),
    ],
)
def test_v1_moments_in_utc(given: Any, sent: str) -> None:
    assert plain(given) == sent
    assert plain({"a": [given]}) == {"a": [sent]}


def test_v1_moments_without_a_zone() -> None:
    berlin = Values(zone=ZoneInfo("Europe/Berlin"))
    assert (
        plain(datetime(2026, 7, 1, 12), berlin) == plain("2026-07-01T12:00:00", berlin) == "2026-07-01 10:00:00 +00:00"
    )


@given(st.datetimes(timezones=st.timezones() | st.none(), min_value=datetime(2, 1, 1), max_value=datetime(9998, 1, 1)))
def test_v1_what_was_converted_stays(moment: datetime) -> None:
    once = plain(moment)
    assert plain(once) == once
    utc = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    assert read_moment(once) == utc.astimezone(UTC).replace(microsecond=0)


@pytest.mark.parametrize(
    "text",
    [
        *("1990-05-01", "1234-12-00", "2026-13-01", "1234", "2026-13-01T00:00:00Z", "2026-01-01T25:00:00Z", ""),
        *("2026-01-01T00:00:00 and more", "٢٠٢٦-01-01T00:00:00Z", "2026-01-01T10:00:60Z", "0001-01-01T00:00:00+14:00"),
        *("2026-01-01T10:00:00+99:00", "2026-01-01T1:00"),
    ],
)
def test_v2_what_only_resembles_a_moment_stays(text: str) -> None:
    assert plain(text) == text


def test_v2_dates_and_texts_that_are_left_alone() -> None:
    assert plain(date(1990, 5, 1)) == "1990-05-01"
    text = "2026-03-02T09:15:30Z"
    assert plain(text, Values(iso=False)) == text
    assert plain(datetime(2026, 3, 2), Values(iso=False)) == "2026-03-02 00:00:00 +00:00"


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (9007199254740993, "9007199254740993"),
        (-(2**63), "-9223372036854775808"),
        (Decimal("9223372036854775807"), "9223372036854775807"),
        (Decimal("41.50"), "41.5"),
        (Decimal("0.1"), "0.1"),
        # a double, not an integer: the first value fixes the type of a field for ever (api.md 1.9)
        (Decimal("5.00"), "5.0"),
        (5.0, "5.0"),
        (Decimal("12345678901234567890.123456789"), "12345678901234567890.123456789"),
        (Decimal("-12345678901234567890.10"), "-12345678901234567890.1"),
        (True, "true"),
        (None, "null"),
    ],
)
def test_v3_numbers_are_exact(given: Any, text: str) -> None:
    assert wire(plain(given)) == text


@given(
    st.decimals(allow_nan=False, allow_infinity=False, places=9)
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
)
def test_v3_no_number_is_rounded(number: Any) -> None:
    back = json.loads(wire(plain(number)), parse_float=Decimal)
    assert (Decimal(repr(number)) if isinstance(number, float) else number) == back


@pytest.mark.parametrize(
    "value",
    [
        *(
            2**63,
            -(2**63) - 1,
            Decimal(2**63),
            float("nan"),
            float("inf"),
            Decimal("NaN"),
            b"blob",
            time(1),
            timedelta(1),
        ),
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))),
    ],
)
def test_v3_v4_what_cannot_be_sent(value: Any) -> None:
    assert refused(value) == [("unserializable_value", "f")]
    assert refused({"a": [1, value]}) == [("unserializable_value", "f.a[1]")]


def test_v4_nested_and_other_types() -> None:
    assert plain(UUID(int=1)) == "00000000-0000-0000-0000-000000000001"
    assert plain([("a", 1), ("b", None)]) == {"a": 1, "b": None}
    assert plain({1: "x", False: "y", "z": 1}) == {"1": "x", "false": "y", "z": 1}
    assert plain({"a": {"b": [date(2026, 1, 1), None]}}) == {"a": {"b": ["2026-01-01", None]}}
    # V5: NULLs within objects go, the places of an array stay
    assert plain({"a": None, "b": [None, {"c": None}]}, Values(nulls=False)) == {"b": [None, {}]}


def test_v4_json_keeps_its_numbers_and_refuses_what_is_none() -> None:
    assert wire(plain(read_json('{"a": 1.10, "b": 12345678901234567, "c": 0.12345678901234567891}'))) == (
        '{"a":1.1,"b":12345678901234567,"c":0.12345678901234567891}'
    )
    for text in ("{", "NaN", '"\\ud800"', "[1,]"):
        with pytest.raises(ValueError):
            read_json(text)


def test_v8_long_texts() -> None:
    assert plain("x" * LONGEST_TEXT) == "x" * LONGEST_TEXT
    assert refused({"deep": "x" * (LONGEST_TEXT + 1)}) == [("value_too_long", "f.deep")]
    issues: list[Issue] = []
    assert Values(truncate=True).plain("x" * 40_000, "f", issues) == "x" * LONGEST_TEXT
    assert [(each.code, each.severity) for each in issues] == [("value_near_limit", "warning")]


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), _JSON, max_size=5), st.randoms(use_true_random=False))
def test_s4_canonical_json_does_not_depend_on_the_order_of_keys(data: dict[str, Any], random: Any) -> None:
    items = list(data.items())
    random.shuffle(items)
    assert canonical(dict(items)) == canonical(data)
    assert canonical(json.loads(canonical(data))) == canonical(data)
    assert json.loads(canonical(data)) == json.loads(json.dumps(data))


def test_s4_equal_numbers_are_equal() -> None:
    assert canonical({"a": Decimal("1.10"), "b": -0.0, "c": 5.0}) == canonical({"c": 5, "b": 0, "a": 1.1})
    assert canonical(Decimal("-12345678901234567890.10")) == "-12345678901234567890.1"
    assert canonical(1e300) == canonical(Decimal("1e300")) and canonical([1, 2]) != canonical([2, 1])
