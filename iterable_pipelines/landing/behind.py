"""Which hours are behind: never fetched, fetched before they had settled, or due for an audit."""

from datetime import datetime

from iterable_pipelines.data_types import STREAMS
from iterable_pipelines.hours import HOUR, Window, contiguous, hour_of, iterate_hours
from iterable_pipelines.landing.expired import without_expired
from iterable_pipelines.landing.lateness import settle_delay
from iterable_pipelines.landing.manifest import Manifest
from iterable_pipelines.landing.passes import Pass, due_pass
from iterable_pipelines.settings import Settings


def hours_behind(settings: Settings, manifest: Manifest, moment: datetime) -> dict[Pass, list[datetime]]:
    """Hours since the start date by the pass that some enabled data type lacks; `fresh` are those that are missing.

    The newest two hours are left to the hourly schedule. What is in quarantine waits for a person: asking every hour
    would bring the same line.
    """
    held = {(each.data_type, each.hour): each.fetched_at for each in manifest.quarantined()}
    wanted = list(iterate_hours(settings.start_date, hour_of(moment) - 2 * HOUR))
    behind: dict[Pass, set[datetime]] = {each: set() for each in Pass}
    for stream in STREAMS:
        living = without_expired(manifest, stream.name, wanted)
        for data_type in settings.enabled_data_types(stream.name):
            current, settle = manifest.current(data_type), settle_delay(manifest, settings, data_type)
            for hour in living:
                fetched = held.get((data_type, hour))
                if fetched and due_pass(hour, fetched, moment, settle) is None:
                    continue
                part = current.get(hour)
                due = due_pass(hour, part.fetched_at, moment, settle) if part else Pass.FRESH
                if due:
                    behind[due].add(hour)
    return {each: sorted(hours) for each, hours in behind.items()}


def stretch_to_catch_up(hours: list[datetime], longest: int, failed_at: datetime | None) -> Window | None:
    """The oldest stretch of `hours`, `longest` at most; after one that failed, the next one after where that began."""
    stretches = [
        Window(start, min(window.end, start + longest * HOUR))
        for window in contiguous(hours)
        for start in window.hours()[::longest]
    ]
    # what cannot be had must not keep everything newer waiting
    later = [each for each in stretches if failed_at is not None and each.start > failed_at]
    return next(iter(later or stretches), None)
