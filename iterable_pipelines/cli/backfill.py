"""`backfill`: import a span of hours now, in this process, as runs that Dagster's UI shows."""

import os
from typing import Annotated

import typer

from iterable_pipelines.cli.arguments import From, Streams, To, chosen_streams, window_of
from iterable_pipelines.cli.console import CannotGoOn, say
from iterable_pipelines.cli.importing import check_key, import_hours
from iterable_pipelines.hours import Window, hour_key
from iterable_pipelines.landing import Manifest
from iterable_pipelines.landing.expired import ExpiredHours
from iterable_pipelines.settings import Settings, load_settings


def backfill(
    start: From,
    end: To,
    stream: Streams = None,
    refetch: Annotated[bool, typer.Option("--refetch", help="Fetch settled hours again too.")] = False,
) -> None:
    """Import hours: landing, streams, then objects and profiles. Goes on where an earlier one stopped."""
    settings = load_settings()
    window = window_of(start, end)
    streams = chosen_streams(settings, stream)
    if start < settings.start_date:
        say(
            f"These hours are older than the project's start, {hour_key(settings.start_date)}. They are imported; for "
            f"the UI to show them, set ITERABLE_START_DATE={hour_key(start)}."
        )
        os.environ["ITERABLE_START_DATE"] = hour_key(start)
        settings = load_settings()
    _say_what_has_expired(settings, window, streams)
    check_key(settings)
    troubles = import_hours(settings, window, streams, refetch)
    if troubles:
        lines = "\n".join(f"  {line}" for line in troubles)
        again = "".join(f" --stream {name}" for name in stream or [])
        raise CannotGoOn(
            f"The backfill is not complete. What did arrive is stored and safe.\n{lines}\n"
            f"Next: iterable-pipelines backfill --from {hour_key(start)} --to {hour_key(end)}{again}"
        )
    say(f"Complete: {hour_key(start)} to {hour_key(end)} UTC, {len(streams)} stream(s), objects and profiles.")
    say("Next: iterable-pipelines status")


def _say_what_has_expired(settings: Settings, window: Window, streams: list[str]) -> None:
    """Raise CannotGoOn where nothing else is asked for: rows that left were counted, and would be counted again."""
    expired, hours = ExpiredHours(Manifest.of(settings)), set(window.hours())
    gone = {name: hours & expired.of(name) for name in streams}
    count = sum(map(len, gone.values()))
    if count == len(hours) * len(streams):
        raise CannotGoOn(
            "All of these hours have left by the retention (ITERABLE_RETENTION). Profiles and marts have counted them "
            "and keep that, so they are not fetched again. Nothing was changed.\n"
            "Next: iterable-pipelines retention. To have such rows again, import into another ITERABLE_DATA_DIR"
        )
    if count:
        say(
            f"{count:,} hours of {sum(map(bool, gone.values()))} stream(s) have left by the retention "
            "(ITERABLE_RETENTION) and are not fetched again: profiles and marts keep what they counted."
        )
    elsewhere = {hour for stream in expired.spans() if stream not in streams for hour in expired.of(stream)} & hours
    if elsewhere.union(*gone.values()) and len(hours) * len(streams) > count:
        say(
            "Where some streams have left an hour, profiles do not count it anew: rows of the others that come now are "
            "in the tables of streams, and in the marts of people and campaigns."
        )
