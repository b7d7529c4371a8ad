"""Sending what a run wrote down: stage by stage, several requests at once, no record of a user overtaking another.

Threads do HTTP and nothing else; the thread that calls owns the database.
"""

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from iterable_pipelines.activation.answers import MESSAGES, Reading, read_answer
from iterable_pipelines.activation.errand import Errand, Replaced
from iterable_pipelines.activation.outbox import Finished, Outbox, State, moment
from iterable_pipelines.activation.outcomes import Outcome
from iterable_pipelines.activation.promise import DAILY_LIMIT, promised, told
from iterable_pipelines.activation.requests import Change, Packer, Request, merge_of
from iterable_pipelines.activation.slower import Slower
from iterable_pipelines.api import Answer, Broken, IterableError, NotToday, Refused
from iterable_pipelines.api import Iterable as Client
from iterable_pipelines.api.user_reads import Person, read_user
from iterable_pipelines.crashpoints import crashpoint

# changes read from the state at a time, and the most that wait in memory for others of the same identity
_PAGE = 5_000
_MOST_HELD = 50_000
_TOLD_EVERY = 30.0

# which of these records are not to be sent after all, or as something else, asked right before they would be (G2 to G4)
Gate = Callable[[Client, Sequence[Change]], Mapping[int, Outcome | Replaced]]


def both_gates(first: Gate | None, then: Gate | None) -> Gate | None:
    """What either keeps back; the second is asked only for what the first lets pass."""
    if first is None or then is None:
        return first or then

    def asked(client: Client, changes: Sequence[Change]) -> dict[int, Outcome | Replaced]:
        kept = dict(first(client, changes))
        return kept | dict(then(client, [each for each in changes if each.number not in kept]))

    return asked


@dataclass(frozen=True)
class Pace:
    """How long to try. Times in seconds (R11, R12, B7). `settle`: between a record and those that need it."""

    attempts: int = 8
    longest: float = 600.0
    first_wait: float = 1.0
    longest_wait: float = 60.0
    settle: float = 60.0
    at_once_bulk: int = 4
    at_once_single: int = 8


class Manner(Protocol):
    """What a sender has to know of whatever it sends for; every sync says it."""

    @property
    def name(self) -> str:
        """As logs call it."""

    @property
    def on_type_mismatch(self) -> str:
        """reject_row or drop_field (R8)."""

    @property
    def on_email_exists(self) -> str:
        """fail or merge (I8)."""


@dataclass
class Tally:
    """What sending took."""

    requests: int = 0
    bytes: int = 0
    http_429: int = 0
    retries: int = 0
    created_fields: set[str] = field(default_factory=set)
    filtered_fields: set[str] = field(default_factory=set)
    # why it ended early, as (code, sentence)
    stopped: tuple[str, str] | None = None
    # it was Iterable that did not answer, or not now: the next run may have more luck
    gave_up: bool = False
    # what is left for other days, and until when (faults.md R18)
    promise: str = ""


@dataclass
class _Sent:
    """What a thread brings back."""

    answer: Answer | None
    sent_at: datetime | None = None
    failure: str = ""
    refused: bool = False
    not_today: bool = False


def has_moved(client: Client, request: Request, answer: Answer) -> bool:
    """Whether a change of address is refused because it has happened before (1.6)."""
    if request.endpoint.name != "email_change" or (answer.json() or {}).get("code") != "UnknownEmailError":
        return False
    try:
        return read_user(client, Person(email=request.changes[0].read()["newEmail"])) is not None
    except IterableError:
        return False


