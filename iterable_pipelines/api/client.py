"""Iterable over HTTP: the one client of the import. Reads only, keeps the limits, and proves what it reads."""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import requests
from requests.utils import get_environ_proxies, select_proxy

from iterable_pipelines.api.address import checked_address, is_loopback
from iterable_pipelines.api.body import read_body, read_error_body
from iterable_pipelines.api.download import Download, save_export
from iterable_pipelines.api.error_body import error_object, error_of_object, error_of_status, plain_text
from iterable_pipelines.api.errors import Broken, Busy, IterableError, Refused
from iterable_pipelines.api.ledger import Ledger, Priority
from iterable_pipelines.api.limits import LIMITS, Limit, limits_of, scope_of
from iterable_pipelines.api.network import cause_of, host_of
from iterable_pipelines.api.operations import check_operation
from iterable_pipelines.api.patience import Patience, retrying
from iterable_pipelines.api.redaction import shown
from iterable_pipelines.api.retry_after import parse_http_date
from iterable_pipelines.hours import Window

# Iterable answers 414 from 2,048 characters on (api.md 1.1)
_LONGEST_URL = 2000
_JSON_STREAM = "application/x-json-stream"
_MOMENT = "%Y-%m-%d %H:%M:%S +00:00"

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
        self._session = requests.Session()
        self._session.trust_env = trust_environment
        self._session.auth = _KeyHeader(api_key)

    def __repr__(self) -> str:
        return f"<Iterable {self.base_url}>"

    def export_events(self, data_type: str, window: Window, to: Path, only_fields: Sequence[str] = ()) -> Download:
        """Export the records of `window` (by createdAt, users by profileUpdatedAt, api.md 3.6) as NDJSON into `to`.

        The file is whole, decoded, synced to disk, and empty or ends with a whole record; after an error there is none.
        `only_fields` empty means all fields. Every attempt takes one of the four exports a minute.
        """
        params: dict[str, Any] = {"dataTypeName": data_type, **_bounds(window)}
        if only_fields:
            params["onlyFields"] = list(only_fields)  # an array here: the name is repeated (api.md 3.2)
        what = f"export of {data_type} {window}"
        question = self._question("GET", "/api/export/data.json", params, what=what, accept=_JSON_STREAM)

        def save(response: requests.Response, started: float) -> int:
            return save_export(response, to, what, started, self._patience, self._key)

        size, effort = self._ask(question, save)
        return Download(to, size, effort.requests, effort.waited, effort.started_at, effort.server_date)

    def get(self, path: str, params: Params | None = None, limit: str | None = None) -> dict[str, Any]:
        """One JSON object. `limit` names the limit in `LIMITS`; without it the one of the path is found."""
        question = self._question("GET", path, params, limit)

        def parse(response: requests.Response, started: float) -> dict[str, Any]:
            return self._parse(question, self._small_body(response, question, started))

        return self._ask(question, parse)[0]

    def get_pages(
        self, path: str, key: str, params: Params | None = None, limit: str | None = None, page_size: int = 1000
    ) -> Iterator[dict[str, Any]]:
        """The items under `key` of every page, as long as there is a nextPageUrl, which itself is never followed.

        Raises Broken when a page comes a second time: paging that loops would never end (H34).
        """
        seen: set[bytes] = set()
        page = 1
        while True:
            answer = self.get(path, {**(params or {}), "page": page, "pageSize": page_size}, limit)
            items = answer.get(key)
            if not isinstance(items, list):
                raise Broken(f"{shown('GET', path)}: page {page} has no list {key!r}")
            yield from items
            if not answer.get("nextPageUrl"):
                return
            content = sha256(json.dumps(items).encode()).digest()
            if content in seen:
                raise Broken(f"{shown('GET', path)}: page {page} repeats an earlier page, so paging would never end")
            seen.add(content)
            page += 1

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

    def start_export(self, data_type: str, window: Window, only_fields: Sequence[str] = ()) -> int:
        """Start an export job (api.md 3.5) and return its id, which is noted in the ledger as ours.

        Not repeated after Broken: the job may have started, and a second one would take one more of the four slots.
        """
        body = {"dataTypeName": data_type, "outputFormat": _JSON_STREAM, **_bounds(window)}
        if only_fields:
            body["onlyFields"] = ",".join(only_fields)  # one text here, unlike data.json
        what = f"start of an export job for {data_type} {window}"
        question = self._question("POST", "/api/export/start", None, what=what, body=body)

        def read(response: requests.Response, started: float) -> int:
            job_id = self._parse(question, self._small_body(response, question, started)).get("jobId")
            if not isinstance(job_id, int):
                raise Broken(f"{what}: the answer holds no job id")
            self._ledger.remember_job(scope_of(question.limits[0], self._key), job_id)
            return job_id

        return self._ask(question, read)[0]

    def cancel_export(self, job_id: int) -> None:
        """Cancel an export job that was started from here. Refused, without asking, for anybody else's."""
        question = self._question("DELETE", f"/api/export/{job_id}", None, job_id=job_id)
        self._ask(question, lambda response, started: self._small_body(response, question, started))

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

    def _ask(self, question: _Question, read: Callable[[requests.Response, float], T]) -> tuple[T, _Effort]:
        """Ask until `read` accepts an answer or patience ends. `read` gets the answer and the time of asking."""
        effort = _Effort()
        repeatable = question.method != "POST"
        tries = retrying(self._patience, self._log, repeatable)
        return tries(self._ask_once, question, read, effort), effort

    def _ask_once(self, question: _Question, read: Callable[[requests.Response, float], T], effort: _Effort) -> T:
        prepared = self._prepared(question)
        try:
            with ExitStack() as turns:
                for limit in question.limits:
                    free = self._relaxed and limit.name == "export"
                    scope = scope_of(limit, self._key)
                    turn = self._ledger.turn(limit.name, scope, self._log, free, self._priority)
                    effort.waited += turns.enter_context(turn)
                effort.requests += 1
                effort.started_at, started = datetime.now(UTC), time.monotonic()
                response = self._send(question, prepared)
            with closing(response):
                effort.server_date = parse_http_date(response.headers.get("Date"))
                if response.status_code not in (200, 201, 202, 204):
                    raise self._error(question, response)
                return read(response, started)
        except Busy as busy:
            for limit in question.limits:
                self._ledger.stop(limit.name, scope_of(limit, self._key), busy.retry_after)
            raise

    def _prepared(self, question: _Question) -> requests.PreparedRequest:
        headers = {
            "Accept": question.accept,
            "Accept-Encoding": "gzip",
            "User-Agent": "iterable-pipelines",
        }
        request = requests.Request(
            question.method, self.base_url + question.path, headers, params=question.params, json=question.body
        )
        prepared = self._session.prepare_request(request)
        if len(prepared.url or "") > _LONGEST_URL:
            raise Refused(
                f"{question.what[:200]}: the address is longer than {_LONGEST_URL:,} characters: ask for less at once"
            )
        return prepared

    def _send(self, question: _Question, prepared: requests.PreparedRequest) -> requests.Response:
        patience, url = self._patience, prepared.url or ""
        settings = self._session.merge_environment_settings(url, {}, True, None, None)
        try:
            # the adapter itself knows no redirects: a session would carry the key to wherever one points (faults.md M4)
            adapter = self._session.get_adapter(url)
            return adapter.send(
                prepared,
                stream=True,
                timeout=(patience.connect, patience.first_byte),
                verify=settings["verify"] or True,
                proxies=settings["proxies"],
            )
        except (requests.RequestException, OSError) as error:
            proxy = select_proxy(url, get_environ_proxies(url)) if self._session.trust_env else None
            through = f" through the proxy {host_of(proxy)}" if proxy else ""
            failure = (
                f"{question.what}: network failure on the way to {host_of(self.base_url)}{through}: {cause_of(error)}"
            )
        # raised out here, so that the original, which holds the request and its headers, is not chained to it
        raise Broken(failure)

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


def _bounds(window: Window) -> dict[str, str]:
    start, end = window.start.astimezone(UTC), window.end.astimezone(UTC)
    return {"startDateTime": start.strftime(_MOMENT), "endDateTime": end.strftime(_MOMENT)}
