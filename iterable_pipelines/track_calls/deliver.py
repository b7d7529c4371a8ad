"""One batch to its receiver: moved into a folder, or posted to an HTTP endpoint, whose calls are tried one by one only
where it says no to the batch.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import requests

from iterable_pipelines.api import Broken, Busy, Patience
from iterable_pipelines.api.address import is_protected
from iterable_pipelines.api.network import cause_of, host_of
from iterable_pipelines.api.patience import retrying
from iterable_pipelines.api.redaction import redacted
from iterable_pipelines.api.retry_after import parse_retry_after
from iterable_pipelines.crashpoints import crashpoint
from iterable_pipelines.file_store import sync
from iterable_pipelines.hours import now
from iterable_pipelines.settings import Settings, SettingsError
from iterable_pipelines.settings_sources import DOTENV
from iterable_pipelines.track_calls.declaration import Destination, To
from iterable_pipelines.track_calls.errors import TrackCallsFailed, TrackCallsRefused
from iterable_pipelines.track_calls.ledger import Rejected
from iterable_pipelines.variables import variable

# an endpoint only has to take note: what takes longer hangs
PATIENCE = Patience(first_byte=60.0, busy_wait=10.0)
# so many calls are not wrong all at once: then it is the endpoint or the key that is
_NOT_ALL_WRONG = 10
_WRONG_CALLS = (400, 413, 422)
_LONGEST_REASON = 120


class Receiver(Protocol):
    """Where batches go."""

    def deliver(self, batch: Path) -> list[Rejected]:
        """Bring the calls of a file there, if they are not there yet; returns those it will never take.

        Raises TrackCallsFailed, or TrackCallsRefused where trying again is no use.
        """


def receiver_of(settings: Settings, destination: Destination, log: Callable[[str], None]) -> Receiver:
    """The receiver of a destination. Raises SettingsError for a variable that is not set, or holds no address."""
    if destination.to.folder:
        return Folder(settings.project_root / destination.to.folder, destination.name)
    url = _value(settings, str(destination.to.url_env), "https://api.segment.io/v1/batch")
    key = _value(settings, destination.to.key_env, "the write key of the source") if destination.to.key_env else None
    if not is_protected(url):
        raise SettingsError(
            f"{destination.to.url_env} holds no address that can be used: write https://…, or http:// to this machine. "
            "Nothing was sent"
        )
    return Endpoint(url, key, destination.to, log, PATIENCE)


def _value(settings: Settings, name: str, example: str) -> str:
    value = variable(name, settings.project_root)
    if value is None:
        raise SettingsError(
            f"{name} is not set, so nothing was sent.\nNext: write {name}=… ({example}) into "
            f"{settings.project_root / DOTENV}, and run this again"
        )
    return value


class Folder:
    """A folder of NDJSON files, one a batch, named by its number. Each is whole when it appears."""

    def __init__(self, path: Path, name: str) -> None:
        self.path, self.name = path, name

    def deliver(self, batch: Path) -> list[Rejected]:
        to = self.path / f"{self.name}-{batch.name}"
        if not batch.exists():
            # it was moved, and then the process was killed; whoever reads the folder may have taken it away since
            return []
        if to.exists():
            raise TrackCallsRefused(
                f"{to} is there already, and this destination has not written it. Nothing was changed.\n"
                "Next: move that file away; then run this again"
            )
        os.rename(batch, to)
        sync(self.path)
        return []


class _Wrong(Exception):
    """The receiver will not take what was posted."""


class Endpoint:
    """An HTTP endpoint that takes calls as Segment's does: a batch in one body, or each by itself."""

    def __init__(
        self,
        url: str,
        key: str | None,
        to: To,
        log: Callable[[str], None],
        patience: Patience,
    ) -> None:
        self._url, self._key, self._to, self._log, self._patience = url, key, to, log, patience
        self._session = requests.Session()
        self._session.headers["Content-Type"] = "application/json"
        if key is not None:
            # the write key is the user, and there is no password
            self._session.auth = (key, "")

    def deliver(self, batch: Path) -> list[Rejected]:
        if not batch.exists():
            raise TrackCallsRefused(
                f"{batch} is gone, which holds calls that wait. Nothing was sent.\nNext: put that file back"
            )
        calls = batch.read_bytes().splitlines()
        at_once = len(calls) if self._to.format == "segment_batch" else 1
        rejected = [each for at in range(0, len(calls), at_once) for each in self._halving(calls[at : at + at_once])]
        if len(calls) == len(rejected) >= _NOT_ALL_WRONG:
            # what the endpoint said may name a person
            status = rejected[0].reason.partition(":")[0]
            raise TrackCallsRefused(
                f"{host_of(self._url)} takes none of {len(calls):,} calls ({status}): it is the endpoint "
                f"that is wrong, not the calls. They are kept.\nNext: correct {self._to.url_env}, and run this again"
            )
        return rejected

    def _halving(self, calls: list[bytes]) -> list[Rejected]:
        """Post the calls; where they are refused, each half of them, down to the one that is wrong."""
        try:
            self._post(calls)
        except _Wrong as wrong:
            if len(calls) == 1:
                call = json.loads(calls[0])
                return [Rejected(call["messageId"], call["event"], str(wrong))]
            half = len(calls) // 2
            return [*self._halving(calls[:half]), *self._halving(calls[half:])]
        return []

    def _post(self, calls: list[bytes]) -> None:
        body = b'{"batch":[' + b",".join(calls) + b"]}" if self._to.format == "segment_batch" else calls[0]
        try:
            retrying(self._patience, self._log, wait_when_busy=True)(self._post_once, body)
        except (Busy, Broken) as error:
            raise TrackCallsFailed(
                f"{error}, {self._patience.attempts} times. What waits is kept.\n"
                "Next: nothing; the next run goes on. If it stays so, ask who runs that endpoint"
            ) from None

    def _post_once(self, body: bytes) -> None:
        try:
            answer = self._session.post(
                self._url,
                data=body,
                timeout=(self._patience.connect, self._patience.first_byte),
                allow_redirects=False,
            )
        except (requests.RequestException, OSError) as error:
            failure = cause_of(error)
        else:
            crashpoint("track_calls_posted")
            self._look_at(answer)
            return
        # raised out here, so that the original, which holds the request and its headers, is not chained to it
        raise Broken(f"{host_of(self._url)}: {failure}")

    def _look_at(self, answer: requests.Response) -> None:
        status = answer.status_code
        if 200 <= status < 300:
            return
        if status in _WRONG_CALLS:
            raise _Wrong(f"HTTP {status}{self._said(answer)}")
        if status in (408, 425, 429) or status >= 500:
            text = f"{host_of(self._url)}: HTTP {status}"
            wait = parse_retry_after(answer.headers.get("Retry-After"), now())
            if wait or status == 429:
                raise Busy(text, retry_after=wait or self._patience.busy_wait)
            raise Broken(text)
        if status in (401, 403):
            key = self._to.key_env or "a key (`key_env`)"
            text, then = f"does not accept the key (HTTP {status})", f"look at what {key} holds"
        else:
            text, then = f"answers HTTP {status}", f"look at what {self._to.url_env} holds"
        raise TrackCallsRefused(f"{host_of(self._url)} {text}. What waits is kept.\nNext: {then}; then run this again")

    def _said(self, answer: requests.Response) -> str:
        text = " ".join(redacted(answer.text[:1000], self._key or "").split())
        return f": {text[:_LONGEST_REASON]}" if text else ""
