"""When an event happened: `createdAt`, in whole seconds of the epoch (T1, T2)."""

import math
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal
from typing import Any

from iterable_pipelines.activation.compile.values import read_moment
from iterable_pipelines.activation.records import Issue

_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_FIRST = int(datetime(1990, 1, 1, tzinfo=UTC).timestamp())
_LAST = int(datetime(9999, 12, 31, tzinfo=UTC).timestamp())
_DAY = 86_400


@dataclass(frozen=True)
class Moments:
    """`as_of`: what counts as now. `may_miss`: whether Iterable may use the time of reception (T2)."""

    as_of: datetime
    zone: tzinfo = UTC
    may_miss: bool = False

    def created_at(self, value: Any, issues: list[Issue], path: str = "createdAt") -> int | None:
        """Seconds; None for a moment that may be missing or, with an Issue, one that is wrong or missing."""
        if value is None or value == "" or (isinstance(value, str) and value.isspace()):
            if not self.may_miss:
                issues.append(Issue("invalid_created_at", "it is missing, and a retry would move the event", path))
            return None
        seconds = self._seconds(value)
        if seconds is None or not _FIRST <= seconds <= _LAST:
            issues.append(Issue("invalid_created_at", "not a moment between 1990 and 9999", path))
            return None
        if seconds > self.as_of.timestamp() + _DAY:
            issues.append(Issue("created_at_in_future", "more than a day ahead", path, "warning"))
        return seconds

    def _seconds(self, value: Any) -> int | None:
        if isinstance(value, datetime):
            return self._floor(value)
        if isinstance(value, date):
            return self._floor(datetime(value.year, value.month, value.day, tzinfo=UTC))
        if isinstance(value, bool):
            return None
        if isinstance(value, int | Decimal) or (isinstance(value, float) and math.isfinite(value)):
            return _of_number(value)
        return self._of_text(value.strip()) if isinstance(value, str) else None

    def _of_text(self, text: str) -> int | None:
        if _NUMBER.fullmatch(text):
            return _of_number(Decimal(text))
        if _DATE.fullmatch(text):
            text += "T00:00Z"
        found = read_moment(text)
        return None if found is None else self._floor(found)

    def _floor(self, value: datetime) -> int:
        return math.floor((value if value.tzinfo else value.replace(tzinfo=self.zone)).timestamp())


def _of_number(value: int | float | Decimal) -> int | None:
    """Seconds of an epoch in seconds, milliseconds or microseconds, told by its size."""
    if isinstance(value, Decimal) and not value.is_finite():
        return None
    size: Any = abs(value)
    unit = 1 if size < 10**11 else 1000 if size < 10**14 else 1_000_000
    return math.floor(value) // unit
