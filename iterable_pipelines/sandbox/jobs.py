"""Export jobs: started, queued, run four at a time, delivered as files behind URLs that expire (api.md 3.5)."""

import shutil
import tempfile
import threading
import time
import weakref
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from iterable_pipelines.hours import Window
from iterable_pipelines.hours import now as present
from iterable_pipelines.sandbox.dates import BEGINNING, read_moment
from iterable_pipelines.sandbox.errors import bad_params, not_found, refusal
from iterable_pipelines.sandbox.exports import JSON_STREAM, SPELLING, as_csv, selected
from iterable_pipelines.sandbox.world import World

SLOTS = 4
FILES_PER_PAGE = 10
ENDED = ("completed", "failed", "cancelled")


@dataclass
class Job:
    """One export job. States are lower-case, as Iterable really writes them."""

    id: int
    data_type: str
    fault: str | None
    folder: Path
    scheduled: datetime = field(default_factory=present)
    state: str = "enqueued"
    running_since: float = 0.0
    restarted: bool = False
    ended: datetime | None = None
    files: list[str] = field(default_factory=list)
    writing: Future[None] = field(default_factory=Future)
    listed: int = 0
    turned: int = 0

    def visible_files(self) -> list[str]:
        """The files ready to be fetched: half of them while the job runs, all when it is done."""
        if self.state == "completed":
            return self.files
        return self.files[: len(self.files) // 2] if self.state == "running" else []

    def turn(self, after: str) -> str:
        """Where the list begins when the page behind `after` is asked for: faults lead back to the first page."""
        self.turned += bool(after)
        once = self.turned == 1 and self.fault in ("job_repeat_page", "job_change_file")
        if once and self.fault == "job_change_file":
            changed = self.folder / self.files[0]
            changed.write_bytes(changed.read_bytes().swapcase())
        return "" if once or self.fault == "job_endless_pages" else after


class JobBoard:
    """All jobs. seconds: how long one runs. file_bytes: largest file. url_seconds: life of a file's URL."""

    def __init__(self, world: World, seconds: float = 0.2, file_bytes: int = 10_000_000, url_seconds: float = 1800):
        self.world, self.seconds, self.file_bytes, self.url_seconds = world, seconds, file_bytes, url_seconds
        self.jobs: dict[int, Job] = {}
        self._folder = Path(tempfile.mkdtemp(prefix="sandbox-exports-"))
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._lock = threading.Lock()
        self._writers = ThreadPoolExecutor(SLOTS, "sandbox-export")

    def start(self, data_type: str, lines: Iterable[bytes], as_text: bool, fault: str | None) -> Job:
        """Queue a job and answer at once, as Iterable does; its files are written meanwhile."""
        with self._lock:
            number = 3562 + len(self.jobs)
            folder = self._folder / str(number)
            folder.mkdir()
            job = Job(number, data_type, fault, folder)
            self.jobs[number] = job
        job.writing = self._writers.submit(self._write, job, lines, as_text)
        self.advance()
        return job

    def _write(self, job: Job, lines: Iterable[bytes], as_text: bool) -> None:
        for nth, part in enumerate(as_csv(lines) if as_text else self._parts(lines)):
            name = f"file-{job.id}-{nth:06d}.{'csv' if as_text else 'json'}"
            (job.folder / name).write_bytes(part)
            job.files.append(name)

    def _parts(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        part = bytearray()
        for line in lines:
            if part and len(part) + len(line) >= self.file_bytes:
                yield bytes(part)
                part.clear()
            part += line + b"\n"
        if part:
            yield bytes(part)

    def advance(self) -> None:
        """Let time do its work: finish what has run long enough, start what waits while a slot is free."""
        with self._lock:
            moment = time.monotonic()
            for job in self.jobs.values():
                if job.state == "running" and moment - job.running_since >= self.seconds and job.writing.done():
                    self._end(job)
            for job in self.jobs.values():
                busy = sum(each.state == "running" for each in self.jobs.values())
                if job.state == "enqueued" and busy < SLOTS and job.fault != "job_stuck":
                    job.state, job.running_since = "running", moment

    def _end(self, job: Job) -> None:
        if job.fault == "job_requeue" and not job.restarted:
            job.state, job.restarted = "enqueued", True  # an internal restart, progress kept (api.md 3.5)
            return
        failed = job.fault == "job_fail" or job.writing.exception() is not None
        job.state, job.ended = "failed" if failed else "completed", present()

    def signature(self, job: int, name: str, expires: str) -> str:
        """What makes a file's URL valid without a key."""
        return sha256(f"{self.world.seed}/{job}/{name}/{expires}".encode()).hexdigest()[:32]


def job_routes(board: JobBoard) -> list[Route]:
    """POST export/start, GET export/jobs, GET export/{id}/files, DELETE export/{id}, and the files themselves."""

    async def start(request: Request) -> Response:
        try:
            asked = await request.json()
            data_type = SPELLING[str(asked["dataTypeName"]).lower()]
            kind = asked["outputFormat"]
            window = _window(asked, board.world)
        except (ValueError, KeyError, TypeError) as wrong:
            return refusal(400, "BadJsonBody", "[/api/export/start] Invalid JSON body", {"obj": str(wrong)})
        if kind not in ("text/csv", JSON_STREAM):
            return bad_params(f"Invalid outputFormat: {kind}")
        only, omit = (set(filter(None, str(asked.get(each) or "").split(","))) for each in ("onlyFields", "omitFields"))
        campaign = str(asked["campaignId"]) if asked.get("campaignId") else None
        lines = selected(board.world.records(data_type, window, board.world.now()), only, omit, campaign)
        fault = getattr(request.scope.get("state", {}).get("fault"), "kind", None)
        job = board.start(data_type, lines, kind == "text/csv", fault)
        return JSONResponse({"jobId": job.id})

    def jobs(request: Request) -> Response:
        board.advance()
        state = request.query_params.get("jobState", "").lower()
        return JSONResponse({"jobs": [_shown(each) for each in board.jobs.values() if state in ("", each.state)]})

    def files(request: Request) -> Response:
        board.advance()
        job = board.jobs.get(request.path_params["id"])
        if job is None:
            return not_found(f"Export job not found: {request.path_params['id']}")
        after = job.turn(request.query_params.get("startAfter", ""))
        job.listed += 1
        page = [name for name in job.visible_files() if name > after][:FILES_PER_PAGE]
        life = -1 if job.fault == "job_expire" and job.listed == 1 else board.url_seconds
        expires = f"{time.time() + life:.3f}"

        def url(name: str) -> str:
            signed = f"expires={expires}&signature={board.signature(job.id, name, expires)}"
            return f"{request.base_url}files/{job.id}/{name}?{signed}"

        return JSONResponse(
            {
                "exportTruncated": job.fault == "job_truncate",
                "jobId": job.id,
                "jobState": job.state,
                "files": [{"file": name, "url": url(name)} for name in page],
            }
        )

    def cancel(request: Request) -> Response:
        job = board.jobs.get(request.path_params["id"])
        if job is None:
            return not_found(f"Export job not found: {request.path_params['id']}")
        if job.state in ENDED:
            return bad_params(f"Export job {job.id} is {job.state}")
        job.state, job.ended = "cancelled", present()
        return JSONResponse({"msg": f"Export job {job.id} cancelled", "code": "Success", "params": None})

    def file(request: Request) -> Response:
        job, name = request.path_params["id"], request.path_params["name"]
        expires = request.query_params.get("expires", "0")
        if request.query_params.get("signature") != board.signature(job, name, expires):
            return PlainTextResponse("SignatureDoesNotMatch", 403)
        if float(expires) < time.time():
            return PlainTextResponse("Request has expired", 403)
        return FileResponse(board.jobs[job].folder / name, media_type="application/octet-stream")

    return [
        Route("/api/export/start", start, methods=["POST"]),
        Route("/api/export/jobs", jobs),
        Route("/api/export/{id:int}/files", files),
        Route("/api/export/{id:int}", cancel, methods=["DELETE"]),
        Route("/files/{id:int}/{name}", file),
    ]


def _window(asked: dict[str, Any], world: World) -> Window:
    """Both ends may be left out: then everything, up to now."""
    start = read_moment(asked["startDateTime"]) if asked.get("startDateTime") else BEGINNING
    return Window(start, read_moment(asked["endDateTime"]) if asked.get("endDateTime") else world.now())


def _shown(job: Job) -> dict[str, Any]:
    fields = {
        "id": job.id,
        "dataTypeName": job.data_type,
        "jobState": job.state,
        "scheduledStartTime": job.scheduled.isoformat(timespec="milliseconds"),
        "bytesExported": sum((job.folder / name).stat().st_size for name in job.visible_files()),
    }
    return fields | ({"endTime": job.ended.isoformat(timespec="milliseconds")} if job.ended else {})
