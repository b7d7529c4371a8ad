"""`backfill`: import a span of hours now, in this process, as runs that Dagster's UI shows."""

import os
from typing import Annotated

import typer

from iterable_pipelines.cli.arguments import From, Streams, To, chosen_streams, window_of
from iterable_pipelines.cli.console import CannotGoOn, say
from iterable_pipelines.cli.importing import check_key, import_hours
from iterable_pipelines.hours import hour_key
from iterable_pipelines.settings import load_settings


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
