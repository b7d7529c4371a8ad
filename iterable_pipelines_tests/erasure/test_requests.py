"""The queue of whom Iterable is to forget: its pace, its promise, and what a crash or a lost answer leaves (R18)."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from iterable_pipelines import database
from iterable_pipelines.activation.promise import next_hour
from iterable_pipelines.api import LIMITS, Iterable, Ledger, Refused, ledger
from iterable_pipelines.api import client as client_module
from iterable_pipelines.api.ledger import forecast
from iterable_pipelines.erasure import requests as requests_module
from iterable_pipelines.erasure import send_requests as send_module
from iterable_pipelines.erasure.requests import Requests, whether_to_send
from iterable_pipelines.erasure.send_requests import promise, send_requests
from iterable_pipelines.erasure.tombstones import Tombstones, hash_of
from iterable_pipelines.sandbox import limits as sandbox_limits
from iterable_pipelines.sandbox.server import Sandbox
from iterable_pipelines.settings import Settings
from iterable_pipelines_tests.activation.conftest import QUICK, empty_project, quick_client

ANA, BO = ("email", "ana@ex.com"), ("email", "bo@ex.com")
FORGET = "/api/users/forget"
FEWER = LIMITS | {"forget in a day": replace(LIMITS["forget in a day"], calls=30)}
BEGUN = datetime(2026, 11, 22, 14, 15, tzinfo=UTC)


class Clock:
    """Stands still but for those who sleep."""

    def __init__(self) -> None:
        self.moment = BEGUN.timestamp()

    def time(self) -> float:
        return self.moment

    monotonic = time

    def sleep(self, seconds: float) -> None:
        self.moment += max(seconds, 0.001)

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.moment, UTC)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the ledger, the queue and the sandbox's limits."""
    made = Clock()
    for module in (database, ledger, client_module, sandbox_limits):
        monkeypatch.setattr(module, "time", made)
    for module in (requests_module, send_module):
        monkeypatch.setattr(module, "now", made.now)
    return made


@pytest.fixture
def project(tmp_path: Path) -> Iterator[tuple[Settings, Sandbox]]:
    with empty_project(tmp_path, "hybrid", pace=QUICK) as made:
        yield made


class Timed(Iterable):
    """Notes when writes went."""

    moments: list[float]

    def write(self, *asked: Any) -> Any:
        answer = super().write(*asked)
        self.moments.append(client_module.time.time())
        return answer


def timed(settings: Settings) -> Timed:
    client = Timed(settings.required_api_key(), settings.url, Ledger(settings.ledger_path, limits=FEWER))
    client.moments = []
    return client


def most_within(moments: list[float], seconds: float) -> int:
    return max(sum(start <= each < start + seconds for each in moments) for start in moments[::7])


def forgotten(sandbox: Sandbox) -> set[str]:
    return set(sandbox.world.snapshot_of_writes()["forgotten"])


def test_r18_2300_are_promised_for_three_days() -> None:
    limits = [(LIMITS[name], list[float]()) for name in ("forget", "forget in a day")]
    moments = forecast(limits, BEGUN.timestamp(), 2_300, next_hour)
    assert (most_within(moments, 1.0), most_within(moments, 86_400.0)) == (3, 1_000)
    days = Counter(datetime.fromtimestamp(each, UTC).day for each in moments)
    assert days == {22: 1_000, 23: 1_000, 24: 300}
    last = datetime.fromtimestamp(moments[-1], UTC) - BEGUN
    # whoever has to wait comes again at a full hour
    assert timedelta(days=2) < last < timedelta(days=2, hours=2)


