"""What a day has no room for, and by when it will have gone (faults.md R18): forgetting is 1,000 a day (api.md 2.1)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from iterable_pipelines.activation.endpoints import Endpoint
from iterable_pipelines.api import Iterable

DAILY_LIMIT = "daily_limit"
_HOUR = 3600.0


@dataclass(frozen=True)
class Day:
    """So many go on one day (UTC), the last of them `by` then."""

    number: int
    by: datetime


def next_hour(moment: float) -> float:
    """When a run that comes every hour is there again."""
    return moment + -moment % _HOUR


def promised(
    client: Iterable, endpoint: Endpoint, number: int, comes_again: Callable[[float], float] = next_hour
) -> list[Day]:
    """When so many will have gone, day by day; what others send by the same limit meanwhile comes on top."""
    days: dict[str, Day] = {}
    for moment in client.when_allowed(endpoint.method, endpoint.path, number, comes_again):
        day = f"{moment.astimezone(UTC):%Y-%m-%d}"
        days[day] = Day(days[day].number + 1 if day in days else 1, moment)
    return list(days.values())


def told(days: list[Day]) -> str:
    """The same in words: `1,000 by 2026-11-22 14:05, 700 by 2026-11-23 14:05 UTC`."""
    return ", ".join(f"{each.number:,} by {each.by:%Y-%m-%d %H:%M}" for each in days) + (" UTC" if days else "")
