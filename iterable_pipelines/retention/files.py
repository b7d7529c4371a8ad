"""Landed files of expired hours, of whichever pass: found by their folders, so that it may run any number of times."""

from collections.abc import Mapping, Set
from datetime import datetime

from iterable_pipelines.data_types import ACTIVITY_STREAMS, DATA_TYPE
from iterable_pipelines.file_store import FileStore
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
    store, removed = FileStore.of(settings), [_quarantined(settings, manifest, expired)]
    for folder in store.folders("events"):
        hour = parse_hour(folder.partition("hour=")[2])
        if not any(hour in hours for hours in expired.values()):
            continue
        for each in store.folders(folder):
            kind = DATA_TYPE.get(each.rpartition("data_type=")[2])
            if kind and hour in expired.get(kind.stream, ()):
                removed.append(store.remove_folder(each))
        if not store.folders(folder):
            store.remove_folder(folder)
    streams = [each.name for each in ACTIVITY_STREAMS if settings.enabled_data_types(each.name)]
    everywhere = set.intersection(*(set(expired.get(name, ())) for name in streams)) if streams else set[datetime]()
    removed.append(_webhooks(store, WebhookParts(manifest), everywhere, webhooks_loaded))
    return sum(files for files, _ in removed), sum(size for _, size in removed)


def _webhooks(store: FileStore, parts: WebhookParts, hours: Set[datetime], loaded: int) -> tuple[int, int]:
    removed = []
    for folder in store.folders("webhooks"):
        hour = parse_hour(folder.partition("hour=")[2])
        if hour not in hours or any(each.id > loaded for each in parts.of_hours([hour])):
            continue
        # unlisted first: a listed file that is not there stops whoever looks for it
        with parts.manifest.transaction() as con:
            con.execute("delete from webhook_parts where hour = ? and id <= ?", (as_text(hour), loaded))
        removed.append(store.remove_folder(folder))
    return sum(files for files, _ in removed), sum(size for _, size in removed)


def _quarantined(settings: Settings, manifest: Manifest, expired: Mapping[str, Set[datetime]]) -> tuple[int, int]:
    with manifest.connection() as con:
        found = con.execute("select data_type, window_start, window_end, path from quarantine").fetchall()
    store = FileStore.of(settings)
    sizes = store.sizes("quarantine")
    gone = {
        path
        for data_type, start, end, path in found
        if as_moment(end) - as_moment(start) == HOUR
        and as_moment(start) in expired.get(DATA_TYPE[data_type].stream, ())
        and path in sizes
    }
    store.remove(sorted(gone))
    return len(gone), sum(sizes[path] for path in gone)
