"""The forms in which Iterable accepts moments, and the named ranges (api.md 1.6, 3.2)."""

import re
from datetime import UTC, datetime, timedelta

from iterable_pipelines.hours import Window

SHAPES = ("%Y-%m-%d %H:%M:%S %z", "%Y-%m-%d %H:%M:%S%z", "%Y-%m-%d%z", "%Y-%m-%dT%H:%M:%S.%f%z", "%Y-%m-%dT%H:%M:%S%z")
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


def read_moment(text: str) -> datetime:
    """A moment in any accepted form, UTC where no zone is given. Raises ValueError for anything else."""
    # an unencoded plus sign arrives as a blank
    text = re.sub(r" {2}(\d\d:\d\d)$", r" +\1", text)
    if re.search(r"(Z|[+-]\d\d:?\d\d)$", text) is None or re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        text += "+0000"
    for shape in SHAPES:
        try:
            return datetime.strptime(text, shape).astimezone(UTC)
        except ValueError:
            continue
    raise ValueError(f"Invalid date: {text}")


def read_window(start: str | None, end: str | None, named: str | None, now: datetime) -> Window:
    """The window asked for. Raises ValueError, with Iterable's words, unless a range or both ends are given."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    day = timedelta(days=1)
    if start and end:
        first, last = read_moment(start), read_moment(end)
        if first >= last:
            raise ValueError("startDateTime must be before endDateTime")
        return Window(first, last)
    if named is None:
        raise ValueError("Use of either range or startDateTime and endDateTime is required")
    ranges = {
        "Today": Window(midnight, midnight + day),
        "Yesterday": Window(midnight - day, midnight),
        "BeforeToday": Window(BEGINNING, midnight),
        "All": Window(BEGINNING, midnight + day),
    }
    if named not in ranges:
        raise ValueError(f"Invalid range: {named}")
    return ranges[named]
