"""Export jobs: what Iterable lists of one, and its files on their way to disk (api.md 3.5; faults.md H28 to H30)."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from tenacity import sleep_using_event

from iterable_pipelines.api.address import is_protected
from iterable_pipelines.api.download import save_export
from iterable_pipelines.api.errors import Broken, Refused, Truncated
from iterable_pipelines.api.network import host_of, send
from iterable_pipelines.api.patience import Patience, retrying

# a page that only lists what was listed before is asked for again so often, before paging counts as endless
_REPEATS = 3
# by these a file shows that it is the one it was
_MARKS = ("Content-Length", "ETag", "Last-Modified")


@dataclass(frozen=True)
class JobFile:
    """One file of an export job. Whoever has the `url` has the file: it is never shown."""

    name: str
    url: str = field(repr=False)


@dataclass(frozen=True)
class JobPage:
    """A job's state, in lower case and perhaps one that nobody has heard of, and a page of its files so far.

    `truncated` says that the job gave up at 100 GB, so that its files are not all there is.
    """

    job_id: int
    state: str
    truncated: bool
    files: tuple[JobFile, ...]


@dataclass(frozen=True)
class JobFiles:
    """The files of a job on disk, in the order of its list.

    `bytes` is their size together, `requests` how many they took, pages included, `waited` the seconds spent waiting
    for the limits.
    """

    paths: list[Path]
    bytes: int
    requests: int
    waited: float


def page_of(job_id: int, answer: Mapping[str, Any]) -> JobPage:
    """Read the answer of GET export/{job_id}/files. Raises Broken if anything in it is missing or for another job."""
    state, truncated, files = answer.get("jobState"), answer.get("exportTruncated"), answer.get("files")
    if answer.get("jobId") != job_id or not isinstance(state, str) or not isinstance(truncated, bool):
        raise Broken(f"export job {job_id}: the answer does not hold its id, its state and whether it was truncated")
    if not isinstance(files, list) or not all(_is_file(each) for each in files):
        raise Broken(f"export job {job_id}: the answer holds no list of files with names and addresses")
    listed = tuple(JobFile(each["file"], each["url"]) for each in files)
    return JobPage(job_id, state.strip().lower(), truncated, listed)


def _is_file(listed: Any) -> bool:
    return isinstance(listed, dict) and all(isinstance(listed.get(name), str) for name in ("file", "url"))


@dataclass(frozen=True)
class _Brought:
    """What became of one request for a file: HTTP's status, the bytes saved, and the marks of these bytes."""

    status: int
    bytes: int = 0
    marks: Mapping[str, str] = field(default_factory=dict)


