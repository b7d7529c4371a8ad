"""One budget for all processes, kept by the server's own log, whatever happens to them (faults.md H04, H08)."""

import multiprocessing
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import FrameType

import pytest

from iterable_pipelines.api import LIMITS, Broken, Iterable, Ledger, Limit, Priority
from iterable_pipelines.api.limits import scope_of
from iterable_pipelines_tests.api.conftest import BRISK, KEY, WINDOW
from iterable_pipelines_tests.api.wire import serving, sized
from iterable_pipelines_tests.either_database import database_at

RECORD = b'{"email":"ann@example.com"}\n'
SPAN = 1.0
# the limit on exports, sixty times as fast
SCALED = {**LIMITS, "export": replace(LIMITS["export"], seconds=SPAN)}
SCOPE = scope_of(LIMITS["export"], KEY)


def most_in_a_span(times: list[float], span: float = SPAN) -> int:
    """The largest number of moments in any half-open span."""
    return max(sum(start <= each < start + span for each in times) for start in times)


def export_often(url: str, folder: Path, place: str, often: int) -> None:
    """What each of the processes does: real exports through the real client."""
    client = Iterable(KEY, url, Ledger(database_at(place, "ledger"), limits=SCALED), patience=BRISK)
    for _ in range(often):
        client.export_events("emailOpen", WINDOW, folder / f"{os.getpid()}.ndjson")


def test_four_processes_keep_one_limit_at_the_server_s_log(tmp_path: Path, place: str) -> None:
    context = multiprocessing.get_context("spawn")
    with serving(sized(RECORD)) as wire:
        processes = [context.Process(target=export_often, args=(wire.url, tmp_path, place, 4)) for _ in range(4)]
        for process in processes:
            process.start()
        for process in processes:
            process.join(120)
    assert [process.exitcode for process in processes] == [0] * 4
    assert len(wire.requests) == 16
    assert most_in_a_span([each.at for each in wire.requests]) == 4


def test_calls_at_odd_moments_keep_every_sliding_window(place: str) -> None:
    gone: list[float] = []
    odd = random.Random(7)
    pauses = [[odd.random() * 0.4 for _ in range(4)] for _ in range(5)]

    def call(mine: list[float]) -> None:
        ledger = Ledger(database_at(place, "ledger"), limits=SCALED)
        for pause in mine:
            time.sleep(pause)
            with ledger.turn("export", SCOPE):
                gone.append(time.time())

    threads = [threading.Thread(target=call, args=(mine,)) for mine in pauses]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(gone) == 20
    assert most_in_a_span(gone) == 4


