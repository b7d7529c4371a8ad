"""Moments and spans as people write them, in any zone, as UTC. Iterable is asked by whole seconds of UTC."""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Literal
from zoneinfo import ZoneInfo, available_timezones

from iterable_pipelines.hours import Window, now
from iterable_pipelines.settings_values import did_you_mean

Range = Literal["today", "yesterday", "before-today", "all"]

# events may be tracked with a time long past: nothing Iterable stores is older than its own zero
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_WRITTEN = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)"
    r"(?:[Tt ](?P<hour>\d\d)(?::(?P<minute>\d\d)(?::(?P<second>\d\d)(?P<fraction>[.,]\d{1,9})?)?)?)?"
    r" ?(?P<zone>[Zz]|[+-](?:[01]\d|2[0-3]):?[0-5]\d|[A-Za-z]{2,5})?",
    re.ASCII,
)
_ACCEPTED = "2026-11-01, 2026-11-01T03, '2026-11-01 03:00' or 2026-11-01T03:00:00+01:00"
# an abbreviation is an offset of somebody's summer or winter, and often of several people's
_ABBREVIATED = {
    "America/Los_Angeles": ("PST", "PDT", "PT"),
    "America/Denver": ("MST", "MDT", "MT"),
    "America/Chicago": ("CST", "CDT", "CT"),
    "America/New_York": ("EST", "EDT", "ET"),
    "Europe/London": ("BST", "GMT"),
    "Europe/Berlin": ("CET", "CEST", "MEZ", "MESZ"),
    "Asia/Kolkata": ("IST",),
    "Asia/Tokyo": ("JST",),
}
_MEANT = {short: name for name, shorts in _ABBREVIATED.items() for short in shorts}


def zone_named(name: str) -> ZoneInfo:
    """The zone of an IANA name, such as Europe/Berlin, or UTC. Raises ValueError, with what to write instead."""
    if name.upper() == "UTC":
        return ZoneInfo("UTC")
    known = [each for each in available_timezones() if "/" in each]
    if name in known:
        return ZoneInfo(name)
    if "/" not in name:
        raise ValueError(f"{_no_name(name)}: write {_meant(name)}")
    raise ValueError(f"{name!r} is no time zone{did_you_mean(name, known) or ': write one such as Europe/Berlin'}")


def parse_moment(text: str, zone: tzinfo = UTC) -> datetime:
    """Read a day or a time as UTC; `zone` is meant where the text has no offset. Raises ValueError, with what to write.

    A fraction of a second goes up to the next whole one, for the start and the end of a span alike: the records in
    between have whole seconds.
    """
    found = _WRITTEN.fullmatch(text.strip())
    if not found:
        raise ValueError(f"{text!r} is no time: write {_ACCEPTED}")
    clock = [int(found[part] or 0) for part in ("hour", "minute", "second")]
    try:
        written = datetime.fromisoformat(found["date"]).replace(hour=clock[0], minute=clock[1], second=clock[2])
        moment = _placed(written, _offset(found["zone"]) or zone).astimezone(UTC)
        return moment + timedelta(seconds=1) if (found["fraction"] or "").strip(".,0") else moment
    except OverflowError:
        raise ValueError(f"{text!r} lies beyond the years that can be asked for") from None
    except ValueError as error:
        raise ValueError(f"{text!r}: {error}") from None


def span_of(name: Range) -> Window:
    """A named span, as Iterable defines it, in UTC, up to the present second. Raises ValueError for an empty one."""
    present = now().replace(microsecond=0)
    midnight = present.replace(hour=0, minute=0, second=0)
    return {
        "today": lambda: Window(midnight, present),
        "yesterday": lambda: Window(midnight - timedelta(days=1), midnight),
        "before-today": lambda: Window(_BEGINNING, midnight),
        "all": lambda: Window(_BEGINNING, present),
    }[name]()


def _offset(written: str | None) -> tzinfo | None:
    if written is None:
        return None
    if written.upper() in ("Z", "UTC"):
        return UTC
    if written[0] not in "+-":
        raise ValueError(f"{_no_name(written)}: leave it out and name the zone, {_meant(written)}, or write an offset")
    hours, minutes = int(written[1:3]), int(written[-2:])
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if written[0] == "-" else offset)


def _placed(written: datetime, zone: tzinfo) -> datetime:
    """The time in its zone. Raises ValueError for one that clocks skip or show twice there."""
    first, second = written.replace(tzinfo=zone), written.replace(tzinfo=zone, fold=1)
    if first.utcoffset() == second.utcoffset():
        return first
    if first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != written:
        raise ValueError(f"clocks skip this time in {zone}; write it with an offset, such as +01:00 or Z")
    ways = " or ".join(each.isoformat() for each in (first, second))
    raise ValueError(f"clocks show this time twice in {zone}; write {ways}")


def _no_name(zone: str) -> str:
    return f"{zone!r} is no IANA name of a time zone, and abbreviations mean different things"


def _meant(zone: str) -> str:
    return f"perhaps {_MEANT[zone.upper()]}" if zone.upper() in _MEANT else "such as Europe/Berlin"