class JobFetch:
    """One fetch of all files of a job. Pages are asked for one after the other, their files by several threads."""

    def __init__(
        self,
        job_id: int,
        folder: Path,
        list_page: Callable[[str | None], JobPage],
        patience: Patience,
        log: Callable[[str], None],
        trust_environment: bool,
    ) -> None:
        """`list_page` gives the page after a file's name. `log` is told how it goes, by other threads too."""
        self._job, self._folder, self._list_page, self._log = f"export job {job_id}", folder, list_page, log
        # a file lies ready, other than an export, which is made while it is sent
        self._patience = replace(patience, first_byte=min(patience.first_byte, patience.measured_over))
        self._trust_environment = trust_environment
        self._saved: dict[str, _Brought] = {}
        self._paths: dict[str, Path] = {}
        self._before: dict[str, str | None] = {}
        # what the threads share: adding and removing one thing at a time needs no lock
        self._sent: list[str] = []
        self._open: set[requests.Response] = set()
        self._stopping = threading.Event()

    def run(self, parallel: int) -> JobFiles:
        """Fetch, `parallel` files at a time. Raises what Iterable.fetch_job does; then no file is left."""
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            with ThreadPoolExecutor(parallel, "export-file") as threads:
                try:
                    for files in self._pages():
                        first = {file.name: file for file in files if file.name not in self._saved}
                        self._bring_all(list(first.values()), threads)
                        # what is listed twice is kept once, but must be the same
                        self._bring_all([file for file in files if file not in first.values()], threads)
                        self._log(f"{self._job}: {len(self._saved):,} files, {self._bytes():,} bytes so far")
                except BaseException:
                    self._stop(threads)
                    raise
        except BaseException:
            for path in self._paths.values():
                path.unlink(missing_ok=True)
            raise
        return JobFiles(list(self._paths.values()), self._bytes(), len(self._sent), 0.0)

    def _bytes(self) -> int:
        return sum(brought.bytes for brought in self._saved.values())

    def _pages(self) -> Iterator[Sequence[JobFile]]:
        """The pages of the list up to the first empty one: a page that is not full may still have a next one."""
        after, repeats = None, 0
        while (page := self._page(after)).files:
            known = len(self._paths)
            for before, file in zip((after, *(each.name for each in page.files)), page.files, strict=False):
                self._before.setdefault(file.name, before)
                # our own name: the server's could lead out of the folder
                self._paths.setdefault(file.name, self._folder / f"{len(self._paths):06d}.ndjson")
            repeats = repeats + 1 if len(self._paths) == known else 0
            if repeats > _REPEATS:
                raise Broken(f"{self._job}: its list of files repeats itself, so paging would never end")
            yield page.files
            after = next(reversed(self._paths))

    def _page(self, after: str | None) -> JobPage:
        page = self._list_page(after)
        if page.truncated:
            raise Truncated(
                f"{self._job} was truncated by Iterable at 100 GB, so nothing of it was kept: ask for a shorter window"
            )
        if page.state != "completed":
            raise Refused(f"{self._job} is {page.state}, not completed: its files are not all there")
        return page

    def _bring_all(self, files: Sequence[JobFile], threads: ThreadPoolExecutor) -> None:
        statuses: dict[str, int] = {}
        for _ in range(1 + self._patience.attempts):
            futures = {threads.submit(self._bring, file, file.name in self._saved): file.name for file in files}
            done, _waiting = wait(futures, return_when=FIRST_EXCEPTION)
            statuses = {}
            for future in done:
                name, brought = futures[future], future.result()
                if brought.status != 200:
                    statuses[name] = brought.status
                elif _differ(self._saved.setdefault(name, brought).marks, brought.marks):
                    raise Broken(f"{self._job}: {name} is listed twice, with other bytes")
            if not statuses:
                return
            files = self._renewed([file.name for file in files if file.name in statuses])
        name, status = statuses.popitem()
        raise Refused(
            f"{self._job}: {name} is refused with HTTP {status}, with new addresses too; does anything forbid "
            f"{host_of(files[0].url)} to this machine?",
            status,
        )

    def _renewed(self, names: Sequence[str]) -> list[JobFile]:
        """The same files with new addresses: one lives 30 minutes."""
        fresh: dict[str, JobFile] = {}
        for name in names:
            if name not in fresh:
                fresh |= {file.name: file for file in self._page(self._before[name]).files}
            if name not in fresh:
                raise Broken(f"{self._job}: {name} was listed, and is not any more")
        return [fresh[name] for name in names]

    def _bring(self, file: JobFile, is_known: bool) -> _Brought:
        """Save a file, or only look at its marks if it is known. An address that is refused is no error here."""
        tries = retrying(self._patience, self._log).copy(sleep=sleep_using_event(self._stopping))
        return tries(self._bring_once, file, is_known)

    def _bring_once(self, file: JobFile, is_known: bool) -> _Brought:
        what = f"{self._job}, {file.name}"
        self._go_on(what)
        started = time.monotonic()
        with requests.Session() as session:
            session.trust_env = self._trust_environment
            # nothing of ours belongs to the address, which is signed as it is; .netrc neither
            session.auth = lambda request: request
            prepared = _prepared(session, file.url, what)
            self._sent.append(file.name)
            with closing(send(session, prepared, what, self._patience)) as response:
                self._open.add(response)
                try:
                    self._go_on(what)
                    return self._taken(response, file, is_known, what, started)
                finally:
                    self._open.discard(response)

    def _taken(self, response: requests.Response, file: JobFile, is_known: bool, what: str, started: float) -> _Brought:
        status = response.status_code
        # the bodies of errors are left alone: they repeat what was signed
        if 300 <= status < 400:
            raise Refused(f"{what}: HTTP {status}, a redirect, not followed", status)
        if 400 <= status < 500 and status not in (408, 429):
            return _Brought(status)
        if status != 200:
            raise Broken(f"{what}: HTTP {status} from {host_of(file.url)}", status)
        marks = {name: response.headers[name] for name in _MARKS if name in response.headers}
        if is_known:
            return _Brought(status, 0, marks)
        size = save_export(response, self._paths[file.name], what, started, self._patience, urlsplit(file.url).query)
        return _Brought(status, size, marks)

    def _go_on(self, what: str) -> None:
        if self._stopping.is_set():
            raise Refused(f"{what}: not fetched, because another file failed")

    def _stop(self, threads: ThreadPoolExecutor) -> None:
        """Let no thread begin another request, and end the answers that are still coming."""
        self._stopping.set()
        threads.shutdown(wait=False, cancel_futures=True)
        for response in list(self._open):
            # it may have ended by itself meanwhile
            with suppress(ValueError, RuntimeError, OSError):
                response.raw.shutdown()


def _prepared(session: requests.Session, url: str, what: str) -> requests.PreparedRequest:
    headers = {"Accept-Encoding": "gzip", "User-Agent": "iterable-pipelines"}
    if is_protected(url):
        with suppress(requests.RequestException):
            return session.prepare_request(requests.Request("GET", url, headers))
    # outside the block: what requests says of an address holds all of it
    raise Refused(f"{what}: its address is not one of https, so it was not asked")


def _differ(some: Mapping[str, str], others: Mapping[str, str]) -> bool:
    return any(some[name] != others[name] for name in some.keys() & others.keys())
