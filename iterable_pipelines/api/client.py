"""Iterable over HTTP: the one client. Reads and writes, keeps the limits, and proves what it reads."""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import requests

from iterable_pipelines.api.address import checked_address, is_loopback
from iterable_pipelines.api.body import read_body, read_error_body
from iterable_pipelines.api.download import Download, save_export, save_text
from iterable_pipelines.api.error_body import error_object, error_of_object, error_of_status, plain_text
from iterable_pipelines.api.errors import Broken, Busy, IterableError, Refused
from iterable_pipelines.api.jobs import JobFetch, JobFiles, JobPage, page_of
from iterable_pipelines.api.ledger import Ledger, Priority
from iterable_pipelines.api.limits import LIMITS, Limit, limits_of, scope_of
from iterable_pipelines.api.network import host_of, send
from iterable_pipelines.api.operations import check_operation, check_write
from iterable_pipelines.api.paging import pages_by_number
from iterable_pipelines.api.patience import Patience, retrying
from iterable_pipelines.api.redaction import shown
from iterable_pipelines.api.retry_after import parse_http_date, parse_retry_after
from iterable_pipelines.api.selection import JSON_STREAM, Selection
from iterable_pipelines.api.writes import Answer
from iterable_pipelines.hours import Window

# Iterable answers 414 from 2,048 characters on (api.md 1.1)
_LONGEST_URL = 2000
_NEVER = datetime.min.replace(tzinfo=UTC)

T = TypeVar("T")
Params = Mapping[str, Any]


@dataclass
class _Effort:
    """What one question took, over all its attempts."""

    requests: int = 0
    waited: float = 0.0
    started_at: datetime = _NEVER
    server_date: datetime | None = None


@dataclass(frozen=True)
class _Question:
    """One request, as often as it is sent. `what` is how logs and errors call it."""

    what: str
    method: str
    path: str
    params: Params
    limits: Sequence[Limit]
    body: Any = None
    accept: str = "*/*"


