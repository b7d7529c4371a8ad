"""Land hours: ask Iterable for what is missing, verify it, cut it, and only then write it into the manifest."""

import errno
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from iterable_pipelines.api import Broken, Busy, IterableError, Refused, Truncated
from iterable_pipelines.api import Iterable as Client
from iterable_pipelines.erasure.tombstones import Tombstones
from iterable_pipelines.file_store import StoreFailed
from iterable_pipelines.hours import HOUR, Window, hour_key, hour_of, now
from iterable_pipelines.landing.cut import EMPTY_DIGEST, Cut, Unreadable, cut
from iterable_pipelines.landing.exports import Export, Exports
from iterable_pipelines.landing.keep import keep_parts
from iterable_pipelines.landing.lateness import learn, settle_delay
from iterable_pipelines.landing.manifest import Fetch, Manifest
from iterable_pipelines.landing.passes import pass_of
from iterable_pipelines.landing.plan import LONGEST_EXPORT, Door, asks_beside, by_job, hours_due
from iterable_pipelines.landing.question import asked_window, filter_field_of, since_of
from iterable_pipelines.landing.scratch import check_space, scratch_folder, sweep
from iterable_pipelines.landing.window import Import, Landed, Quarantined, land_window
from iterable_pipelines.settings import Settings

# what a job of somebody else's says of hours that this run wants
_ANSWER_KEEPS = timedelta(days=1)
# DuckDB's own file and the Parquet files lie beside the downloads for a while
_SPACE_TO_CUT = 2


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
    whole: Sequence[datetime] = (),
    only: Door | None = None,
    log: Callable[[str], None] = print,
) -> Landed:
    """Land every enabled data type of `stream` for `hours`, in as few windows as possible.

    An hour that this run has landed already is kept, and so is one that is due for no pass, unless `refetch`. Long
    stretches go by export jobs, planned over the `whole` that the hours are part of; `only` prescribes a door.
    Jobs that are not ready are named in the result, and whoever calls again when they are gets their hours. Data types
    fail one by one: the others still land. Raises LandingFailed naming the ones that did not.
    """
    wanted = sorted({hour_of(hour) for hour in hours})
    sweep(settings.landing_dir)
    span = sorted({*wanted, *whole})
    landed, causes, exports = Landed(), dict[str, Exception](), Exports(manifest)
    for data_type in settings.enabled_data_types(stream):
        task = Import(client, manifest, settings, data_type, run_id, landed, log)
        done = manifest.landed_by(run_id, data_type)
        due = [hour for hour in hours_due(manifest, settings, data_type, span, now(), refetch) if hour not in done]
        landed.kept += len(set(wanted).difference(due))
        for cause in _land_type(task, exports, due, wanted, only, refetch):
            if _not_offered(cause):
                landed.not_offered.append(data_type)
                _note_nothing(task, sorted(set(wanted).intersection(due)))
                log(f"{data_type}: this project does not offer it ({cause}); skipped")
                break
            causes[data_type] = _explained(cause, settings.landing_dir)
            log(f"{data_type}: {causes[data_type]}")
            if isinstance(cause, Quarantined):
                # the other hours of the type are none the worse for it
                continue
            if isinstance(cause, Refused) and cause.status == 401:
                # a wrong key is wrong for all: asking on earns 429s for everybody (api.md 1.5)
                raise LandingFailed(stream, wanted, causes, landed) from cause
            break
    learn(manifest, sorted({each.data_type for each in landed.parts}))
    if landed.waiting:
        try:
            exports.advance(client, settings, log)
        except Refused as cause:
            raise LandingFailed(stream, wanted, causes | {"export jobs": cause}, landed) from cause
    # while jobs are waited for, what failed is asked for once more together with what they bring
    if causes and not landed.waiting:
        raise LandingFailed(stream, wanted, causes, landed)
    return landed


def _land_type(
    task: Import, exports: Exports, due: list[datetime], wanted: list[datetime], only: Door | None, refetch: bool
) -> Iterable[Exception]:
    """Land what is due of one data type, step by step; yields what went wrong, and goes on if it is asked to."""
    failed = [
        each for each in exports.failed(task.data_type, task.run_id) if not set(due).isdisjoint(each.lands.hours())
    ]
    if failed:
        exports.close(failed, "reported")
        yield _failure_of(failed)
    jobs = _usable(task, exports, due, refetch, by_job(task.settings, due, only))
    asks, mine = asks_beside(task.manifest, task.settings, task.data_type, due, wanted, jobs, only)
    for ask in asks:
        if ask.door is Door.JOB:
            if ask.window.end > now():
                yield Refused(f"the window {ask.window} is not over yet: only past hours are complete enough to land")
                continue
            mine += exports.of([exports.plan(task.data_type, ask.window, task.run_id)])
            continue
        try:
            land_window(task, ask.window)
        except (IterableError, Unreadable, OSError) as cause:
            yield cause
    for lands in sorted({each.lands for each in mine}):
        group = [each for each in mine if each.lands == lands]
        if not _tile(group, lands):
            # a piece of it failed, perhaps for somebody else: the other pieces are no use without it
            exports.close(group, "reported")
            yield Broken(f"export jobs for {lands} do not bring all of it, and are asked for anew")
            continue
        if any(each.state != "ready" for each in group):
            task.landed.waiting += [each.id for each in group]
            continue
        try:
            _land_exports(task, exports, lands, group)
        except (IterableError, Unreadable, OSError) as cause:
            full = isinstance(cause, OSError) and cause.errno == errno.ENOSPC
            if not isinstance(cause, Truncated) and not (full and lands.end - lands.start > LONGEST_EXPORT):
                yield cause
                continue
            task.log(f"{task.data_type} {lands}: {cause}; asking for the halves")
            for each in group:
                exports.halve(each)
            task.landed.waiting += [each.id for each in group]


