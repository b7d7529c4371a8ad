"""`status`: what is complete up to when."""

from datetime import UTC, datetime

import duckdb

from iterable_pipelines.cli.completeness import completeness, loads_of
from iterable_pipelines.cli.console import out, say, table
from iterable_pipelines.data_types import STREAMS
from iterable_pipelines.hours import contiguous, hour_key, hour_of, iterate_hours, now
from iterable_pipelines.landing import Manifest
from iterable_pipelines.settings import Settings, load_settings


def status() -> None:
    """Show, for each stream, up to when it is complete, what is missing, and when readers last got a new copy."""
    settings = load_settings()
    manifest, loads = Manifest(settings.landing_dir), loads_of(settings)
    hours = list(iterate_hours(settings.start_date, hour_of(now())))
    shown = table(
        f"{settings.data_dir}, from {hour_key(settings.start_date)} UTC on",
        *("stream", "complete from", "complete up to", "rows", "hours missing", "hours to fetch again"),
        numbers=("rows", "hours missing", "hours to fetch again"),
    )
    any_missing = False
    for stream in STREAMS:
        data_types = settings.enabled_data_types(stream.name)
        if not data_types:
            shown.add_row(stream.name, "off", "", "", "", "")
            continue
        found = completeness(settings, manifest, loads, stream.name, hours)
        rows = sum(part.rows for name in data_types for part in manifest.current(name).values())
        behind = found.behind
        any_missing = any_missing or bool(behind)
        # the newest stretch without a hole: what anybody can rely on
        complete = contiguous([hour for hour in hours if hour not in behind])[-1:]
        unsettled = {hour for each in found.not_settled.values() for hour in each}
        shown.add_row(
            stream.name,
            hour_key(complete[0].start) if complete else "nothing yet",
            hour_key(complete[0].end) if complete else "",
            f"{rows:,}",
            f"{len(behind):,}",
            f"{len(unsettled):,}",
        )
    out().print(shown)
    _say_profiles(settings)
    for held in manifest.quarantined():
        say(f"In quarantine: {held}")
    if any_missing:
        say("Next: iterable-pipelines plan, then backfill, for the hours that are missing")


def _say_profiles(settings: Settings) -> None:
    copy = settings.published_path
    if not copy.exists():
        say(f"No copy for readers yet ({copy}). Next: iterable-pipelines backfill --from … --to …")
        return
    published = datetime.fromtimestamp(copy.stat().st_mtime, UTC)
    say(f"Copy for readers: {copy}, of {published:%Y-%m-%d %H:%M} UTC")
    with duckdb.connect(copy, read_only=True) as con:
        tables = con.execute("select schema_name || '.' || table_name from duckdb_tables()").fetchall()
        if ("profiles.user_profiles",) in tables:
            count = con.execute("select count(*) from profiles.user_profiles").fetchone()
            say(f"Profiles: {count[0] if count else 0:,}")
        if ("objects.refreshes",) in tables:
            newest = "select name, max(refreshed_at), arg_max(rows, refreshed_at) from objects.refreshes group by 1"
            for name, at, rows in con.execute(f"{newest} order by 1").fetchall():
                say(f"Objects: {rows:,} {name.replace('_', ' ')}, of {at:%Y-%m-%d %H:%M} UTC")
