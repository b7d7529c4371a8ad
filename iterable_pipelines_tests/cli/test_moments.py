"""Times as people write them, in any zone, are the right seconds of UTC, or a message says what to write (T15, T75)."""

from datetime import UTC, datetime

import pytest

from iterable_pipelines import moments
from iterable_pipelines.hours import Window
from iterable_pipelines.moments import Range, parse_moment, span_of, zone_named

BERLIN = zone_named("Europe/Berlin")
NEW_YORK = zone_named("America/New_York")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-01", "2026-11-01 00:00"),
        ("2026-11-01T03", "2026-11-01 03:00"),
        ("2026-11-01T03:00", "2026-11-01 03:00"),
        ("2026-11-01 03:00", "2026-11-01 03:00"),
        (" 2026-11-01 03:00:05 ", "2026-11-01 03:00:05"),
        ("2026-11-01T03:00:00Z", "2026-11-01 03:00"),
        ("2026-11-01t03:00:00z", "2026-11-01 03:00"),
        ("2026-11-01 03:00 UTC", "2026-11-01 03:00"),
        ("2026-11-01T03:00:00+01:00", "2026-11-01 02:00"),
        ("2026-11-01 03:00:00 -0330", "2026-11-01 06:30"),
        ("2026-11-01T03:00:00-00:00", "2026-11-01 03:00"),
        ("2026-11-01+14:00", "2026-10-31 10:00"),
        ("2028-02-29", "2028-02-29 00:00"),
    ],
)
def test_a_time_without_a_zone_is_utc(text: str, moment: str) -> None:
    assert parse_moment(text) == utc(moment)
    assert parse_moment(text).tzinfo is UTC


@pytest.mark.parametrize(
    ("fraction", "second"),
    [(".0", "00"), (".000000000", "00"), (".000000001", "01"), (".5", "01"), (".999999999", "01"), (",25", "01")],
)
def test_a_fraction_goes_up_to_the_next_whole_second(fraction: str, second: str) -> None:
    assert parse_moment(f"2026-11-01T03:00:00{fraction}Z") == utc(f"2026-11-01 03:00:{second}")
    assert parse_moment(f"2026-12-31T23:59:59{fraction}Z") == utc(
        "2026-12-31 23:59:59" if second == "00" else "2027-01-01"
    )


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        # winter and summer
        ("2026-01-15", "2026-01-14 23:00"),
        ("2026-07-15", "2026-07-14 22:00"),
        # either side of the hour that is skipped, and of the one that comes twice
        ("2026-03-29T01:59:59", "2026-03-29 00:59:59"),
        ("2026-03-29T03:00", "2026-03-29 01:00"),
        ("2026-10-25T01:59:59", "2026-10-24 23:59:59"),
        ("2026-10-25T03:00", "2026-10-25 02:00"),
        # an offset of its own wins
        ("2026-10-25T02:30+02:00", "2026-10-25 00:30"),
        ("2026-10-25T02:30+01:00", "2026-10-25 01:30"),
        ("2026-10-25T02:30Z", "2026-10-25 02:30"),
    ],
)
def test_the_zone_that_is_named_counts_where_there_is_no_offset(text: str, moment: str) -> None:
    assert parse_moment(text, BERLIN) == utc(moment)


def test_a_day_of_a_clock_change_has_its_own_length() -> None:
    def length(day: str, after: str) -> float:
        return (parse_moment(after, NEW_YORK) - parse_moment(day, NEW_YORK)).total_seconds() / 3600

    assert length("2026-03-08", "2026-03-09") == 23
    assert length("2026-11-01", "2026-11-02") == 25
    assert length("2026-11-02", "2026-11-03") == 24


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2026-03-29T02:30", "clocks skip this time in Europe/Berlin"),
        ("2026-10-25T02:30", r"twice in Europe/Berlin; write 2026-10-25T02:30:00\+02:00 or 2026-10-25T02:30:00\+01:00"),
        ("2026-11-01 03:00 PST", "name the zone, perhaps America/Los_Angeles"),
        ("2026-11-01 03:00 cest", "perhaps Europe/Berlin"),
        ("2026-11-01 03:00 XYZ", "such as Europe/Berlin, or write an offset"),
        ("2026-02-30", "2026-02-30.*day"),
        ("2026-11-01T24:00", "hour"),
        ("2026-11-01T23:59:60Z", "second"),
        ("2026-11-01T03:00:00.0000000001Z", "is no time: write"),
        ("2026-11-01T03:00+24:00", "is no time: write"),
        ("2026-11-01T03:00+01:60", "is no time: write"),
        ("01.11.2026", "is no time: write"),
        ("1793502000", "is no time: write"),
        ("yesterday", "is no time: write"),
        ("", "is no time: write"),
        ("\uff12\uff10\uff12\uff16-11-01", "is no time: write"),
        ("0001-01-01+14:00", "beyond the years"),
        ("9999-12-31T23:59:59.5Z", "beyond the years"),
    ],
)
def test_what_is_no_time_says_what_to_write(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_moment(text, BERLIN)


@pytest.mark.parametrize("name", ["Asia/Tokyo", "America/Argentina/Buenos_Aires", "UTC", "utc", "Etc/UTC"])
def test_zones_by_their_names(name: str) -> None:
    assert str(zone_named(name)).lower() == name.lower()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("PST", "perhaps America/Los_Angeles"),
        ("CST", "perhaps America/Chicago"),
        ("EST", "perhaps America/New_York"),
        ("jst", "perhaps Asia/Tokyo"),
        ("PST8PDT", "such as Europe/Berlin"),
        ("Berlin", "such as Europe/Berlin"),
        ("Europe/Berln", "did you mean Europe/Berlin"),
        ("../../etc/passwd", "is no time zone: write one such as"),
        ("", "such as Europe/Berlin"),
    ],
)
def test_abbreviations_and_unknown_zones_are_refused(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        zone_named(name)


@pytest.mark.parametrize(
    ("name", "start", "end"),
    [
        ("today", "2026-11-01", "2026-11-01 15:04:05"),
        ("yesterday", "2026-10-31", "2026-11-01"),
        ("before-today", "1970-01-01", "2026-11-01"),
        ("all", "1970-01-01", "2026-11-01 15:04:05"),
    ],
)
def test_named_spans(name: Range, start: str, end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moments, "now", lambda: utc("2026-11-01 15:04:05.678901"))
    assert span_of(name) == Window(utc(start), utc(end))


def test_at_midnight_there_is_no_today_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moments, "now", lambda: utc("2026-11-01 00:00:00.9"))
    with pytest.raises(ValueError, match="must end after it starts"):
        span_of("today")
    assert span_of("yesterday").end == utc("2026-11-01")
