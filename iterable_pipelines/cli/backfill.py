"""`backfill`: import a span of hours now, in this process, as runs that Dagster's UI shows."""

import os
import time
from collections.abc import Sequence
from typing import Annotated

import typer

from iterable_pipelines.api import Iterable, Ledger, Refused, check_connection
from iterable_pipelines.cli.arguments import From, Streams, To, chosen_streams, window_of
from iterable_pipelines.cli.completeness import completeness, loads_of
from iterable_pipelines.cli.console import CannotGoOn, plain, progress, say
from iterable_pipelines.hours import HOUR, Window, hour_key
from iterable_pipelines.landing import Manifest
from iterable_pipelines.settings import Settings, load_settings

_RETRIES = 3
_PAUSE_SECONDS = 2.0


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
            f"These hours are older than the start of the project, {hour_key(settings.start_date)}: they are imported, but "
            f"the UI shows them only with ITERABLE_START_DATE={hour_key(start)}."
        )
        os.environ["ITERABLE_START_DATE"] = hour_key(start)
        settings = load_settings()
    check_key(settings)
    troubles = import_hours(settings, window, streams, refetch)
    missing = missing_lines(settings, window, streams)
    if troubles or missing:
        again = f"iterable-pipelines backfill --from {hour_key(start)} --to {hour_key(end)}"
        again += "".join(f" --stream {name}" for name in stream or [])
        lines = [*(f"  {name}: {why}" for name, why in troubles.items()), *(f"  missing: {line}" for line in missing)]
        raise CannotGoOn(
            "The backfill is not complete. What did arrive is stored and safe.\n" + "\n".join(lines) + f"\nNext: {again}"
        )
    say(f"Complete: {hour_key(start)} to {hour_key(end)} UTC, {len(streams)} stream(s), objects and profiles.")
    say("Next: iterable-pipelines status")


def check_key(settings: Settings) -> None:
    """Raise CannotGoOn, with the cause, unless Iterable takes the key: twelve streams would say it twelve times."""
    key, ledger = settings.required_api_key(), Ledger(settings.ledger_path, relaxed=settings.requests_relaxed)
    try:
        Iterable(key, settings.url, ledger).get("/api/channels")
    except Refused:
        connection = check_connection(key, settings.url, ledger)
        if not connection.ok:
            raise CannotGoOn(f"{connection.message}. Nothing was changed.") from None


def import_hours(
    settings: Settings, window: Window, streams: Sequence[str], refetch: bool = False
) -> dict[str, str]:
    """Run landing and streams week by week, then objects and profiles. Returns what failed, by asset, with the cause."""
    from iterable_pipelines.automation import RANGE_END, RANGE_START, hourly_import, objects_refresh, profiles_build
    from iterable_pipelines.cli.runs import Runs
    from iterable_pipelines.partitions import HOURS_PER_RUN

    troubles: dict[str, str] = {}
    spans = _spans(window, HOURS_PER_RUN)
    with progress() as shown, Runs(settings) as runs:
        bar = shown.add_task("", total=len(streams) * 3 * len(spans))

        def said(text: str) -> None:
            shown.update(bar, description=plain(text))

        for span in spans:
            assets = [f"{stage}/{name}" for name in streams for stage in ("landing", "streams")]
            tags = {RANGE_START: hour_key(span.start), RANGE_END: hour_key(span.end - HOUR)}
            config = {f"landing/{name}": {"refetch": True} for name in streams} if refetch else {}
            first = outcome = runs.run(
                hourly_import.name, assets, tags, config, said=said, done=lambda: shown.advance(bar)
            )
            for attempt in range(1, _RETRIES + 1):
                if not outcome.again:
                    break
                behind = {name.partition("/")[2] for name in outcome.again}
                said(f"try {attempt + 1} for {', '.join(sorted(behind))}")
                time.sleep(_PAUSE_SECONDS * attempt)
                # what cannot be mended is not asked again
                fatal = {name: why for name, why in outcome.failed.items() if name not in outcome.again}
                troubles |= fatal
                assets = [name for name in assets if name.partition("/")[2] in behind and name in outcome.undone]
                chosen = {name: each for name, each in config.items() if name in assets}
                outcome = runs.run(hourly_import.name, assets, tags, chosen, before=outcome, first=first, said=said)
            troubles |= outcome.failed
        shown.update(bar, completed=len(streams) * 3 * len(spans))
        for job, what in ((objects_refresh, "objects"), (profiles_build, "profiles")):
            said(f"{what} …")
            troubles |= runs.run(job.name, said=said).failed
        said("done")
    return troubles


def missing_lines(settings: Settings, window: Window, streams: Sequence[str]) -> list[str]:
    """What of these hours is not in the tables, a line per stream and data type."""
    manifest, loads = Manifest(settings.landing_dir), loads_of(settings)
    return [
        line
        for name in streams
        for line in completeness(settings, manifest, loads, name, window.hours()).lines()
    ]


def _spans(window: Window, hours: int) -> list[Window]:
    found, begin = [], window.start
    while begin < window.end:
        end = min(begin + hours * HOUR, window.end)
        found.append(Window(begin, end))
        begin = end
    return found
