"""Importing hours through Dagster in this process: what `backfill` and `demo` do."""

import time
from collections.abc import Callable, Sequence

from iterable_pipelines.api import Iterable, Ledger, Priority, Refused, check_connection
from iterable_pipelines.cli.completeness import lacking
from iterable_pipelines.cli.console import CannotGoOn, plain, progress
from iterable_pipelines.cli.runs import Outcome, Runs
from iterable_pipelines.data_types import DATA_TYPE
from iterable_pipelines.hours import HOUR, Window, hour_key
from iterable_pipelines.landing import Exports, Manifest
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams.completeness import LACKS

_RETRIES = 3
_PAUSE_SECONDS = 2.0
_LOOK_SECONDS = 0.5


def check_key(settings: Settings) -> None:
    """Raise CannotGoOn, with the cause, unless Iterable takes the key: twelve streams would say it twelve times."""
    key, ledger = settings.required_api_key(), Ledger.of(settings)
    manifest = Manifest.of(settings)
    if any(manifest.current(name) for name in DATA_TYPE):
        # it has exported before, so one request that costs no export is enough, as long as that is not refused
        try:
            Iterable(key, settings.url, ledger).get("/api/channels")
            return
        except Refused:
            pass
    connection = check_connection(key, settings.url, ledger)
    if not connection.ok:
        raise CannotGoOn(f"{connection.message}. Nothing was changed.\nNext: iterable-pipelines check")


def import_hours(settings: Settings, window: Window, streams: Sequence[str], refetch: bool = False) -> list[str]:
    """Run landing and streams, a month at a time, then objects and profiles.

    Returns a line for each thing that failed or is missing in the end; none means that all is there.
    """
    from iterable_pipelines.automation import objects_refresh, profiles_build
    from iterable_pipelines.partitions import HOURS_PER_RUN

    troubles: dict[str, str] = {}
    spans = _spans(window, HOURS_PER_RUN)
    # an asset of landing, one of streams, and the checks on it
    steps = len(streams) * 3 * len(spans)
    with progress() as shown, Runs(settings) as runs:
        bar = shown.add_task("", total=steps + 2)

        def said(text: str) -> None:
            shown.update(bar, description=plain(text))

        def done() -> None:
            shown.advance(bar)

        for number, span in enumerate(spans, start=1):
            troubles |= _import_span(runs, settings, span, window, streams, refetch, said, done)
            shown.update(bar, completed=number * len(streams) * 3)
        for job, what in ((objects_refresh, "objects"), (profiles_build, "profiles")):
            said(f"{what} …")
            troubles |= runs.run(job.name, said=said).failed
            done()
        said("done")
    return [*(_told(why) for why in troubles.values()), *_missing(settings, window, streams)]


def load_landed(settings: Settings, window: Window, stream: str) -> list[str]:
    """Load what has landed of a stream, and build the profiles. Returns a line for each thing that failed."""
    from iterable_pipelines.automation import hourly_import, profiles_build
    from iterable_pipelines.partitions import RANGE_END, RANGE_START

    tags = {RANGE_START: hour_key(window.start), RANGE_END: hour_key(window.end - HOUR)}
    with Runs(settings) as runs:
        troubles = runs.run(hourly_import.name, [f"streams/{stream}"], tags).failed
        troubles |= runs.run(profiles_build.name).failed
    return list(troubles.values())


def _import_span(
    runs: Runs,
    settings: Settings,
    span: Window,
    whole: Window,
    streams: Sequence[str],
    refetch: bool,
    said: Callable[[str], None],
    done: Callable[[], None],
) -> dict[str, str]:
    """One run, and up to three more of what is worth another try. Returns what failed for good, with the cause."""
    from iterable_pipelines.automation import hourly_import
    from iterable_pipelines.partitions import RANGE_END, RANGE_START
    from iterable_pipelines.waiting import WHOLE_END, WHOLE_START

    tags = {
        RANGE_START: hour_key(span.start),
        RANGE_END: hour_key(span.end - HOUR),
        WHOLE_START: hour_key(whole.start),
        WHOLE_END: hour_key(whole.end),
    }
    assets = [f"{stage}/{name}" for stage in ("landing", "streams") for name in streams]
    troubles: dict[str, str] = {}
    outcome: Outcome | None = None
    root = None
    for attempt in range(1 + _RETRIES):
        if outcome:
            again = {name.partition("/")[2] for name in outcome.again}
            assets = [name for name in assets if name in outcome.undone and name.partition("/")[2] in again]
            said(f"once more: {', '.join(sorted(again))}")
            time.sleep(_PAUSE_SECONDS * attempt)
        config = {name: {"refetch": True} for name in assets if refetch and name.startswith("landing/")}
        outcome = runs.run(hourly_import.name, assets, tags, config, outcome, root, said, done)
        root = root or outcome.run_id
        while outcome.waits_for:
            _wait_for(settings, outcome.waits_for, said)
            assets = [name for name in assets if name in outcome.undone]
            config = {name: each for name, each in config.items() if name in assets}
            outcome = runs.run(hourly_import.name, assets, tags, config, outcome, root, said, done)
        troubles |= {name: why for name, why in outcome.failed.items() if name not in outcome.again}
        if not outcome.again:
            return troubles
    return troubles | outcome.failed if outcome else troubles


def _wait_for(settings: Settings, jobs: list[int], said: Callable[[str], None]) -> None:
    """Look after export jobs until none of `jobs` is pending any more: what the sensor does where a daemon runs."""
    from iterable_pipelines.waiting import said_of

    exports = Exports(Manifest.of(settings))
    ledger = Ledger.of(settings)
    client = Iterable(settings.required_api_key(), settings.url, ledger, log=said, priority=Priority.BACKFILL)
    while exports.pending(jobs):
        try:
            done = exports.advance(client, settings, said)
        except Refused as error:
            raise CannotGoOn(f"{error}. What did arrive is stored and safe.\nNext: iterable-pipelines check") from None
        if not done:
            said(said_of(exports, jobs))
            time.sleep(_LOOK_SECONDS)


def _told(why: str) -> str:
    # what is safe and what comes next is said once, for all of them
    lines = [line for line in why.splitlines() if not line.startswith(("Next:", "What was stored"))]
    return "\n".join(lines)


def _missing(settings: Settings, window: Window, streams: Sequence[str]) -> list[str]:
    lines = lacking(settings, Manifest.of(settings), streams, window, LACKS)
    return [f"missing: {line}" for line in lines]


def _spans(window: Window, hours: int) -> list[Window]:
    starts = range(0, int((window.end - window.start) / HOUR), hours)
    return [Window(window.start + at * HOUR, min(window.start + (at + hours) * HOUR, window.end)) for at in starts]
