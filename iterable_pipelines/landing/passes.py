"""The passes over an hour: fresh when it closes, settled when what is late has mostly come, audits a day and a week on.

Iterable indexes opens minutes late and offline events days late (api.md 3.6), and never says so: asking again does.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from iterable_pipelines.hours import HOUR

AUDIT_AGES = (timedelta(days=1), timedelta(days=7))
_DAY = timedelta(days=1)


class Pass(StrEnum):
    """How late an hour was asked for: the later, the more complete it is."""

    FRESH = "fresh"
    SETTLED = "settled"
    AUDITED = "audited"


def age_at(hour: datetime, moment: datetime) -> timedelta:
    """How long ago the hour had ended."""
    return moment - (hour + HOUR)


def pass_of(hour: datetime, fetched_at: datetime, settle_after: timedelta) -> Pass:
    """The pass that a fetch at `fetched_at` was for the hour."""
    age = age_at(hour, fetched_at)
    if age >= AUDIT_AGES[-1]:
        return Pass.AUDITED
    return Pass.SETTLED if age >= settle_after else Pass.FRESH


def due_pass(hour: datetime, fetched_at: datetime, moment: datetime, settle_after: timedelta) -> Pass | None:
    """The pass that an hour, last fetched at `fetched_at`, is due for at `moment`; None for none.

    Audits are due by the whole UTC day, so that a day of a data type costs one request and not twenty-four.
    """
    fetched = age_at(hour, fetched_at)
    day_over = hour.replace(hour=0) + _DAY
    if any(moment >= day_over + age and fetched < age for age in AUDIT_AGES):
        return Pass.AUDITED
    return Pass.SETTLED if fetched < settle_after <= age_at(hour, moment) else None
