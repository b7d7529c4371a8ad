"""Land hours: ask Iterable for what is missing, verify it, cut it, and only then write it into the manifest."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from iterable_pipelines.api import Broken, Busy, Download, IterableError, Refused
from iterable_pipelines.api import Iterable as Client
from iterable_pipelines.crashpoints import crashpoint
from iterable_pipelines.hours import HOUR, Window, contiguous, hour_key, hour_of, now
from iterable_pipelines.landing.cut import EMPTY_DIGEST, Cut, Unreadable, cut
from iterable_pipelines.landing.keep import is_settled, keep_parts
from iterable_pipelines.landing.manifest import Manifest, Part, Quarantine
from iterable_pipelines.settings import Settings

# a line that cannot be read is most often a cut download: only a second and a third look make it a fact
_LOOKS = 3
# so many bad hours of one data type are no accident: asking on would only use up the budget
_ENOUGH = 3
_BEFORE_ITERABLE = datetime(2013, 1, 1, tzinfo=UTC)
_SPARE_BYTES = 256 * 1024 * 1024


class Quarantined(Unreadable):
    """An hour's download has a line that cannot be read, three times over; the file is kept for `accept`."""

    def __init__(self, held: Quarantine) -> None:
        Exception.__init__(self, str(held))
        self.fault = (held.line, held.byte_offset, held.reason)
        self.held = held


@dataclass
class Landed:
    """What one call of `land_hours` did. Bytes are downloaded bytes, `waited` is seconds waited for the budget."""

    parts: list[Part] = field(default_factory=list)
    kept: int = 0
    requests: int = 0
    bytes: int = 0
    waited: float = 0.0
    not_offered: list[str] = field(default_factory=list)
    quarantined: list[Quarantine] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return sum(part.rows for part in self.parts)

    @property
    def late_rows(self) -> int:
        return sum(part.late_rows for part in self.parts)

    @property
    def outside_rows(self) -> int:
        return sum(part.outside_rows for part in self.parts)


class LandingFailed(Exception):
    """Some data types of a stream did not land; the others did. `kind` is the worst: Refused, Busy or Broken."""

    def __init__(self, stream: str, hours: Sequence[datetime], causes: dict[str, Exception], landed: Landed) -> None:
        self.stream, self.causes, self.landed = stream, causes, landed
        kinds = [type(cause) for cause in causes.values()]
        self.kind: type[IterableError] = Broken
        if all(issubclass(kind, Refused | Unreadable) for kind in kinds):
            self.kind = Refused
        elif all(issubclass(kind, Busy | Refused | Unreadable) for kind in kinds):
            self.kind = Busy
        # what is in quarantine waits for a person, and need not hold up what is not
        self.only_quarantined = all(isinstance(cause, Quarantined) for cause in causes.values())
        first, last = hour_key(min(hours)), hour_key(max(hours) + HOUR)
        lines = "\n".join(f"  {name}: {cause}" for name, cause in causes.items())
        super().__init__(
            f"landing/{stream}, hours {first} to {last}: {len(causes)} data type(s) did not land.\n{lines}\n"
            "What was stored before is safe and unchanged; the other data types of the stream are landed.\n"
            f"Next: iterable-pipelines backfill --from {first} --to {last} --stream {stream}"
        )