def test_r18_a_queue_of_three_days_keeps_both_limits_and_its_promise(
    clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # thirty a day, here and there: the same three days in less time
    there = tuple(replace(each, calls=30) if "in a day" in each.name else each for each in sandbox_limits.LIMITS)
    monkeypatch.setattr(sandbox_limits, "LIMITS", there)
    with empty_project(tmp_path, "hybrid") as (settings, sandbox):
        queue, client = Requests(settings), timed(settings)
        assert queue.add("forget", [("email", f"user{nth}@ex.com") for nth in range(70)]) == 70
        promised = promise(settings, client)
        assert [each.number for each in promised] == [30, 30, 10]
        finished: dict[str, datetime] = {}
        for _ in range(60):
            if whether_to_send(queue):
                break
            # its ration is of days of its own clock
            sandbox.world.stop_clock(clock.now())
            began = clock.moment
            sent = send_requests(settings, client)
            if sent.forgotten:
                finished[f"{clock.now():%d}"] = clock.now()
            if sent.days:
                assert sent.days[-1].by <= promised[-1].by + timedelta(seconds=2)
            # nobody hangs: a run is over within minutes, and the next comes a quarter past
            assert clock.moment - began < 600
            clock.moment += -(clock.moment - 900) % 3600 or 3600
        assert len(client.moments) == len(forgotten(sandbox)) == 70
        assert (most_within(client.moments, 1.0), most_within(client.moments, 86_400.0)) == (3, 30)
        # the sandbox, which has the same limits and the same clock, had nothing to refuse
        assert {each.status for each in sandbox.requests(FORGET)} == {200}
        for when, day in zip(finished.values(), promised, strict=True):
            assert when <= day.by + timedelta(seconds=2)


def test_an_identifier_stays_until_iterable_has_acknowledged_it(project: tuple[Settings, Sandbox]) -> None:
    settings, sandbox = project
    queue = Requests(settings)
    queue.add("forget", [ANA])
    assert b"ana@ex.com" in bytes_of(queue.path)
    sent = send_requests(settings, quick_client(settings, print))
    assert (sent.forgotten, sent.refused, forgotten(sandbox)) == (1, 0, {"ana@ex.com"})
    assert b"ana@ex.com" not in bytes_of(queue.path)
    assert Tombstones(settings).hashes("email") == {hash_of("ana@ex.com")}
    assert queue.level().done == {"forget": 1}
    assert whether_to_send(queue) == "nobody waits to be forgotten"


def bytes_of(path: Path) -> bytes:
    """The file and what SQLite has beside it."""
    return b"".join(each.read_bytes() for each in path.parent.glob(f"{path.name}*"))


def test_who_may_be_written_again_has_no_tombstone_any_more(project: tuple[Settings, Sandbox]) -> None:
    settings, sandbox = project
    queue, client = Requests(settings), quick_client(settings, print)
    queue.add("forget", [ANA, BO])
    send_requests(settings, client)
    queue.add("unforget", [BO])
    # not before Iterable has said yes
    assert len(Tombstones(settings).hashes()) == 2
    assert send_requests(settings, client).unforgotten == 1
    assert forgotten(sandbox) == {"ana@ex.com"}
    assert Tombstones(settings).hashes() == {hash_of("ana@ex.com")}


def test_what_was_asked_for_last_is_what_is_sent(project: tuple[Settings, Sandbox]) -> None:
    settings, sandbox = project
    queue = Requests(settings)
    assert [queue.add("forget", [ANA]), queue.add("forget", [ANA]), queue.add("unforget", [ANA])] == [1, 0, 1]
    send_requests(settings, quick_client(settings, print))
    assert [each.path for each in sandbox.requests("/api/users/")] == ["/api/users/unforget"]


@pytest.mark.parametrize(("status", "code"), [(400, "error.users.noUserWithIdExists"), (404, "NotFound"), (200, "")])
def test_whom_iterable_does_not_know_is_forgotten_in_either_reading(
    project: tuple[Settings, Sandbox], status: int, code: str
) -> None:
    settings, sandbox = project
    if code:
        sandbox.fault("status", FORGET, times=1, status=status, body={"code": code, "msg": "No user exists"})
    Requests(settings).add("forget", [ANA])
    assert send_requests(settings, quick_client(settings, print)).forgotten == 1
    assert Tombstones(settings).hashes() == {hash_of("ana@ex.com")}


@pytest.mark.parametrize("applied", [True, False])
def test_a_lost_answer_is_settled_by_reading(
    project: tuple[Settings, Sandbox], monkeypatch: pytest.MonkeyPatch, applied: bool
) -> None:
    settings, sandbox = project
    queue, client = Requests(settings), quick_client(settings, print)
    queue.add("forget", [ANA])
    sandbox.fault("status", FORGET, times=1, status=500, body={"code": "GenericError"})
    assert "no answer" in send_requests(settings, client).stopped
    assert (queue.level().in_doubt, Tombstones(settings).hashes()) == (1, frozenset())
    if applied:
        sandbox.world.written.forgotten_emails["ana@ex.com"] = None
    else:
        # Iterable may show it within a minute: until then nobody knows
        assert send_requests(settings, client).forgotten == 0
        monkeypatch.setattr(send_module, "now", lambda: datetime.now(UTC) + timedelta(minutes=2))
    assert send_requests(settings, client).forgotten == 1
    assert len(sandbox.requests(FORGET)) == (1 if applied else 2)
    assert Tombstones(settings).hashes() == {hash_of("ana@ex.com")}


def test_one_that_never_gets_an_answer_stops_nobody_else(project: tuple[Settings, Sandbox]) -> None:
    settings, sandbox = project
    queue = Requests(settings)
    queue.add("forget", [ANA, BO])
    sandbox.fault("status", FORGET, times=1, status=503, body={})
    sent = send_requests(settings, quick_client(settings, print))
    assert (sent.forgotten, queue.level().in_doubt, forgotten(sandbox)) == (1, 1, {"bo@ex.com"})


def test_what_iterable_refuses_is_counted_and_tried_when_asked_for_again(project: tuple[Settings, Sandbox]) -> None:
    settings, sandbox = project
    queue, client = Requests(settings), quick_client(settings, print)
    queue.add("forget", [ANA])
    sandbox.fault("status", FORGET, times=1, status=400, body={"code": "BadParams", "msg": "no"})
    assert send_requests(settings, client).refused == 1
    assert (queue.level().refused, Tombstones(settings).hashes()) == ({"bad_params": 1}, frozenset())
    assert b"ana@ex.com" not in bytes_of(queue.path)
    assert queue.add("forget", [ANA]) == 1
    assert send_requests(settings, client).forgotten == 1
    assert queue.level().refused == {}


def test_others_who_used_up_the_day_end_the_run_at_once(project: tuple[Settings, Sandbox]) -> None:
    settings, sandbox = project
    queue = Requests(settings)
    queue.add("forget", [ANA, BO])
    sandbox.fault("status", FORGET, times=1, status=429, body={"code": "RateLimitExceeded"})
    sent = send_requests(settings, quick_client(settings, print))
    assert (sent.forgotten, "others use the same limit" in sent.stopped) == (0, True)
    assert queue.level().waiting == {"forget": 2}


def test_a_wrong_key_loses_nothing(project: tuple[Settings, Sandbox]) -> None:
    settings, sandbox = project
    Requests(settings).add("forget", [ANA])
    sandbox.fault("status", FORGET, times=1, status=401, body={"code": "BadApiKey", "msg": "Invalid API key"})
    with pytest.raises(Refused):
        send_requests(settings, quick_client(settings, print))
    assert Requests(settings).level().waiting == {"forget": 1}


@pytest.mark.parametrize("point", ["forget_sending", "forget_answered", "forget_tombstone"])
def test_a_killed_run_forgets_everybody_all_the_same(
    project: tuple[Settings, Sandbox], point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, sandbox = project
    queue = Requests(settings)
    queue.add("forget", [ANA, BO])
    program = (
        "from pathlib import Path\n"
        "from iterable_pipelines.settings import Settings\n"
        "from iterable_pipelines.erasure.send_requests import send_requests\n"
        "from iterable_pipelines_tests.activation.conftest import quick_client\n"
        f"made = Settings(api_key={sandbox.key!r}, base_url={sandbox.url!r}, "
        f"data_dir=Path({str(settings.data_dir)!r}))\n"
        "send_requests(made, quick_client(made, print))\n"
    )
    died = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "ITERABLE_CRASH_AT": point}, capture_output=True, text=True
    )
    assert f"crashpoint {point}" in died.stderr
    assert queue.level().in_doubt == 1
    monkeypatch.setattr(send_module, "now", lambda: datetime.now(UTC) + timedelta(minutes=2))
    send_requests(settings, quick_client(settings, print))
    assert forgotten(sandbox) == {"ana@ex.com", "bo@ex.com"}
    assert Tombstones(settings).hashes() == {hash_of("ana@ex.com"), hash_of("bo@ex.com")}
    assert queue.level().done == {"forget": 2}
    assert b"@ex.com" not in bytes_of(queue.path)
