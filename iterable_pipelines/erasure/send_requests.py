"""The queue of forgetting, sent as far as the day has room; what is left has a promised date (faults.md R18)."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from filelock import FileLock, Timeout

from iterable_pipelines.activation.answers import read_answer
from iterable_pipelines.activation.endpoints import ENDPOINTS
from iterable_pipelines.activation.promise import Day, promised, told
from iterable_pipelines.activation.requests import Change
from iterable_pipelines.activation.requests import Request as Wire
from iterable_pipelines.activation.verify.forgotten import forgotten_hashes
from iterable_pipelines.activation.verify.readings import READ_BACK
from iterable_pipelines.api import Broken, Iterable, NotToday, Refused
from iterable_pipelines.crashpoints import crashpoint
from iterable_pipelines.erasure.requests import MINUTE, Level, Request, Requests
from iterable_pipelines.erasure.tombstones import Kind, Tombstones
from iterable_pipelines.hours import now
from iterable_pipelines.settings import Settings

Log = Callable[[str], None]

# so many in a row that got no answer, and it is not the request that is wrong
_MOST_UNANSWERED = 3
_KINDS: dict[str, Kind] = {"email": "email", "userId": "user_id"}


@dataclass
class Sent:
    """What one go at the queue did, and how it stands then. stopped: why it ended before the queue was empty."""

    forgotten: int = 0
    unforgotten: int = 0
    refused: int = 0
    stopped: str = ""
    level: Level | None = None
    days: list[Day] = field(default_factory=list)

    def __str__(self) -> str:
        done = f"{self.forgotten:,} forgotten, {self.unforgotten:,} no longer forgotten, {self.refused:,} refused"
        left = f"{sum(self.level.waiting.values()):,} waiting" if self.level else ""
        return "; ".join(filter(None, (done, left, told(self.days), self.stopped)))


def send_requests(settings: Settings, client: Iterable, log: Log = print) -> Sent:
    """Send what waits until it is empty, the day is full, or Iterable does not answer; others settle what is in doubt.

    Nobody hangs for a day: whoever would wait for more than a minute is left for the next run. Raises Refused where
    Iterable refuses the key, with nothing lost.
    """
    queue, sent = Requests(settings), Sent()
    queue.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with FileLock(f"{queue.path}.lock", timeout=0, mode=0o600):
            _settle(settings, queue, client, sent, log)
            _send(settings, queue, client, sent)
    except Timeout:
        sent.stopped = "another run is sending"
    sent.level, sent.days = queue.level(), promise(settings, client)
    return sent


def promise(settings: Settings, client: Iterable) -> list[Day]:
    """By when what waits will have gone, day by day. Asks nothing of Iterable."""
    waiting = sum(Requests(settings).level().waiting.values())
    return promised(client, ENDPOINTS["forget"], waiting, _next_run)


def _next_run(moment: float) -> float:
    return moment + -(moment - MINUTE * 60.0) % 3600.0


def _settle(settings: Settings, queue: Requests, client: Iterable, sent: Sent, log: Log) -> None:
    """Ask Iterable what became of those whose answer never came; what it does not show goes again."""
    doubtful = queue.in_doubt()
    if not doubtful:
        return
    hashes = forgotten_hashes(client)
    for each in doubtful:
        if (each.hash in hashes) == (each.action == "forget"):
            _note(settings, queue, each, "read_back", sent)
        elif each.sent_at is None or now() - each.sent_at > timedelta(seconds=READ_BACK["forget"].settle):
            queue.wait(each)
    log(f"{len(doubtful)} requests whose answer never came were looked up")


def _send(settings: Settings, queue: Requests, client: Iterable, sent: Sent) -> None:
    unanswered = 0
    while (request := queue.next()) and unanswered < _MOST_UNANSWERED:
        wire = _wire(request)
        queue.sending(request)
        crashpoint("forget_sending")
        try:
            answer = client.write(wire.endpoint.method, wire.path, wire.body)
        except NotToday as full:
            queue.wait(request)
            sent.stopped = str(full)
            return
        except Broken:
            # it may have happened: the next run asks
            unanswered += 1
            continue
        crashpoint("forget_answered")
        reading = read_answer(wire, answer)
        outcome = reading.outcomes.get(request.id)
        if reading.then == "stop":
            queue.wait(request)
            raise Refused(f"users/{request.action}: {reading.message}", answer.status)
        if reading.then == "wait":
            queue.wait(request)
            client.hold_back(wire.endpoint.method, wire.path, answer.retry_after or 60.0)
            sent.stopped = "Iterable takes no more for now: others use the same limit"
            return
        if outcome is None:
            unanswered += 1
            continue
        unanswered = 0
        if outcome.standing == "acknowledged":
            _note(settings, queue, request, outcome.code, sent)
        else:
            queue.refuse(request, outcome.code)
            sent.refused += 1
    if unanswered:
        sent.stopped = f"{unanswered} requests got no answer: the next run looks up what became of them"


def _note(settings: Settings, queue: Requests, request: Request, code: str, sent: Sent) -> None:
    """The tombstone first: whoever is forgotten at Iterable must not come in again, whatever happens to us."""
    tombstones = Tombstones(settings)
    if request.action == "forget":
        tombstones.add(_KINDS[request.kind], [request.hash], "request")
        sent.forgotten += 1
    else:
        tombstones.lift([request.hash])
        sent.unforgotten += 1
    crashpoint("forget_tombstone")
    queue.done(request, code)


def _wire(request: Request) -> Wire:
    payload = json.dumps({request.kind: request.identifier})
    endpoint = ENDPOINTS[request.action]
    change = Change(
        request.id, str(request.id), "user_action", endpoint, "{}", request.kind, request.identifier, payload
    )
    return Wire([change])