def _usable(task: Import, exports: Exports, due: list[datetime], refetch: bool, by_jobs: bool) -> list[Export]:
    """The jobs that this run may use: its own always, others' if it asks by jobs and they are not too old."""
    usable: list[Export] = []
    for job in exports.live(task.data_type):
        mine = job.asked_by == task.run_id
        if mine and set(job.lands.hours()).isdisjoint(due):
            # a process that was killed after it had landed them could not say so
            exports.close([job])
        elif mine or (by_jobs and not refetch and (job.started_at is None or now() - job.started_at < _ANSWER_KEEPS)):
            usable.append(job)
        elif by_jobs and not set(job.lands.hours()).isdisjoint(due):
            exports.close([job], "outdated")
    return usable


def _tile(group: list[Export], lands: Window) -> bool:
    pieces = sorted(each.window for each in group)
    edges = [lands.start, *(each.end for each in pieces)]
    return edges[-1] == lands.end and all(each.start == edge for each, edge in zip(pieces, edges, strict=False))


def _failure_of(failed: list[Export]) -> IterableError:
    first, more = failed[0], f" (and {len(failed) - 1} more export jobs)" if len(failed) > 1 else ""
    if any(each.state == "refused" for each in failed):
        first = next(each for each in failed if each.state == "refused")
        return Refused(f"{first.note}{more}", first.status)
    return Broken(f"{first.note}{more}")


def _land_exports(task: Import, exports: Exports, lands: Window, group: list[Export]) -> None:
    """Fetch the files of finished jobs, and land them as one: pieces of an hour are nothing by themselves."""
    begun, data_type, settings = time.monotonic(), task.data_type, task.settings
    since = since_of(settings, data_type, lands)
    files: list[Path] = []
    size = requests = 0
    waited = 0.0
    with scratch_folder(settings.landing_dir) as scratch:
        for export in group:
            folder = scratch / str(export.id)
            folder.mkdir()
            try:
                fetched = task.client.fetch_job(int(export.job_id or 0), folder)
            except Refused as cause:
                if cause.status in (401, 403):
                    raise
                # the job is known no more, or its files are gone: the records are not
                exports.again(export, str(cause))
                task.landed.waiting.append(export.id)
                return
            files += fetched.paths
            size, requests, waited = size + fetched.bytes, requests + fetched.requests, waited + fetched.waited
        task.landed.requests += requests
        task.landed.bytes += size
        task.landed.waited += waited
        check_space(settings.landing_dir, _SPACE_TO_CUT * size)
        try:
            cuts = cut(
                files,
                lands,
                filter_field_of(data_type),
                scratch / "parts",
                settings.memory_limit,
                since,
                Tombstones(settings),
            )
        except Unreadable as fault:
            if lands.end - lands.start > LONGEST_EXPORT:
                raise Truncated(f"a line cannot be read: {fault}") from None
            cuts = None
            task.log(f"{data_type} {lands}: {fault}; asking for it piece by piece")
        if cuts is not None:
            fetch = Fetch(
                data_type=data_type,
                window=asked_window(settings, data_type, lands),
                door="job",
                fetched_at=min(each.started_at for each in group if each.started_at),
                lines=sum(each.rows for each in cuts),
                bytes=size,
                requests=requests + len(group),
                seconds=time.monotonic() - begun,
                waited=waited,
                run_id=task.run_id,
            )
            task.keep(lands, cuts, fetch)
    exports.close(group)
    if cuts is None:
        # through the export, the hour that holds the line is found and put aside
        land_window(task, lands)


def _note_nothing(task: Import, hours: list[datetime]) -> None:
    # what was landed while it was offered stays; all is settled like any other hour, and not asked for for ever
    moment, landed = now(), task.manifest.current(task.data_type, hours)
    settle = settle_delay(task.manifest, task.settings, task.data_type)
    empty = [Cut(hour, None, 0, 0, 0, EMPTY_DIGEST, None) for hour in hours if hour not in landed]
    if empty:
        window = Window(empty[0].hour, empty[-1].hour + HOUR)
        task.manifest.add(keep_parts(task.manifest, task.settings, task.data_type, window, empty, moment, task.run_id))
    task.manifest.add(
        replace(part, fetched_at=moment, passed=pass_of(part.hour, moment, settle), late_rows=0, run_id=task.run_id)
        for part in landed.values()
    )


def _not_offered(cause: Exception) -> bool:
    return isinstance(cause, Refused) and cause.status == 400 and "dataTypeName" in str(cause)


def _explained(cause: Exception, folder: Path) -> Exception:
    if isinstance(cause, StoreFailed):
        # a bucket is no disk, and its own text says what is next
        return Broken(str(cause))
    if isinstance(cause, OSError):
        return Broken(f"{cause.strerror or cause} at {folder}: free space there, or set ITERABLE_DATA_DIR elsewhere")
    return cause
