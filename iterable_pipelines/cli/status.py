"""`status`: what is complete up to when."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from iterable_pipelines.cli.completeness import completeness
from iterable_pipelines.cli.console import out, say, table
from iterable_pipelines.data_types import STREAMS
from iterable_pipelines.hours import hour_key, now
from iterable_pipelines.landing import Manifest
from iterable_pipelines.published import has_table, reading
from iterable_pipelines.settings import Settings, load_settings
from iterable_pipelines.streams.completeness import QUARANTINED, STATES
from iterable_pipelines.streams.completeness_page import page_of, spelled_stretch, write_page
from iterable_pipelines.webhooks.parts import WebhookParts
from iterable_pipelines.webhooks.spool import Spool


def status(
    page: Annotated[bool, typer.Option("--page", help="Look at every hour, and write completeness.md too.")] = False,
) -> None:
    """Show, for each stream, up to when it is complete, what is lacking, and when readers last got a new copy."""
    settings, moment = load_settings(), now()
    manifest = Manifest.of(settings)
    with completeness(settings, manifest, settings.start_date if page else None) as con:
        found = page_of(con, moment)
    columns = ("rows", "hours lacking", *STATES)
    shown = table(
        f"{settings.data_dir}, from {hour_key(settings.start_date)} UTC on",
        *("stream", "complete from", "complete up to", *columns),
        numbers=columns,
    )
    by_name = {each.stream: each for each in found.streams}
    for stream in STREAMS:
        if not settings.enabled_data_types(stream.name):
            shown.add_row(stream.name, "off", *("" for _ in ("complete up to", *columns)))
        elif each := by_name.get(stream.name):
            numbers = (each.rows, each.lacking, *(each.states[state] for state in STATES))
            shown.add_row(stream.name, *spelled_stretch(each), *(f"{number:,}" for number in numbers))
        else:
            shown.add_row(stream.name, "nothing yet", *("" for _ in ("complete up to", *columns)))
    out().print(shown)
    if page:
        say(f"Page: {write_page(settings, found, moment)}")
    _say_profiles(settings)
    _say_webhooks(settings, manifest)
    for held in manifest.quarantined():
        say(f"In quarantine: {held}")
    # those in quarantine have just been told
    for trouble in [each for each in found.first.values() if each.kind != QUARANTINED]:
        say(f"First of {trouble.stream}: {trouble}")
    if any(each.lacking for each in found.streams):
        say("Next: iterable-pipelines plan, then backfill, for the hours that are missing")


def _say_webhooks(settings: Settings, manifest: Manifest) -> None:
    if not settings.spool_path.exists():
        return
    level, landed = Spool(settings.spool_path).level(), WebhookParts(manifest).received_to()
    received = max((each for each in (level.newest, landed) if each), default=None)
    last = f"last received {received:%Y-%m-%d %H:%M:%S} UTC" if received else "none received yet"
    say(f"Webhooks: {last}, {level.queued:,} queued, {level.aside:,} put aside")


def _say_profiles(settings: Settings) -> None:
    copy = settings.published_path
    if not copy.exists():
        say(f"No copy for readers yet ({copy}). Next: iterable-pipelines backfill --from … --to …")
        return
    published = datetime.fromtimestamp(copy.stat().st_mtime, UTC)
    say(f"Copy for readers: {copy}, of {published:%Y-%m-%d %H:%M} UTC")
    with reading(settings) as con:
        if has_table(con, "profiles", "user_profiles"):
            count = con.execute("select count(*) from profiles.user_profiles").fetchone()
            say(f"Profiles: {count[0] if count else 0:,}")
        if has_table(con, "objects", "refreshes"):
            newest = "select name, max(refreshed_at), arg_max(rows, refreshed_at) from objects.refreshes group by 1"
            for name, at, rows in con.execute(f"{newest} order by 1").fetchall():
                say(f"Objects: {rows:,} {name.replace('_', ' ')}, of {at:%Y-%m-%d %H:%M} UTC")