class Sender:
    """Sends the changes of one run. `clients` makes a client for each thread."""

    def __init__(
        self,
        outbox: Outbox,
        sync: Manner,
        clients: Callable[[], Client],
        pace: Pace,
        log: Callable[[str], None],
        gate: Gate | None = None,
    ) -> None:
        self.tally = Tally()
        self._outbox, self._sync, self._clients, self._pace, self._log = outbox, sync, clients, pace, log
        self._gate = gate
        self._packer = Packer()
        self._of_thread = threading.local()
        self._halted = threading.Event()
        self._ready: deque[Errand] = deque()
        self._flying: dict[Future[_Sent], Errand] = {}
        self._finished: list[Finished] = []
        # groups that Iterable takes nothing for any more, such as a list that is gone, and why
        self._closed: dict[tuple[str, str], Outcome] = {}
        self._notes: dict[int, str] = {}
        self._slower = Slower()
        self._told = time.monotonic()

    def send(self, first: int, last: int, at_once: int) -> None:
        """Send the changes of a stretch of numbers."""
        pages = (self._outbox.page(each, min(each + _PAGE - 1, last)) for each in range(first, last + 1, _PAGE))
        self._drive(pages, at_once)

    def resend(self, requests: Iterable[Request]) -> None:
        """Send requests again, byte for byte, that may have been sent before (S7)."""
        self._ready.extend(Errand(each) for each in requests)
        self._drive(iter(()), 1)

    def _drive(self, pages: Iterator[list[Change]], at_once: int) -> None:
        with ThreadPoolExecutor(at_once, thread_name_prefix="activation") as threads:
            try:
                while True:
                    starting = self._choose(pages, at_once)
                    self._commit([each.request for each in starting])
                    for errand in starting:
                        self._submit(threads, errand)
                    if not self._flying:
                        break
                    self._tell()
                    done, _ = wait(self._flying, return_when=FIRST_COMPLETED)
                    for future in done:
                        self._judge(threads, self._flying.pop(future), future.result())
            except BaseException:
                self._halted.set()
                raise

    def _tell(self) -> None:
        if time.monotonic() - self._told >= _TOLD_EVERY:
            self._told = time.monotonic()
            self._log(f"{self._sync.name}: {self.tally.requests:,} requests so far, {self.tally.bytes:,} bytes")

    def _choose(self, pages: Iterator[list[Change]], at_once: int) -> list[Errand]:
        """What to send now, as far as there is room. Nothing once something stopped the run."""
        chosen: list[Errand] = []
        while self.tally.stopped is None and len(self._flying) + len(chosen) < at_once:
            errand = self._ready.popleft() if self._ready else self._pack(pages)
            if errand is None:
                break
            closed = self._closed.get(errand.request.place)
            if closed is None:
                chosen.append(errand)
                continue
            outcomes = {each.number: closed for each in errand.undecided}
            self._finished.append(Finished(Request([], id=""), "done", outcomes))
            self._packer.settled(errand.undecided)
        return chosen

    def _pack(self, pages: Iterator[list[Change]]) -> Errand | None:
        while True:
            self._refuse_large()
            request = self._packer.next(flush=False)
            page = None
            if request is None and self._packer.held < _MOST_HELD:
                page = next(pages, None)
            if page is not None:
                self._packer.add(page)
                continue
            request = request or self._packer.next(flush=True)
            return Errand(request) if request else None

    def _refuse_large(self) -> None:
        refused = self._packer.too_large
        if refused:
            outcome = Outcome("invalid", "record_too_large", MESSAGES["record_too_large"])
            self._finished.append(Finished(Request([], id=""), "done", {each.number: outcome for each in refused}))
            self._packer.too_large = []

    def _commit(self, starting: Sequence[Request]) -> None:
        finished, self._finished = self._finished, []
        self._outbox.commit(starting, finished)
        if finished:
            crashpoint("activation_noted")
        if starting:
            crashpoint("activation_sending")

    def _submit(self, threads: ThreadPoolExecutor, errand: Errand, pause: float = 0.0) -> None:
        self._flying[threads.submit(self._post, errand, pause)] = errand

    def _post(self, errand: Errand, pause: float) -> _Sent:
        """In a thread: one request, once."""
        if not hasattr(self._of_thread, "client"):
            self._of_thread.client = self._clients()
        client: Client = self._of_thread.client
        if self._halted.wait(pause):
            return _Sent(None, failure="the run was stopped")
        if self._gate and not errand.gated and errand.request.endpoint.repeat != "event":
            errand.gated = True
            errand.withhold(self._gate(client, errand.request.changes))
            if not errand.request.changes:
                return _Sent(None)
        request = errand.request
        self._slower.pause(request.endpoint.path)
        sent_at = moment()
        try:
            answer = client.write(request.endpoint.method, request.path, request.body)
            if has_moved(client, request, answer):
                answer = Answer(200, b'{"code": "Success", "msg": "it had this address already"}')
        except NotToday as error:
            return _Sent(None, failure=str(error), not_today=True)
        except Broken as error:
            return _Sent(None, sent_at, str(error))
        except Refused as error:
            return _Sent(None, failure=str(error), refused=True)
        crashpoint("activation_answered")
        if answer.status == 429:
            client.hold_back(request.endpoint.method, request.path, self._wait_of(answer, errand))
        return _Sent(answer, sent_at)

    def _wait_of(self, answer: Answer, errand: Errand) -> float:
        """How long a 429 keeps everybody away: what it asks for, or backoff with jitter."""
        if answer.retry_after is not None:
            return min(answer.retry_after, self._pace.longest)
        return self._backoff(errand.attempts + 1)

    def _backoff(self, attempts: int) -> float:
        return random.uniform(0.5, 1.0) * min(self._pace.longest_wait, self._pace.first_wait * 2.0 ** (attempts - 1))

    def _judge(self, threads: ThreadPoolExecutor, errand: Errand, sent: _Sent) -> None:
        """What an answer decides, and what is to be done next."""
        taken, withheld = errand.take_withheld()
        self._note_replaced(errand.take_replaced())
        request, before = errand.request, [*taken, *errand.undecided]
        self._count(request, sent)
        errand.attempts += 1
        reading = self._read(request, sent)
        self.tally.created_fields |= reading.created
        self.tally.filtered_fields |= reading.filtered
        self._notes |= reading.notes
        errand.in_doubt |= reading.then == "again"
        if reading.then in ("wait", "again") and self._may_try_again(errand, reading):
            if withheld:
                self._finished.append(Finished(Request([], id=""), "done", withheld))
                self._packer.settled(taken)
            self.tally.retries += 1
            # after a 429 the ledger holds everybody back, this one too
            self._submit(threads, errand, 0.0 if reading.then == "wait" else self._backoff(errand.attempts))
            return
        attempts, over = errand.attempts, True
        if reading.then in ("wait", "again", "stop", "close"):
            state, outcomes = self._given_up(errand, reading)
        else:
            if reading.then == "smaller":
                # R10: what was too much once is too much for the rest of the run
                self._packer.most_bytes = min(self._packer.most_bytes, max(1, len(request.body) // 2))
            outcomes = errand.go_on(reading, self._packer.most_bytes)
            self._merge_instead(errand, request, outcomes)
            over = errand.finished
            state = "done" if over else "split"
            if errand.is_hopeless and not over:
                self._stop("refused_all", f"{request.endpoint.path}: Iterable takes none of these: {reading.message}")
            elif not over:
                self._ready.appendleft(errand)
        self._note(request, state, {**withheld, **outcomes}, reading, sent, attempts)
        self._packer.settled(each for each in before if over or each.number in outcomes or each.number in withheld)

    def _note_replaced(self, replaced: Mapping[int, Replaced]) -> None:
        if replaced:
            self._notes |= {number: each.note for number, each in replaced.items() if each.note}
            noted = {number: each.noted for number, each in replaced.items()}
            self._finished.append(Finished(Request([], id=""), "done", noted=noted))

    def _merge_instead(self, errand: Errand, request: Request, outcomes: dict[int, Outcome]) -> None:
        """I8, on_email_exists: merge. The profile of the old address becomes a part of the one that has the new one."""
        change = request.changes[0] if request.changes else None
        if change is None or change.endpoint.name != "email_change" or self._sync.on_email_exists != "merge":
            return
        if getattr(outcomes.get(change.number), "code", "") == "email_already_exists":
            del outcomes[change.number]
            errand.instead(merge_of(change))

    def _count(self, request: Request, sent: _Sent) -> None:
        if sent.sent_at is not None:
            self.tally.requests += 1
            self.tally.bytes += len(request.body)
        if sent.answer is not None and sent.answer.status == 429:
            self.tally.http_429 += 1
            self._slower.after_429(request.endpoint.method, request.path)

    def _read(self, request: Request, sent: _Sent) -> Reading:
        changes = request.changes
        if sent.answer is not None:
            return read_answer(request, sent.answer, self._sync.on_type_mismatch == "drop_field")
        if sent.refused:
            outcome = Outcome("rejected", "not_addressable", "no request of Iterable's can name this user")
            return Reading("done", {each.number: outcome for each in changes})
        if not changes:
            return Reading("done")
        if sent.not_today:
            return Reading("close", left=changes, code=DAILY_LIMIT, message=self._promised(request, sent.failure))
        # R12: it may have been applied, or not
        return Reading("again", left=changes, code="no_answer", message=sent.failure)

    def _promised(self, request: Request, used_up: str) -> str:
        """When what is left of this kind will have gone, at a thousand a day."""
        if not self.tally.promise:
            days = promised(self._clients(), request.endpoint, self._outbox.count_left(request.endpoint))
            self.tally.promise = told(days)
            self._log(f"{self._sync.name}: {used_up}: {self.tally.promise}")
        return f"{used_up}: {self.tally.promise}"

    def _may_try_again(self, errand: Errand, reading: Reading) -> bool:
        sure = reading.then == "wait"
        if not sure and errand.request.endpoint.repeat == "once":
            return False
        errand.waited += reading.retry_after or self._backoff(errand.attempts)
        # R17: what is no answer of Iterable's is asked for once more
        most = 2 if reading.code == "unreadable_answer" else self._pace.attempts
        return self.tally.stopped is None and errand.attempts < most and errand.waited <= self._pace.longest

    def _given_up(self, errand: Errand, reading: Reading) -> tuple[State, dict[int, Outcome]]:
        """What becomes of records that are not sent again now. The next run settles what stays `sending`."""
        path, code = errand.request.endpoint.path, reading.code
        # an earlier attempt of the same may have been applied, whatever the last one was answered
        state: State = "sending" if errand.in_doubt else "done"
        if reading.then == "stop":
            self._stop(code, f"{path}: {reading.message}")
            return state, {}
        if reading.then == "close":
            outcome = Outcome("deferred", code, reading.message)
            self._closed[errand.request.place] = outcome
            return state, {each.number: outcome for each in errand.undecided}
        if reading.then == "again" and errand.request.endpoint.repeat == "once":
            # whether it happened nobody knows, and it must not happen twice (R12)
            outcome = Outcome("unknown", code, "it may have happened, and must not happen twice")
            return "unknown", {each.number: outcome for each in errand.undecided}
        outcome = Outcome("deferred", code, reading.message or "Iterable was busy for too long")
        self._stop(code, f"{path}: {outcome.message}, {errand.attempts} times", gave_up=True)
        return state, {each.number: outcome for each in errand.undecided}

    def _note(
        self,
        request: Request,
        state: State,
        outcomes: dict[int, Outcome],
        reading: Reading,
        sent: _Sent,
        attempts: int,
    ) -> None:
        """Have it written down with the next transaction."""
        for number in self._notes.keys() & outcomes.keys():
            told = outcomes[number]
            outcomes[number] = replace(told, details=(*told.details, self._notes.pop(number)))
        status = sent.answer.status if sent.answer else None
        self._finished.append(Finished(request, state, outcomes, status, reading.code, attempts, sent.sent_at))

    def _stop(self, code: str, message: str, gave_up: bool = False) -> None:
        if self.tally.stopped is None:
            self.tally.stopped, self.tally.gave_up = (code, message), gave_up
            self._log(f"{self._sync.name}: stopped: {message}")
