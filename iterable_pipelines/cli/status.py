"""`status`: what is complete up to when."""

from datetime import UTC, datetime

import duckdb

from iterable_pipelines.cli.completeness import completeness, loads_of
from iterable_pipelines.cli.console import out, say, table
from iterable_pipelines.data_types import STREAMS
from iterable_pipelines.hours import HOUR, hour_key, hour_of, iterate_hours, now
from iterable_pipelines.landing import Manifest
from iterable_pipelines.settings import Settings, load_settings


def status() -> None:
    """Show, for each stream, up to when it is complete, what is missing, and when readers last got a new copy."""
    settings = load_settings()
    manifest, loads = Manifest(settings.landing_dir), loads_of(settings)
    hours = list(iterate_hours(settings.start_date, hour_of(now())))
    shown = table(
        f"{settings.data_dir}, from {hour_key(settings.start_date)} UTC on",
        *("stream", "complete up to", "newest hour", "rows", "hours missing", "hours to fetch again"),
        numbers=("rows", "hours missing", "hours to fetch again"),
    )
    for stream in STREAMS:
        data_types = settings.enabled_data_types(stream.name)
        if not data_types:
            shown.add_row(stream.name, "off", "", "", "", "")
            continue
        found = completeness(settings, manifest, loads, stream.name, hours)
        landed = [part for name in data_types for part in manifest.current(name).values()]
        newest = max((part.hour for part in landed), default=None)
        behind = found.behind
        upto = min(behind) if behind else (hours[-1] + HOUR if hours else settings.start_date)
        unsettled = {hour for each in found.not_settled.values() for hour in each}
        shown.add_row(
            stream.name,
            "nothing yet" if upto == settings.start_date else hour_key(upto),
            hour_key(newest) if newest else "",
            f"{sum(part.rows for part in landed):,}",
            f"{len(behind):,}",
            f"{len(unsettled):,}",
        )
    out().print(shown)
    _say_profiles(settings)


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
            for name, at, rows in con.execute(
                "select name, max(refreshed_at), arg_max(rows, refreshed_at) from objects.refreshes group by 1 order by 1"
            ).fetchall():
                say(f"Objects: {rows:,} {name.replace('_', ' ')}, of {at:%Y-%m-%d %H:%M} UTC")