def land_hours(
    client: Client,
    manifest: Manifest,
    settings: Settings,
    stream: str,
    hours: Iterable[datetime],
    run_id: str,
    *,
    refetch: bool = False,
    log: Callable[[str], None] = print,
) -> Landed:
    """Land every enabled data type of `stream` for `hours`, in as few windows as possible.

    An hour that this run has landed already is kept, and so is a settled one unless `refetch`. Data types fail one by
    one: the others still land. Raises LandingFailed naming the ones that did not.
    """
    wanted = sorted({hour_of(hour) for hour in hours})
    landed, causes = Landed(), {}
    for data_type in settings.enabled_data_types(stream):
        missing = _missing(manifest, data_type, wanted, run_id, refetch)
        landed.kept += len(wanted) - len(missing)
        for window in contiguous(missing):
            try:
                _land(client, manifest, settings, stream, data_type, window, run_id, landed, log)
            except (IterableError, Unreadable, OSError) as cause:
                if _not_offered(cause):
                    landed.not_offered.append(data_type)
                    _note_nothing(manifest, settings, data_type, missing, run_id)
                    log(f"{data_type}: this project does not offer it ({cause}); skipped")
                    break
                causes[data_type] = _explained(cause, settings.landing_dir)
                log(f"{data_type} {window}: {causes[data_type]}")
                if isinstance(cause, Quarantined):
                    # the other hours of the type are none the worse for it
                    continue
                if isinstance(cause, Refused) and cause.status == 401:
                    # a wrong key is wrong for all: asking on earns 429s for everybody (api.md 1.5)
                    raise LandingFailed(stream, wanted, causes, landed) from cause
                break
    if causes:
        raise LandingFailed(stream, wanted, causes, landed)
    return landed


def _missing(manifest: Manifest, data_type: str, wanted: list[datetime], run_id: str, refetch: bool) -> list[datetime]:
    done = manifest.landed_by(run_id, data_type)
    if not refetch:
        done |= {hour for hour, part in manifest.current(data_type, wanted).items() if part.settled}
    return [hour for hour in wanted if hour not in done]


def _land(
    client: Client,
    manifest: Manifest,
    settings: Settings,
    stream: str,
    data_type: str,
    window: Window,
    run_id: str,
    landed: Landed,
    log: Callable[[str], None],
) -> None:
    if window.end > now():
        raise Refused(f"the window {window} is not over yet: only past hours are complete enough to land")
    _check_space(settings.landing_dir)
    try:
        parts = _fetch(client, manifest, settings, data_type, window, run_id, landed, log)
    except (Broken, Unreadable) as cause:
        if window.end - window.start <= HOUR:
            raise
        # long answers are cut by the server now and then (api.md 3.7), and one bad line should cost one hour only
        log(f"{data_type} {window}: {cause}; asking for the halves")
    else:
        manifest.add(parts)
        crashpoint("manifest_written")
        landed.parts += parts
        rows, late = sum(part.rows for part in parts), sum(part.late_rows for part in parts)
        log(f"{data_type} {window}: {rows:,} rows, {late:,} of them late")
        return
    worst: Quarantined | None = None
    for half in window.halves():
        try:
            _land(client, manifest, settings, stream, data_type, half, run_id, landed, log)
        except Quarantined as held:
            worst = worst or held
    if worst:
        raise worst


def _fetch(
    client: Client,
    manifest: Manifest,
    settings: Settings,
    data_type: str,
    window: Window,
    run_id: str,
    landed: Landed,
    log: Callable[[str], None],
) -> list[Part]:
    with _scratch(settings.landing_dir) as scratch:
        download, cuts = _look(client, manifest, settings, data_type, window, scratch, landed, log)
        crashpoint("cut")
        return keep_parts(manifest, settings, data_type, window, cuts, download.fetched_at, run_id)


def _look(
    client: Client,
    manifest: Manifest,
    settings: Settings,
    data_type: str,
    window: Window,
    scratch: Path,
    landed: Landed,
    log: Callable[[str], None],
) -> tuple[Download, list[Cut]]:
    looks = _LOOKS if window.end - window.start <= HOUR else 1
    for look in range(1, looks + 1):
        file = scratch / f"{data_type}.ndjson"
        only = settings.user_fields if data_type == "user" else ()
        since = since_of(settings, data_type, window)
        download = client.export_events(data_type, Window(since or window.start, window.end), file, only)
        landed.requests += download.requests
        landed.bytes += download.bytes
        landed.waited += download.waited
        crashpoint("downloaded")
        if download.server_date and download.server_date < window.end:
            raise Refused(
                f"Iterable's clock says {download.server_date:%Y-%m-%d %H:%M:%S} UTC, so {window} is not over: "
                "set this machine's clock right"
            )
        try:
            cuts = cut(file, window, filter_field_of(data_type), scratch / "parts", settings.memory_limit, since)
        except Unreadable as fault:
            if look == _LOOKS:
                raise _quarantine(manifest, data_type, window, download, fault, landed) from None
            if look == looks:
                raise
            log(f"{data_type} {window}: {fault}; downloading again")
            continue
        crashpoint("verified")
        return download, cuts
    raise AssertionError("unreachable: the last look returns or raises")


