"""Hours and windows: half-open spans of UTC time, and the one spelling of an hour used everywhere.

An hour is written 2026-11-01T03 in partition keys, landing folders, the command line and the UI.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

HOUR = timedelta(hours=1)
HOUR_FORMAT = "%Y-%m-%dT%H"


def hour_of(moment: datetime) -> datetime:
    """The start of the hour `moment` lies in, UTC."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def hour_key(hour: datetime) -> str:
    """2026-11-01T03 for the hour that starts at 03:00 UTC."""
    return hour.astimezone(UTC).strftime(HOUR_FORMAT)


def parse_hour(text: str) -> datetime:
    """Read 2026-11-01T03 or a day, 2026-11-01, as UTC.

    Raises ValueError, with the accepted forms, for anything else.
    """
    for shape in (HOUR_FORMAT, "%Y-%m-%d"):
        try:
            return datetime.strptime(text, shape).replace(tzinfo=UTC)
        except ValueError:
            continue
    raise ValueError(f"{text!r} is not an hour: write 2026-11-01T03, or 2026-11-01 for midnight, both UTC")


def now() -> datetime:
    """The present moment, UTC, aware."""
    return datetime.now(UTC)


def iso(moment: datetime) -> str:
    """2026-11-01T03:00:00+00:00: UTC, whole seconds, texts in the order of time."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, order=True)
class Window:
    """A half-open span [start, end) of UTC time; both aware, whole seconds."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError("a window needs aware times")
        if self.start >= self.end:
            raise ValueError(f"a window must end after it starts: {self}")

    @classmethod
    def of_hour(cls, hour: datetime) -> "Window":
        return cls(hour_of(hour), hour_of(hour) + HOUR)

    def hours(self) -> list[datetime]:
        """Every hour that the window touches, in order."""
        return list(iterate_hours(self.start, self.end))

    def halves(self) -> "tuple[Window, Window]":
        """Two windows that tile this one, split at a whole hour if it is longer than one, else at a whole second."""
        middle = self.start + (self.end - self.start) / 2
        middle = hour_of(middle) if self.end - self.start > HOUR else middle.replace(microsecond=0)
        if not self.start < middle < self.end:
            middle = self.start + timedelta(seconds=1)
        return Window(self.start, middle), Window(middle, self.end)

    def __str__(self) -> str:
        return f"[{self.start:%Y-%m-%d %H:%M:%S}, {self.end:%Y-%m-%d %H:%M:%S}) UTC"


def iterate_hours(start: datetime, end: datetime) -> Iterator[datetime]:
    """Each hour from the one `start` lies in up to, and without, `end`."""
    hour = hour_of(start)
    while hour < end:
        yield hour
        hour += HOUR


def contiguous(hours: list[datetime]) -> list[Window]:
    """The fewest windows that cover exactly these hours."""
    windows: list[Window] = []
    for hour in sorted(set(hours)):
        if windows and windows[-1].end == hour:
            windows[-1] = Window(windows[-1].start, hour + HOUR)
        else:
            windows.append(Window(hour, hour + HOUR))
    return windows
