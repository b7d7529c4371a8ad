"""Landed files of expired hours, of whichever pass: found by their folders, so that it may run any number of times."""

import shutil
from collections.abc import Mapping, Set
from datetime import datetime
from pathlib import Path

from iterable_pipelines.data_types import ACTIVITY_STREAMS, DATA_TYPE
from iterable_pipelines.file_store import sync
from iterable_pipelines.hours import HOUR, parse_hour
from iterable_pipelines.landing.manifest import Manifest, as_moment, as_text
from iterable_pipelines.settings import Settings
from iterable_pipelines.webhooks.parts import WebhookParts


def take_files_out(
    settings: Settings, manifest: Manifest, expired: Mapping[str, Set[datetime]], webhooks_loaded: int
) -> tuple[int, int]:
    """Remove exports, webhooks and quarantined downloads of expired hours; returns how many files, and their bytes.

    The rows of these hours must have left before. A file of webhooks holds all streams: it leaves with the last of
    them, and only if it is among the parts up to `webhooks_loaded`.
    """
    removed = [_quarantined(settings, manifest, expired)]
    for folder in _hours(settings.landing_dir / "events"):
        hour = parse_hour(folder.name.partition("=")[2])
        for each in sorted(folder.iterdir()):
            kind = DATA_TYPE.get(each.name.partition("=")[2])
            if kind and hour in expired.get(kind.stream, ()):
                removed.append(_remove(each))
        if not any(folder.iterdir()):
            folder.rmdir()
    sync_if_there(settings.landing_dir / "events")
    streams = [each.name for each in ACTIVITY_STREAMS if settings.enabled_data_types(each.name)]
    everywhere = set.intersection(*(set(expired.get(name, ())) for name in streams)) if streams else set[datetime]()
    removed.append(_webhooks(settings, WebhookParts(manifest), everywhere, webhooks_loaded))
    return sum(files for files, _ in removed), sum(size for _, size in removed)


def _hours(root: Path) -> list[Path]:
    return sorted(root.glob("hour=*")) if root.is_dir() else []


def _remove(folder: Path) -> tuple[int, int]:
    files = [each for each in folder.rglob("*") if each.is_file()]
    size = sum(each.stat().st_size for each in files)
    shutil.rmtree(folder)
    return len(files), size


def _webhooks(settings: Settings, parts: WebhookParts, hours: Set[datetime], loaded: int) -> tuple[int, int]:
    removed = []
    for folder in _hours(settings.landing_dir / "webhooks"):
        hour = parse_hour(folder.name.partition("=")[2])
        if hour not in hours or any(each.id > loaded for each in parts.of_hours([hour])):
            continue
        # unlisted first: a listed file that is not there stops whoever looks for it
        with parts.manifest.transaction() as con:
            con.execute("delete from webhook_parts where hour = ? and id <= ?", (as_text(hour), loaded))
        removed.append(_remove(folder))
    return sum(files for files, _ in removed), sum(size for _, size in removed)


def _quarantined(settings: Settings, manifest: Manifest, expired: Mapping[str, Set[datetime]]) -> tuple[int, int]:
    with manifest.connection() as con:
        found = con.execute("select data_type, window_start, window_end, path from quarantine").fetchall()
    files = [
        file
        for data_type, start, end, path in found
        if as_moment(end) - as_moment(start) == HOUR
        and as_moment(start) in expired.get(DATA_TYPE[data_type].stream, ())
        and (file := settings.landing_dir / path).exists()
    ]
    size = sum(file.stat().st_size for file in files)
    for file in files:
        file.unlink()
    return len(files), size


def sync_if_there(folder: Path) -> None:
    """Make what was removed from a folder durable."""
    if folder.is_dir():
        sync(folder)