def _quarantine(
    manifest: Manifest, data_type: str, window: Window, download: Download, fault: Unreadable, landed: Landed
) -> Quarantined:
    kept = manifest.root / "quarantine" / f"{data_type}-{hour_key(window.start)}.ndjson"
    kept.parent.mkdir(exist_ok=True)
    shutil.move(download.path, kept)
    manifest.quarantine(data_type, window, download.fetched_at, fault.fault, kept)
    held = next(each for each in manifest.quarantined() if (each.data_type, each.hour) == (data_type, window.start))
    landed.quarantined.append(held)
    if sum(each.data_type == data_type for each in landed.quarantined) >= _ENOUGH:
        raise Refused(f"{_ENOUGH} of its hours cannot be read, so the rest was not asked for: {held}")
    return Quarantined(held)


def filter_field_of(data_type: str) -> str:
    """What the export's window filters on (api.md 3.6)."""
    return "profileUpdatedAt" if data_type == "user" else "createdAt"


def since_of(settings: Settings, data_type: str, window: Window) -> datetime | None:
    """From when on the records of `window` are asked for, where that is not its start.

    The first hour of users brings everybody who was not updated since: without them profiles would have gaps.
    """
    return _BEFORE_ITERABLE if data_type == "user" and window.start == hour_of(settings.start_date) else None


def _note_nothing(manifest: Manifest, settings: Settings, data_type: str, hours: list[datetime], run_id: str) -> None:
    # what was landed while it was offered stays; all is settled like any other hour, and not asked for for ever
    moment, landed = now(), manifest.current(data_type, hours)
    empty = [Cut(hour, None, 0, 0, 0, EMPTY_DIGEST, None) for hour in hours if hour not in landed]
    if empty:
        window = Window(empty[0].hour, empty[-1].hour + HOUR)
        manifest.add(keep_parts(manifest, settings, data_type, window, empty, moment, run_id))
    manifest.add(
        replace(part, fetched_at=moment, settled=is_settled(settings, part.hour, moment), late_rows=0, run_id=run_id)
        for part in landed.values()
    )


@contextmanager
def _scratch(landing_dir: Path) -> Iterator[Path]:
    # beside the files, so that a rename never crosses file systems
    root = landing_dir / "scratch"
    root.mkdir(parents=True, exist_ok=True)
    _sweep(root)
    with tempfile.TemporaryDirectory(dir=root, prefix=f"{os.getpid()}-") as folder:
        yield Path(folder)


def _sweep(root: Path) -> None:
    # a killed process cannot tidy up after itself, so the next one does
    for left in root.iterdir():
        owner = left.name.partition("-")[0]
        if owner.isdigit() and not Path(f"/proc/{owner}").exists() and Path("/proc/self").exists():
            shutil.rmtree(left, ignore_errors=True)


def _check_space(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < _SPARE_BYTES:
        raise OSError(28, f"only {free // 2**20} MiB are free, {_SPARE_BYTES // 2**20} MiB are needed", str(folder))


def _not_offered(cause: Exception) -> bool:
    return isinstance(cause, Refused) and cause.status == 400 and "dataTypeName" in str(cause)


def _explained(cause: Exception, folder: Path) -> Exception:
    if isinstance(cause, OSError):
        return Broken(f"{cause.strerror or cause} at {folder}: free space there, or set ITERABLE_DATA_DIR elsewhere")
    return cause
