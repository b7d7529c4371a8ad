"""`plan`: what a backfill will ask of Iterable, and how long the limits make it last."""

from iterable_pipelines.api import LIMITS
from iterable_pipelines.cli.arguments import From, Streams, To, chosen_streams, window_of
from iterable_pipelines.cli.completeness import completeness, loads_of
from iterable_pipelines.cli.console import out, say, table
from iterable_pipelines.data_types import STREAM
from iterable_pipelines.hours import HOUR, Window, contiguous, hour_key, iterate_hours
from iterable_pipelines.landing import Manifest
from iterable_pipelines.objects import OBJECT_TYPES
from iterable_pipelines.settings import load_settings

# a ranged run takes a week at most (partitions.HOURS_PER_RUN, which would load Dagster)
_RUN = 168 * HOUR


def plan(start: From, end: To, stream: Streams = None) -> None:
    """Show the requests and minutes that importing these hours takes; asks nothing of Iterable."""
    settings = load_settings()
    window = window_of(start, end)
    manifest, loads = Manifest(settings.landing_dir), loads_of(settings)
    shown = table(
        f"Plan for {hour_key(start)} to {hour_key(end)} UTC",
        *("stream", "data types", "hours to fetch", "requests", "minutes"),
        numbers=("data types", "hours to fetch", "requests", "minutes"),
    )
    export = LIMITS["export"]
    per_minute = export.calls * 60 / export.seconds
    total = 0
    for name in chosen_streams(settings, stream):
        found = completeness(settings, manifest, loads, name, window.hours())
        wanted = {
            data_type: found.not_landed.get(data_type, []) + found.not_settled.get(data_type, [])
            for data_type in STREAM[name].data_types
        }
        requests = sum(len(windows_of(window, set(hours))) for hours in wanted.values())
        hours_behind = {hour for hours in wanted.values() for hour in hours}
        total += requests
        shown.add_row(
            name,
            str(len(settings.enabled_data_types(name))),
            f"{len(hours_behind):,}",
            f"{requests:,}",
            _minutes(requests, per_minute, settings.requests_relaxed),
        )
    shown.add_section()
    shown.add_row("all", "", "", f"{total:,}", _minutes(total, per_minute, settings.requests_relaxed))
    out().print(shown)
    say(f"Objects take at least {sum(len(kind.passes) for kind in OBJECT_TYPES)} requests more, seconds in all.")
    if settings.requests_relaxed:
        say("The export limit is relaxed (ITERABLE_REQUESTS_RELAXED): requests do not wait.")
    else:
        say(f"Iterable allows {per_minute:.0f} exports a minute to a project; a year in weeks needs few more requests.")
    say("Long answers that break off are asked for again in halves, which adds requests.")
    only = "".join(f" --stream {name}" for name in stream or [])
    say(f"Next: iterable-pipelines backfill --from {hour_key(start)} --to {hour_key(end)}{only}")


def windows_of(window: Window, missing: set) -> list[Window]:  # type: ignore[type-arg]
    """The windows that are asked for: contiguous missing hours, run by run."""
    found: list[Window] = []
    begin = window.start
    while begin < window.end:
        end = min(begin + _RUN, window.end)
        found += contiguous([hour for hour in iterate_hours(begin, end) if hour in missing])
        begin = end
    return found


def _minutes(requests: int, per_minute: float, relaxed: bool) -> str:
    return "-" if relaxed else f"{requests / per_minute:,.1f}"
