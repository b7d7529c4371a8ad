"""`plan`: what a backfill will ask of Iterable, through which door, and how long the limits make it last."""

from typing import Annotated

import typer

from iterable_pipelines.cli.arguments import From, Streams, To, chosen_streams, window_of
from iterable_pipelines.cli.console import out, say, table
from iterable_pipelines.data_types import STREAM
from iterable_pipelines.hours import hour_key, now
from iterable_pipelines.landing import Manifest
from iterable_pipelines.landing.plan import Plan, plan_of
from iterable_pipelines.landing.plan_table import Estimate, estimate, minutes_per_job
from iterable_pipelines.objects import OBJECT_TYPES
from iterable_pipelines.objects.object_type import Listing
from iterable_pipelines.settings import load_settings


def plan(
    start: From,
    end: To,
    stream: Streams = None,
    windows: Annotated[bool, typer.Option("--windows", help="List every window, and its door.")] = False,
    refetch: Annotated[bool, typer.Option("--refetch", help="As if all hours were fetched again.")] = False,
) -> None:
    """Show the requests, export jobs and minutes that importing these hours takes; asks nothing of Iterable."""
    settings = load_settings()
    hours, manifest = window_of(start, end).hours(), Manifest.of(settings)
    shown = table(
        f"Plan for {hour_key(start)} to {hour_key(end)} UTC",
        *("stream", "data types", "hours to fetch", "hours kept", "requests", "jobs", "minutes", "rows", "MB"),
        numbers=("data types", "hours to fetch", "hours kept", "requests", "jobs", "minutes", "rows", "MB"),
    )
    plans: dict[str, Plan] = {}
    for name in chosen_streams(settings, stream):
        # the whole span at once: that is how a backfill asks
        plans[name] = plan_of(manifest, settings, name, hours, hours, now(), refetch)
        types = [each for each in STREAM[name].data_types if each in settings.enabled_data_types(name)]
        due, kept = sum(plans[name].due.values()), sum(plans[name].kept.values())
        shown.add_row(name, str(len(types)), f"{due:,}", f"{kept:,}", *_cells(estimate(settings, [plans[name]])))
    total = estimate(settings, list(plans.values()))
    shown.add_section()
    shown.add_row("all", "", "", "", *_cells(total))
    out().print(shown)
    if windows:
        for each in plans.values():
            for ask in each.asks:
                say(f"{ask.data_type} {ask.window} by {ask.door}")
            for job in each.jobs:
                say(f"{job.data_type} {job.window} by export job {job.job_id or 'to come'}, {job.state}")
    say("Hours are counted per data type. Rows and MB are what earlier fetches let expect; ? where there were none.")
    listings = [kind.read for kind in OBJECT_TYPES if kind.every == "hour" and isinstance(kind.read, Listing)]
    say(f"Objects take at least {sum(len(each.passes) for each in listings)} requests more, seconds in all.")
    if settings.requests_relaxed:
        say("The export limit is relaxed (ITERABLE_REQUESTS_RELAXED): requests do not wait.")
    else:
        say("Iterable allows 4 exports a minute to a project; the hourly import goes first.")
    if total.jobs:
        known = any(each.minutes_per_job is not None for each in plans.values())
        source = "as the ones before" if known else "by a careful guess"
        say(f"Export jobs run four at a time, {minutes_per_job(list(plans.values())):,.1f} minutes each {source}.")
    say("Long answers that break off are asked for again in halves, which adds requests.")
    only = "".join(f" --stream {name}" for name in stream or [])
    say(f"Next: iterable-pipelines backfill --from {hour_key(start)} --to {hour_key(end)}{only}")


def _cells(found: Estimate) -> list[str]:
    rows = "?" if found.rows is None else f"{found.rows:,}"
    size = "?" if found.bytes is None else f"{found.bytes / 1e6:,.1f}"
    return [f"{found.requests:,}", f"{found.jobs:,}", f"{found.minutes:,.1f}", rows, size]
