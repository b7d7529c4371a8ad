"""Where cut files come to stay: in landing, named after what is in them."""

from datetime import datetime
from pathlib import Path

from iterable_pipelines.file_store import FileStore
from iterable_pipelines.hours import Window, hour_key
from iterable_pipelines.landing.cut import Cut
from iterable_pipelines.landing.lateness import settle_delay
from iterable_pipelines.landing.manifest import Manifest, Part
from iterable_pipelines.landing.passes import pass_of
from iterable_pipelines.settings import Settings


def keep_parts(
    manifest: Manifest,
    settings: Settings,
    data_type: str,
    window: Window,
    cuts: list[Cut],
    fetched_at: datetime,
    run_id: str,
) -> list[Part]:
    """Move the files of `cuts` to their place and make them durable. An hour that has not changed keeps its file."""
    before = manifest.current(data_type, [each.hour for each in cuts])
    settle = settle_delay(manifest, settings, data_type)
    store, parts, moving = FileStore.of(settings), [], list[tuple[Path, str]]()
    gone = set(store.missing(old.path for old in before.values() if old.path))
    for each in cuts:
        old = before.get(each.hour)
        path, sha256, size = (old.path, old.sha256, old.bytes) if old else (None, None, 0)
        if each.file is None:
            path, sha256, size = None, None, 0
        elif old is None or old.digest != each.digest or not path or path in gone:
            sha256, size = each.sha256, each.bytes
            path = f"events/hour={hour_key(each.hour)}/data_type={data_type}/part-{str(sha256)[:16]}.parquet"
            moving.append((each.file, path))
        parts.append(
            Part(
                data_type=data_type,
                hour=each.hour,
                window_start=window.start,
                window_end=window.end,
                fetched_at=fetched_at,
                passed=pass_of(each.hour, fetched_at, settle),
                rows=each.rows,
                late_rows=max(0, each.rows - old.rows) if old else 0,
                outside_rows=each.outside_rows,
                bytes=size,
                digest=each.digest,
                sha256=sha256,
                path=path,
                run_id=run_id,
                erased=each.erased,
            )
        )
    store.put_all(moving)
    return parts