class _KeyHeader(requests.auth.AuthBase):
    """Puts the key into the header of a request at the last moment, and nowhere else."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Api-Key"] = self._key
        return request


class Iterable:
    """One project of Iterable, read over HTTP.

    Every method raises Refused, Busy or Broken; the last two only after `patience.attempts`. One client per thread.
    """

    def __init__(
        self,
        api_key: str,
        base_url: str,
        ledger: Ledger,
        *,
        log: Callable[[str], None] | None = None,
        patience: Patience | None = None,
        trust_environment: bool = False,
        priority: Priority = Priority.HOURLY,
    ) -> None:
        """`trust_environment` lets HTTP(S)_PROXY and REQUESTS_CA_BUNDLE count, which are otherwise ignored (H40).

        `priority` says who goes first when several clients wait for the same limit.
        """
        if not re.fullmatch(r"[\x21-\x7e]+", api_key):
            raise Refused("ITERABLE_API_KEY is empty or holds blanks or line breaks, which no key has")
        self.base_url = checked_address(base_url)
        self._key, self._ledger, self._log = api_key, ledger, log or (lambda text: None)
        self._patience, self._priority = patience or Patience(), priority
        self._relaxed = ledger.relaxed and is_loopback(self.base_url)
        # the server's own clock in its newest answer
        self.server_date: datetime | None = None
        self._session = requests.Session()
        self._session.trust_env = trust_environment
        self._session.auth = _KeyHeader(api_key)

    def __repr__(self) -> str:
        return f"<Iterable {self.base_url}>"

    def export_events(
        self,
        data_type: str,
        window: Window,
        to: Path,
        only_fields: Sequence[str] = (),
        omit_fields: Sequence[str] = (),
        campaign_id: int | None = None,
    ) -> Download:
        """Export the records of `window` (by createdAt, users by profileUpdatedAt, api.md 3.6) as NDJSON into `to`.

        The file is whole, decoded, synced to disk, and empty or ends with a whole record; after an error there is none.
        No fields named means all of them. Every attempt takes one of the four exports a minute.
        """
        asked = Selection(data_type, window, only_fields, omit_fields, campaign_id)
        what = f"export of {asked}"
        question = self._question("GET", "/api/export/data.json", asked.as_query(), what=what, accept=JSON_STREAM)

        def save(response: requests.Response, started: float) -> int:
            return save_export(response, to, what, started, self._patience, self._key)

        size, effort = self._ask(question, save)
        return Download(to, size, effort.requests, effort.waited, effort.started_at, effort.server_date)

    def get(self, path: str, params: Params | None = None, limit: str | None = None) -> dict[str, Any]:
        """One JSON object. `limit` names the limit in `LIMITS`; without it the one of the path is found."""
        return self._object(self._question("GET", path, params, limit))

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """One JSON object, in answer to one of the few POSTs that operations.py allows; not repeated after Broken."""
        return self._object(self._question("POST", path, None, body=body))

    def write(self, method: str, path: str, body: bytes = b"") -> Answer:
        """One of the writes that operations.py allows, sent once; the answer as it came, whatever its status.

        Raises Refused, unsent, for what is no write of ours; Broken if no whole answer came: it may have been applied.
        """
        check_write(method, path)
        question = _Question(shown(method, path), method, path, {}, limits_of(method, path))
        with ExitStack() as turns:
            for limit in question.limits:
                turns.enter_context(
                    self._ledger.turn(limit.name, scope_of(limit, self._key), self._log, priority=self._priority)
                )
            prepared = self._prepared(question, body)
            started = time.monotonic()
            response = send(self._session, prepared, question.what, self._patience)
        with closing(response):
            if response.status_code >= 300:
                whole = read_error_body(response)
            else:
                parts = read_body(response, question.what, started, self._patience, self._patience.largest_answer)
                whole = b"".join(parts)
            server_now = parse_http_date(response.headers.get("Date")) or datetime.now(UTC)
            return Answer(
                response.status_code, whole, parse_retry_after(response.headers.get("Retry-After"), server_now)
            )

    def when_allowed(self, method: str, path: str, calls: int, comes_again: Callable[[float], float]) -> list[datetime]:
        """When so many more writes would go, by what went before; `comes_again` as for `forecast` of the ledger."""
        asked = [(each.name, scope_of(each, self._key)) for each in limits_of(method, path)]
        return [datetime.fromtimestamp(at, UTC) for at in self._ledger.forecast(asked, calls, comes_again)]

    def hold_back(self, method: str, path: str, seconds: float) -> None:
        """After a 429: keep every process from asking for `path` for so long, ten minutes at most."""
        for limit in limits_of(method, path):
            self._ledger.stop(limit.name, scope_of(limit, self._key), seconds)

    def get_pages(
        self, path: str, key: str, params: Params | None = None, limit: str | None = None, page_size: int = 1000
    ) -> Iterator[dict[str, Any]]:
        """The items under `key` of every page, as long as there is a nextPageUrl, which itself is never followed.

        Raises Broken when a page comes a second time: paging that loops would never end (H34).
        """

        def ask(page: dict[str, Any]) -> dict[str, Any]:
            return self.get(path, {**(params or {}), **page}, limit)

        for page in pages_by_number(ask, key, page_size, shown("GET", path)):
            yield from page.items

    def get_text(self, path: str, params: Params | None = None, limit: str | None = None) -> str:
        """The body of a text or CSV endpoint (lists, metrics), decoded as UTF-8."""
        question = self._question("GET", path, params, limit)

        def read(response: requests.Response, started: float) -> str:
            body = self._small_body(response, question, started)
            error = error_object(body)
            if error:
                raise error_of_object(question.what, *error, self._patience, self._key)
            try:
                return body.decode("utf-8-sig")
            except UnicodeDecodeError:
                raise Broken(f"{question.what}: the answer is not UTF-8 text") from None

        return self._ask(question, read)[0]

    def save_text(self, path: str, to: Path, params: Params | None = None, limit: str | None = None) -> Download:
        """The body of a text endpoint of any size (a list's users, api.md 5.3) as it came, into the file `to`.

        Only the framing is proved: lines of text do not say where they end. After an error there is no file.
        """
        question = self._question("GET", path, params, limit)

        def save(response: requests.Response, started: float) -> int:
            return save_text(response, to, question.what, started, self._patience, self._key)

        size, effort = self._ask(question, save)
        return Download(to, size, effort.requests, effort.waited, effort.started_at, effort.server_date)

    def start_export(
        self,
        data_type: str,
        window: Window,
        only_fields: Sequence[str] = (),
        omit_fields: Sequence[str] = (),
        campaign_id: int | None = None,
        label: str | None = None,
    ) -> int:
        """Start an export job (api.md 3.5) and return its id, which is noted in the ledger as ours.

        A job that was started under `label` before is not started again, so that a crash costs none of the four slots.
        Not repeated after Broken: the job may have started, and a second one would take one more of the four slots.
        """
        asked = Selection(data_type, window, only_fields, omit_fields, campaign_id)
        what, body = f"start of an export job for {asked}", asked.as_body()
        question = self._question("POST", "/api/export/start", None, what=what, body=body)
        scope = scope_of(question.limits[0], self._key)
        if label and (known := self._ledger.job_labelled(scope, label)) is not None:
            return known

        def read(response: requests.Response, started: float) -> int:
            job_id = self._parse(question, self._small_body(response, question, started)).get("jobId")
            if not isinstance(job_id, int):
                raise Broken(f"{what}: the answer holds no job id")
            self._ledger.remember_job(scope, job_id, label)
            return job_id

        return self._ask(question, read)[0]

    def export_page(self, job_id: int, start_after: str | None = None) -> JobPage:
        """The state of an export job, and the first of its files, or the first after the one named."""
        return self._export_page(job_id, start_after, _Effort())

    def fetch_job(self, job_id: int, folder: Path, parallel: int = 4) -> JobFiles:
        """Fetch all files of a completed export job into `folder`, each proved whole like an export, or none of them.

        The folder is made if need be; nothing else should lie in it. Raises Truncated, beside the others, if the job
        gave up at 100 GB; Refused unless it is completed.
        """
        effort = _Effort()
        fetch = JobFetch(
            job_id,
            folder,
            lambda after: self._export_page(job_id, after, effort),
            self._patience,
            self._log,
            self._session.trust_env,
        )
        fetched = fetch.run(parallel)
        return replace(fetched, requests=fetched.requests + effort.requests, waited=effort.waited)

    def cancel_export(self, job_id: int) -> None:
        """Cancel an export job that was started from here. Refused, without asking, for anybody else's."""
        question = self._question("DELETE", f"/api/export/{job_id}", None, job_id=job_id)
        self._ask(question, lambda response, started: self._small_body(response, question, started))

    def _export_page(self, job_id: int, start_after: str | None, effort: _Effort) -> JobPage:
        params = {"startAfter": start_after} if start_after else {}
        question = self._question("GET", f"/api/export/{job_id}/files", params)

        def read(response: requests.Response, started: float) -> JobPage:
            return page_of(job_id, self._parse(question, self._small_body(response, question, started)))

        return self._ask(question, read, effort)[0]

    def _object(self, question: _Question) -> dict[str, Any]:
        def parse(response: requests.Response, started: float) -> dict[str, Any]:
            return self._parse(question, self._small_body(response, question, started))

        return self._ask(question, parse)[0]

    def _question(
        self,
        method: str,
        path: str,
        params: Params | None,
        limit: str | None = None,
        what: str | None = None,
        body: Any = None,
        accept: str = "*/*",
        job_id: int | None = None,
    ) -> _Question:
        jobs_scope = scope_of(LIMITS["export start"], self._key)
        check_operation(method, path, job_id is not None and self._ledger.owns_job(jobs_scope, job_id))
        limits = [LIMITS[limit]] if limit else limits_of(method, path)
        return _Question(what or shown(method, path, params), method, path, params or {}, limits, body, accept)

    def _ask(
        self, question: _Question, read: Callable[[requests.Response, float], T], effort: _Effort | None = None
    ) -> tuple[T, _Effort]:
        """Ask until `read` accepts an answer or patience ends. `read` gets the answer and the time of asking."""
        effort = effort or _Effort()
        repeatable = question.method != "POST"
        tries = retrying(self._patience, self._log, repeatable)
        return tries(self._ask_once, question, read, effort), effort

    def _ask_once(self, question: _Question, read: Callable[[requests.Response, float], T], effort: _Effort) -> T:
        prepared = self._prepared(question)
        try:
            with ExitStack() as turns:
                for limit in question.limits:
                    free = self._relaxed and limit.name.startswith("export")
                    scope = scope_of(limit, self._key)
                    turn = self._ledger.turn(limit.name, scope, self._log, free, self._priority)
                    effort.waited += turns.enter_context(turn)
                effort.requests += 1
                effort.started_at, started = datetime.now(UTC), time.monotonic()
                response = send(self._session, prepared, question.what, self._patience)
            with closing(response):
                effort.server_date = self.server_date = parse_http_date(response.headers.get("Date"))
                if response.status_code not in (200, 201, 202, 204):
                    raise self._error(question, response)
                return read(response, started)
        except Busy as busy:
            for limit in question.limits:
                self._ledger.stop(limit.name, scope_of(limit, self._key), busy.retry_after)
            raise

    def _prepared(self, question: _Question, written: bytes | None = None) -> requests.PreparedRequest:
        headers = {
            "Accept": question.accept,
            "Accept-Encoding": "gzip",
            "User-Agent": "iterable-pipelines",
        }
        if written is not None:
            headers["Content-Type"] = "application/json"
        request = requests.Request(
            question.method,
            self.base_url + question.path,
            headers,
            params=question.params,
            json=question.body,
            data=written,
        )
        prepared = self._session.prepare_request(request)
        if len(prepared.url or "") > _LONGEST_URL:
            raise Refused(
                f"{question.what[:200]}: the address is longer than {_LONGEST_URL:,} characters: ask for less at once",
                414,
            )
        return prepared

    def _error(self, question: _Question, response: requests.Response) -> IterableError:
        status = response.status_code
        if 300 <= status < 400:
            target = host_of(response.headers.get("Location", "")) or "the same host"
            return Refused(
                f"{question.what}: HTTP {status}, a redirect to {target}, not followed. Check ITERABLE_BASE_URL", status
            )
        body = read_error_body(response)
        return error_of_status(question.what, status, response.headers, body, self._patience, self._key)

    def _small_body(self, response: requests.Response, question: _Question, started: float) -> bytes:
        """A whole answer in memory. Raises Broken if it is a page, as maintenance and proxies send with status 200."""
        parts = read_body(response, question.what, started, self._patience, self._patience.largest_answer)
        body = b"".join(parts)
        start = body[:64].lstrip().lower()
        if "html" in response.headers.get("Content-Type", "").lower() or start.startswith((b"<html", b"<!doctype")):
            raise Broken(f"{question.what}: a page came instead of data: {plain_text(body, self._key)}", 200)
        return body

    def _parse(self, question: _Question, body: bytes) -> dict[str, Any]:
        error = error_object(body)
        # reads of catalogs, and answers to writes, come in the same envelope, with these codes (api.md 1.3)
        if error and error[0] not in ("Success", "Accepted"):
            raise error_of_object(question.what, *error, self._patience, self._key)
        try:
            answer = json.loads(body) if body.strip() else {}
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise Broken(f"{question.what}: the answer is not a JSON object ({len(body):,} bytes)")
        return answer