def test_a_call_counts_from_when_the_server_has_seen_it(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db", limits=SCALED)
    for _ in range(3):
        ledger.book("export", SCOPE)
    time.sleep(0.5)
    with ledger.turn("export", SCOPE):
        time.sleep(0.5)
    ended = time.time()
    for _ in range(4):
        ledger.book("export", SCOPE)
    assert time.time() - ended >= SPAN


def test_the_budget_is_free_until_it_is_used(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    assert ledger.delay("export", SCOPE) == 0
    said: list[str] = []
    for _ in range(4):
        assert ledger.book("export", SCOPE, said.append) < 5
    assert said == []
    assert 50 < ledger.delay("export", SCOPE) <= 60.25
    assert ledger.delay("export", "another project") == 0
    assert ledger.delay("list users", SCOPE) == 0


def test_a_wait_is_said_once_with_its_reason(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db", limits={"export": replace(LIMITS["export"], calls=1, seconds=1.4)})
    said: list[str] = []
    ledger.book("export", SCOPE, said.append)
    assert ledger.book("export", SCOPE, said.append) > 1
    assert said == ["waiting 1 s for Iterable's limit on export, 1 in 1 s"]


def test_a_stop_holds_everybody_back_those_in_the_queue_too(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db", limits=SCALED)
    for _ in range(4):
        ledger.book("export", SCOPE)
    gone: list[float] = []

    def wait() -> None:
        Ledger(tmp_path / "ledger.db", limits=SCALED).book("export", SCOPE)
        gone.append(time.time())

    waiting = [threading.Thread(target=wait) for _ in range(6)]
    for thread in waiting:
        thread.start()
    time.sleep(0.3)
    until = time.time() + 2
    ledger.stop("export", SCOPE, 2)
    # a later, shorter stop takes nothing back
    ledger.stop("export", SCOPE, 0.1)
    assert ledger.delay("export", SCOPE) > 2
    for thread in waiting:
        thread.join()
    assert min(gone) >= until - 0.01
    assert most_in_a_span(gone) == 4


def test_nobody_is_held_back_for_longer_than_ten_minutes(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    ledger.stop("export", SCOPE, 999_999_999)
    assert 590 < ledger.delay("export", SCOPE) <= 600
    ledger.stop("list users", SCOPE, -5)
    assert ledger.delay("list users", SCOPE) == 0


WAITER = """
import sys, time
from dataclasses import replace
from pathlib import Path
from iterable_pipelines.api import LIMITS, Ledger, Priority
path, scope, calls, seconds, priority = sys.argv[1:]
limit = replace(LIMITS["export"], calls=int(calls), seconds=float(seconds))
ledger = Ledger(Path(path), limits={"export": limit})
print("ready", flush=True)
with ledger.turn("export", scope, priority=Priority(int(priority))):
    print(time.time(), flush=True)
"""


@contextmanager
def waiter(
    ledger: Path, priority: Priority = Priority.HOURLY, limit: Limit = SCALED["export"]
) -> Iterator[subprocess.Popen[str]]:
    """Another process that waits for its turn; it is in the queue when the block begins."""
    before = bookings(ledger)
    told = [str(ledger), SCOPE, str(limit.calls), str(limit.seconds), str(int(priority))]
    with subprocess.Popen([sys.executable, "-c", WAITER, *told], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        while bookings(ledger) == before:
            time.sleep(0.01)
        try:
            yield process
        finally:
            process.kill()


def bookings(ledger: Path) -> int:
    """How many calls were ever booked and kept."""
    with sqlite3.connect(ledger, timeout=60) as con:
        return int(con.execute("select coalesce(max(id), 0) from calls").fetchone()[0])


def fill(path: Path, ahead: float) -> Ledger:
    """A ledger whose budget is used up, and free again `ahead` seconds from now."""
    ledger = Ledger(path, limits=SCALED)
    for _ in range(4):
        ledger.book("export", SCOPE)
    ledger.stop("export", SCOPE, ahead)
    return ledger


def test_a_process_killed_in_the_queue_holds_nobody_up(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    ledger = fill(path, 5)
    with waiter(path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
    # of four places its booking takes one; the queue is as long as it would be had it gone
    assert ledger.delay("export", SCOPE) <= 5
    for _ in range(3):
        ledger.book("export", SCOPE)
    assert ledger.delay("export", SCOPE) <= SPAN + 0.25


def test_a_process_that_was_suspended_past_its_turn_does_not_crowd_in(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    ledger = fill(path, 3)
    with waiter(path) as process:
        process.send_signal(signal.SIGSTOP)
        time.sleep(ledger.delay("export", SCOPE) + SPAN + 0.3)
        gone = []
        for _ in range(4):
            ledger.book("export", SCOPE)
            gone.append(time.time())
        process.send_signal(signal.SIGCONT)
        assert process.stdout is not None
        gone.append(float(process.stdout.readline()))
    assert most_in_a_span(gone) == 4


def test_who_leaves_the_queue_gives_the_place_back(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    for _ in range(4):
        ledger.book("export", SCOPE)

    def leave(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, leave)
    try:
        for _ in range(3):
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            with pytest.raises(KeyboardInterrupt):
                ledger.book("export", SCOPE)
    finally:
        signal.signal(signal.SIGALRM, before)
    with sqlite3.connect(tmp_path / "ledger.db") as con:
        assert con.execute("select count(*) from calls").fetchone() == (4,)


def test_a_clock_set_back_does_not_make_everybody_wait_for_it(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    for _ in range(4):
        ledger.book("export", SCOPE)
    with sqlite3.connect(tmp_path / "ledger.db") as con:
        con.execute("update calls set at = at + 7200, booked_at = booked_at + 7200")
    assert ledger.delay("export", SCOPE) <= 61


def test_old_calls_are_swept_away(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    for _ in range(4):
        ledger.book("export", SCOPE)
    with sqlite3.connect(tmp_path / "ledger.db") as con:
        con.execute("update calls set at = at - 7200, booked_at = booked_at - 7200")
    ledger.book("export", SCOPE)
    with sqlite3.connect(tmp_path / "ledger.db") as con:
        assert con.execute("select count(*) from calls").fetchone() == (1,)


def test_who_is_first_in_the_queue_goes_first(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    fill(path, 1)
    order: list[int] = []

    def wait(number: int) -> None:
        Ledger(path, limits={"export": replace(SCALED["export"], calls=1, seconds=0.2)}).book("export", SCOPE)
        order.append(number)

    threads = [threading.Thread(target=wait, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
        time.sleep(0.1)
    for thread in threads:
        thread.join()
    assert all(earlier < later for earlier, later in pairwise(order))


def test_relaxed_counts_on_this_machine_only(tmp_path: Path) -> None:
    limits = {**LIMITS, "export": replace(LIMITS["export"], seconds=1.2)}
    ledger = Ledger(tmp_path / "ledger.db", relaxed=True, limits=limits)
    said: list[str] = []
    with serving(sized(RECORD)) as wire:
        here = Iterable(KEY, wire.url, ledger, log=said.append, patience=BRISK)
        for _ in range(9):
            here.export_events("emailOpen", WINDOW, tmp_path / "events.ndjson")
    assert said == []
    away = Iterable(KEY.upper(), "https://api.iterable.invalid", ledger, log=said.append, patience=BRISK)
    begun = time.monotonic()
    for _ in range(5):
        with pytest.raises(Broken):
            away.export_events("emailOpen", WINDOW, tmp_path / "events.ndjson")
    assert time.monotonic() - begun >= 1.2


def test_every_attempt_is_booked(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    with serving(sized(b"", 503), sized(b"", 503), sized(RECORD)) as wire:
        client = Iterable(KEY, wire.url, ledger, patience=replace(BRISK, attempts=3))
        client.export_events("emailOpen", WINDOW, tmp_path / "events.ndjson")
        assert ledger.delay("export", SCOPE) == 0
        client.export_events("emailOpen", WINDOW, tmp_path / "events.ndjson")
    assert ledger.delay("export", SCOPE) > 30
