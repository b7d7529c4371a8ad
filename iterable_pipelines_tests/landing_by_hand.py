"""Lands lines without a server, through the real cut and the real manifest."""

import json
import tempfile
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

from iterable_pipelines.file_store import FileStore
from iterable_pipelines.hours import HOUR, Window, hour_key
from iterable_pipelines.landing.cut import cut
from iterable_pipelines.landing.manifest import Manifest, Part
from iterable_pipelines.landing.passes import pass_of
from iterable_pipelines.settings import Settings


def land(
    settings: Settings,
    manifest: Manifest,
    data_type: str,
    hour: datetime,
    records: Iterable[dict | str],
    minutes_after: int = 10,
) -> Part:
    """Land one hour of one data type as if it had been fetched `minutes_after` the hour closed."""
    lines = [each if isinstance(each, str) else json.dumps(each, ensure_ascii=False) for each in records]
    fetched = hour + HOUR + timedelta(minutes=minutes_after)
    filter_field = "profileUpdatedAt" if data_type == "user" else "createdAt"
    settings.landing_dir.mkdir(parents=True, exist_ok=True)
    # a file is renamed into its place, which another disk would not allow
    with tempfile.TemporaryDirectory(dir=settings.landing_dir) as folder:
        download = Path(folder) / "download.ndjson"
        download.write_text("".join(f"{line}\n" for line in lines))
        (each,) = cut([download], Window.of_hour(hour), filter_field, Path(folder) / "parts")
        path = None
        if each.file:
            path = f"events/hour={hour_key(hour)}/data_type={data_type}/part-{str(each.sha256)[:16]}.parquet"
            FileStore.of(settings).put(each.file, path)
    passed = pass_of(hour, fetched, 3 * HOUR)
    part = Part(
        data_type, hour, hour, hour + HOUR, fetched, passed, each.rows, 0, each.outside_rows,
        each.bytes, each.digest, each.sha256, path, f"by hand {minutes_after}",
    )  # fmt: skip
    manifest.add([part])
    return part
