"""The plan of an import: which windows to ask of Iterable, and through which of its doors.

The window asked is not the partition: one answer is cut into hours, so a year costs a handful of questions.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from iterable_pipelines.data_types import DATA_TYPE
from iterable_pipelines.hours import HOUR, Window, contiguous, iterate_hours
from iterable_pipelines.landing.expired import without_expired
from iterable_pipelines.landing.exports import Export, Exports
from iterable_pipelines.landing.lateness import settle_delay
from iterable_pipelines.landing.manifest import Manifest
from iterable_pipelines.landing.passes import due_pass
from iterable_pipelines.settings import Settings

# the most that is asked for at once: through the export, whose connection breaks on long answers, and as a job, where
# it is this side that must hold the answer on disk
LONGEST_EXPORT = 168 * HOUR
_LONGEST_JOB = 92 * 24 * HOUR
_LARGEST_EXPORT_BYTES = 512 * 2**20
_LARGEST_JOB_BYTES = 4 * 2**30


class Door(StrEnum):
    """How a window is asked for: `export/data.json`, answered at once, or `export/start`, a job that takes its time."""

    EXPORT = "export"
    JOB = "job"


@dataclass(frozen=True)
class Seen:
    """What earlier fetches of a data type say of the next: rows and bytes an hour. None before there were any."""

    rows: float | None
    bytes: float | None


@dataclass(frozen=True)
class Ask:
    """One question to Iterable. Rows and bytes are expected from what was seen before, None when nothing was."""

    data_type: str
    window: Window
    door: Door
    rows: int | None
    bytes: int | None


@dataclass
class Plan:
    """What an import comes to: questions still to ask, jobs asked for already, hours due and hours kept by type.

    `minutes_per_job` is what earlier jobs took, None before there were any.
    """

    asks: list[Ask] = field(default_factory=list)
    jobs: list[Export] = field(default_factory=list)
    minutes_per_job: float | None = None
    due: dict[str, int] = field(default_factory=dict)
    kept: dict[str, int] = field(default_factory=dict)


def plan_of(
    manifest: Manifest,
    settings: Settings,
    stream: str,
    hours: Sequence[datetime],
    whole: Sequence[datetime],
    moment: datetime,
    refetch: bool = False,
    only: Door | None = None,
) -> Plan:
    """The plan of landing `hours` of a stream, as `land_hours` will follow it. Asks nothing of Iterable."""
    exports, wanted = Exports(manifest), sorted(set(hours))
    plan = Plan(minutes_per_job=exports.minutes_each())
    for data_type in settings.enabled_data_types(stream):
        due = hours_due(manifest, settings, data_type, sorted({*wanted, *whole}), moment, refetch)
        jobs = exports.live(data_type) if by_job(settings, due, only) else []
        asks, needed = asks_beside(manifest, settings, data_type, due, wanted, jobs, only)
        plan.asks += asks
        plan.jobs += needed
        plan.due[data_type] = len(set(wanted).intersection(due))
        plan.kept[data_type] = len(wanted) - plan.due[data_type]
    return plan


def asks_beside(
    manifest: Manifest,
    settings: Settings,
    data_type: str,
    due: Sequence[datetime],
    wanted: Sequence[datetime],
    jobs: Sequence[Export],
    only: Door | None,
) -> tuple[list[Ask], list[Export]]:
    """What is still to be asked when `jobs` are on their way, and those of them that bring hours of `wanted`."""
    covered = {hour for each in jobs for hour in each.lands.hours()}
    needed = set(wanted).intersection(due)
    rest = [hour for hour in due if hour not in covered]
    asks = asks_for(settings, data_type, rest, wanted, Seen(*manifest.seen(data_type)), only)
    return asks, [each for each in jobs if not needed.isdisjoint(each.lands.hours())]


def by_job(settings: Settings, due: Sequence[datetime], only: Door | None) -> bool:
    """Whether export jobs come into it: an hour that the schedule wants now must not wait for the job of a backfill."""
    return only is not Door.EXPORT and (only is Door.JOB or len(due) >= settings.job_from_hours)


def hours_due(
    manifest: Manifest,
    settings: Settings,
    data_type: str,
    hours: Sequence[datetime],
    moment: datetime,
    refetch: bool = False,
) -> list[datetime]:
    """Those of `hours` that are missing or due for another pass; all of them with `refetch`, but the expired ones."""
    hours = without_expired(manifest, DATA_TYPE[data_type].stream, hours)
    if refetch:
        return hours
    current, settle = manifest.current(data_type, hours), settle_delay(manifest, settings, data_type)
    return [hour for hour in hours if hour not in current or due_pass(hour, current[hour].fetched_at, moment, settle)]


def asks_for(
    settings: Settings,
    data_type: str,
    due: Sequence[datetime],
    wanted: Sequence[datetime],
    seen: Seen,
    only: Door | None = None,
) -> list[Ask]:
    """The fewest questions that bring every hour of `wanted`, out of the `due` ones of the span it belongs to.

    Jobs reach beyond `wanted`, to all that is due beside it: one job brings a quarter, and the runs of the other hours
    find theirs in it. What goes through the export stays within `wanted`.
    """
    asks: list[Ask] = []
    needed, here = set(wanted), set(wanted) & set(due)
    for stretch in contiguous(list(due)):
        for piece in _pieces(stretch, _longest(_LONGEST_JOB, _LARGEST_JOB_BYTES, seen)):
            if not needed.intersection(piece.hours()):
                continue
            if (only or _door(settings, piece, seen)) is Door.JOB:
                asks.append(_ask(data_type, piece, Door.JOB, seen))
                continue
            longest = _longest(LONGEST_EXPORT, _LARGEST_EXPORT_BYTES, seen)
            for part in contiguous([hour for hour in piece.hours() if hour in here]):
                asks += [_ask(data_type, each, Door.EXPORT, seen) for each in _pieces(part, longest)]
    return asks


def _door(settings: Settings, window: Window, seen: Seen) -> Door:
    long = window.end - window.start >= settings.job_from_hours * HOUR
    large = window.end - window.start > HOUR and (seen.bytes or 0) * _hours(window) > _LARGEST_EXPORT_BYTES
    return Door.JOB if long or large else Door.EXPORT


def _longest(longest: timedelta, largest: int, seen: Seen) -> timedelta:
    if not seen.bytes:
        return longest
    return max(HOUR, min(longest, int(largest / seen.bytes) * HOUR))


def _pieces(window: Window, longest: timedelta) -> list[Window]:
    # as even as can be: a week and a day are two halves, not a week and a crumb
    count = -(-(window.end - window.start) // longest)
    size = -(-_hours(window) // count)
    starts = list(iterate_hours(window.start, window.end))[::size]
    return [Window(start, min(start + size * HOUR, window.end)) for start in starts]


def _ask(data_type: str, window: Window, door: Door, seen: Seen) -> Ask:
    rows, size = (None if each is None else round(each * _hours(window)) for each in (seen.rows, seen.bytes))
    return Ask(data_type, window, door, rows, size)


def _hours(window: Window) -> int:
    return (window.end - window.start) // HOUR
