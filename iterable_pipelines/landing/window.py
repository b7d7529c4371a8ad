"""One window through `export/data.json`: asked for, verified, cut, kept; halved for as long as it is too much."""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from iterable_pipelines.api import Broken, Download, Refused, TooMuch
from iterable_pipelines.api import Iterable as Client
from iterable_pipelines.crashpoints import crashpoint
from iterable_pipelines.erasure.tombstones import Tombstones
from iterable_pipelines.file_store import FileStore
from iterable_pipelines.hours import HOUR, Window, hour_key, now
from iterable_pipelines.landing.cut import Cut, Unreadable, cut
from iterable_pipelines.landing.keep import keep_parts
from iterable_pipelines.landing.manifest import Fetch, Manifest, Part, Quarantine
from iterable_pipelines.landing.question import asked_window, fields_of, filter_field_of, since_of
from iterable_pipelines.landing.scratch import scratch_folder
from iterable_pipelines.settings import Settings

# a line that cannot be read is most often a cut download: only a second and a third look make it a fact
_LOOKS = 3
# so many bad hours of one data type are no accident: asking on would only use up the budget
_ENOUGH = 3


class Quarantined(Unreadable):
    """An hour's download has a line that cannot be read, three times over; the file is kept for `accept`."""

    def __init__(self, held: Quarantine) -> None:
        Exception.__init__(self, str(held))
        self.fault = (held.line, held.byte_offset, held.reason)
        self.held = held


@dataclass
class Landed:
    """What one call of `land_hours` did. Bytes are downloaded bytes, `waited` is seconds waited for the budget.

    `waiting` are the ids of the export jobs that Iterable has not finished yet: their hours land when it has.
    """

    parts: list[Part] = field(default_factory=list)
    kept: int = 0
    requests: int = 0
    bytes: int = 0
    waited: float = 0.0
    not_offered: list[str] = field(default_factory=list)
    quarantined: list[Quarantine] = field(default_factory=list)
    waiting: list[int] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return sum(part.rows for part in self.parts)

    @property
    def late_rows(self) -> int:
        return sum(part.late_rows for part in self.parts)

    @property
    def outside_rows(self) -> int:
        return sum(part.outside_rows for part in self.parts)


@dataclass(frozen=True)
class Import:
    """What landing one data type needs at hand, and where it notes what it did."""

    client: Client
    manifest: Manifest
    settings: Settings
    data_type: str
    run_id: str
    landed: Landed
    log: Callable[[str], None]

    def keep(self, window: Window, cuts: list[Cut], fetch: Fetch) -> None:
        """Bring what was cut to its place and write it into the manifest, together with the fetch it came by."""
        parts = keep_parts(self.manifest, self.settings, self.data_type, window, cuts, fetch.fetched_at, fetch.run_id)
        self.manifest.add(parts, fetch)
        crashpoint("manifest_written")
        self.landed.parts += parts
        rows, late = sum(part.rows for part in parts), sum(part.late_rows for part in parts)
        self.log(f"{self.data_type} {window}: {rows:,} rows, {late:,} of them late")


def land_window(task: Import, window: Window) -> None:
    """Land whole hours through the export. Raises what Iterable answered, Unreadable, or Quarantined for an hour."""
    if window.end > now():
        raise Refused(f"the window {window} is not over yet: only past hours are complete enough to land")
    try:
        with scratch_folder(task.settings.landing_dir) as scratch:
            cuts, fetch = _look(task, window, scratch)
            crashpoint("cut")
            task.keep(window, cuts, fetch)
        return
    except (Broken, Unreadable) as cause:
        if window.end - window.start <= HOUR:
            raise
        # long answers are cut by the server now and then (api.md 3.7), and one bad line should cost one hour only
        task.log(f"{task.data_type} {window}: {cause}; asking for the halves")
    worst: Quarantined | None = None
    for half in window.halves():
        try:
            land_window(task, half)
        except Quarantined as held:
            worst = worst or held
    if worst:
        raise worst


def _look(task: Import, window: Window, scratch: Path) -> tuple[list[Cut], Fetch]:
    looks = _LOOKS if window.end - window.start <= HOUR else 1
    settings, data_type, since = task.settings, task.data_type, since_of(task.settings, task.data_type, window)
    for look in range(1, looks + 1):
        begun = time.monotonic()
        asked = asked_window(settings, data_type, window)
        pieces = _download(task, asked, scratch / str(look), window.end - window.start <= HOUR)
        crashpoint("downloaded")
        files = [piece.path for piece in pieces]
        try:
            cuts = cut(
                files,
                window,
                filter_field_of(data_type),
                scratch / "parts",
                settings.memory_limit,
                since,
                Tombstones(settings),
            )
        except Unreadable as fault:
            if look == _LOOKS:
                raise _quarantine(task, window, pieces, fault) from None
            if look == looks:
                raise
            task.log(f"{data_type} {window}: {fault}; downloading again")
            continue
        crashpoint("verified")
        return cuts, Fetch(
            data_type=data_type,
            window=asked,
            door="export",
            fetched_at=min(piece.fetched_at for piece in pieces),
            lines=sum(each.rows for each in cuts),
            bytes=sum(piece.bytes for piece in pieces),
            requests=sum(piece.requests for piece in pieces),
            seconds=time.monotonic() - begun,
            waited=sum(piece.waited for piece in pieces),
            run_id=task.run_id,
        )
    raise AssertionError("unreachable: the last look returns or raises")


def _download(task: Import, window: Window, folder: Path, divisible: bool) -> list[Download]:
    """The records of a window; if `divisible` in as many pieces as it takes, down to a second each."""
    folder.mkdir(exist_ok=True)
    file = folder / f"{window.start:%Y%m%d%H%M%S}-{window.end:%Y%m%d%H%M%S}.ndjson"
    try:
        download = task.client.export_events(task.data_type, window, file, fields_of(task.settings, task.data_type))
    except TooMuch as cause:
        if not divisible or (window.end - window.start).total_seconds() <= 1:
            raise
        task.log(f"{task.data_type} {window}: {cause}; asking for the halves")
        return [piece for half in window.halves() for piece in _download(task, half, folder, divisible)]
    task.landed.requests += download.requests
    task.landed.bytes += download.bytes
    task.landed.waited += download.waited
    if download.server_date and download.server_date < window.end:
        raise Refused(
            f"Iterable's clock says {download.server_date:%Y-%m-%d %H:%M:%S} UTC, so {window} is not over: "
            "set this machine's clock right"
        )
    return [download]


def _quarantine(task: Import, window: Window, pieces: list[Download], fault: Unreadable) -> Quarantined:
    kept = f"quarantine/{task.data_type}-{hour_key(window.start)}.ndjson"
    whole = pieces[0].path.with_name("whole.ndjson")
    with whole.open("wb") as to:
        for piece in pieces:
            with piece.path.open("rb") as part:
                shutil.copyfileobj(part, to)
    FileStore.of(task.settings).put(whole, kept)
    task.manifest.quarantine(task.data_type, window, pieces[0].fetched_at, fault.fault, kept)
    mine = [each for each in task.manifest.quarantined() if each.data_type == task.data_type]
    held = next(each for each in mine if each.hour == window.start)
    task.landed.quarantined.append(held)
    if sum(each.data_type == task.data_type for each in task.landed.quarantined) >= _ENOUGH:
        raise Refused(f"{_ENOUGH} of its hours cannot be read, so the rest was not asked for: {held}")
    return Quarantined(held)
