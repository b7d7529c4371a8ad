"""Accepting a loss: every line of a quarantined download that can be read lands, the others are counted and kept."""

from dataclasses import replace
from pathlib import Path

from iterable_pipelines.erasure.tombstones import Tombstones
from iterable_pipelines.hours import Window
from iterable_pipelines.landing.cut import cut, faults
from iterable_pipelines.landing.keep import keep_parts
from iterable_pipelines.landing.manifest import Manifest, Part, Quarantine
from iterable_pipelines.landing.nearby import landed_here
from iterable_pipelines.landing.question import filter_field_of, since_of
from iterable_pipelines.landing.scratch import scratch_folder
from iterable_pipelines.settings import Settings


def accept_loss(manifest: Manifest, settings: Settings, held: Quarantine) -> tuple[Part, int]:
    """Land the readable lines of `held`; the manifest notes how many were not. Returns the part and that number.

    Where an earlier fetch of the hour has more records than that, it stays the one that counts.
    The download stays in quarantine as it came. Raises FileNotFoundError when it is gone.
    """
    window = Window.of_hour(held.hour)
    with scratch_folder(settings.landing_dir, "accept-") as folder, landed_here(settings) as near:
        (download,) = near.files([held.path])
        readable = folder / "readable.ndjson"
        lost = _copy_readable(download, readable)
        since = since_of(settings, held.data_type, window)
        field = filter_field_of(held.data_type)
        tombstones = Tombstones(settings)
        cuts = cut([readable], window, field, folder / "parts", settings.memory_limit, since, tombstones)
        before = manifest.current(held.data_type, [held.hour]).get(held.hour)
        (part,) = keep_parts(manifest, settings, held.data_type, window, cuts, held.fetched_at, f"accepted {held.id}")
        if before and before.rows > part.rows:
            part = replace(before, fetched_at=part.fetched_at, passed=part.passed, late_rows=0, run_id=part.run_id)
        manifest.add([part], accepting=held, lines_lost=lost)
    return part, lost


def _copy_readable(download: Path, to: Path) -> int:
    bad = {fault.fault[0] for fault in faults([download])}
    with download.open("rb") as source, to.open("wb") as target:
        for number, line in enumerate(source, 1):
            if number not in bad:
                target.write(line if line.endswith(b"\n") else line + b"\n")
    return len(bad)
