"""When an event happened (T1, T2)."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iterable_pipelines.activation.compile.moments import Moments
from iterable_pipelines.activation.records import Issue
from iterable_pipelines_tests.activation.compile.made import AS_OF

NOON = 1772366400


def created(value: Any, **rules: Any) -> tuple[int | None, list[str]]:
    issues: list[Issue] = []
    return Moments(AS_OF, **rules).created_at(value, issues), [each.code for each in issues]


@pytest.mark.parametrize(
    "value",
    [
        *(
            NOON,
            float(NOON) + 0.9,
            Decimal(NOON),
            str(NOON),
            f" {NOON}.7 ",
            NOON * 1000 + 999,
            NOON * 1_000_000 + 999_999,
        ),
        *("2026-03-01T12:00:00Z", "2026-03-01T12:00:00.999Z", "2026-03-01 13:00:00 +01:00", str(NOON * 1000)),
        *(datetime(2026, 3, 1, 12, 0, 0, 999_999), datetime(2026, 3, 1, 21, tzinfo=ZoneInfo("Asia/Tokyo"))),
    ],
)
def test_t1_one_moment_in_many_forms(value: Any) -> None:
    assert created(value) == (NOON, [])


def test_t1_dates_begin_at_midnight_utc_and_naive_moments_have_the_zone_of_the_sync() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert created(date(2026, 3, 1), zone=berlin) == created("2026-03-01", zone=berlin) == (NOON - 12 * 3600, [])
    assert created("2026-03-01T13:00:00", zone=berlin) == created(datetime(2026, 3, 1, 13), zone=berlin) == (NOON, [])


@given(st.integers(631_152_000, int(AS_OF.timestamp())), st.sampled_from([1, 1000, 1_000_000]), st.data())
def test_t1_the_unit_is_told_by_its_size_and_never_rounded_up(seconds: int, unit: int, data: st.DataObject) -> None:
    given = seconds * unit + data.draw(st.integers(0, unit - 1))
    assert created(given) == created(str(given)) == created(Decimal(given)) == (seconds, [])


@pytest.mark.parametrize(
    "value",
    [
        *(
            "yesterday",
            "2026-13-01",
            -5,
            0,
            631_151_999,
            "1989-12-31T23:59:59Z",
            float("nan"),
            float("inf"),
            True,
            "1e9",
        ),
        *([NOON], {"at": NOON}, b"1", 10**18 * 9, "1772366400Z", datetime(1, 1, 1)),
    ],
)
def test_t1_what_is_no_moment(value: Any) -> None:
    assert created(value) == (None, ["invalid_created_at"])


def test_t1_more_than_a_day_ahead_is_odd() -> None:
    now = int(AS_OF.timestamp())
    assert created(now + 86_400) == (now + 86_400, [])
    assert created(now + 86_401) == (now + 86_401, ["created_at_in_future"])
    assert AS_OF.tzinfo is UTC


@pytest.mark.parametrize("value", [None, "", "  "])
def test_t2_a_missing_moment_must_be_allowed(value: Any) -> None:
    assert created(value) == (None, ["invalid_created_at"])
    assert created(value, may_miss=True) == (None, [])
