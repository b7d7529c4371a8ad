"""Who goes first: hourly imports before settled ones before backfills before audits, and each in order of coming."""

import re
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from iterable_pipelines.api import LIMITS, Iterable, Ledger, Limit, Priority
from iterable_pipelines.api.ledger import next_turn
from iterable_pipelines_tests.api.conftest import BRISK, KEY, WINDOW
from iterable_pipelines_tests.api.test_ledger import RECORD, SCALED, SCOPE, bookings, waiter
from iterable_pipelines_tests.api.wire import serving, sized

# one call at a time, so that there is an order
SINGLE = replace(LIMITS["export"], calls=1, seconds=0.1)


def open_ledger(path: Path) -> Ledger:
    return Ledger(path, limits={"export": SINGLE})


@contextmanager
def held(path: Path) -> Iterator[Ledger]:
    """Nobody goes before the block ends, so that all who are to wait may come."""
    ledger = open_ledger(path)
    ledger.stop("export", SCOPE, 600)
    yield ledger
    with closing(sqlite3.connect(path, timeout=60)) as con, con:
        con.execute("delete from stops")


def queued(path: Path, work: Callable[[], object]) -> threading.Thread:
    """Work that waits for its turn; it is in the queue when this returns."""
    before = bookings(path)
    thread = threading.Thread(target=work)
    thread.start()
    while bookings(path) == before:
        time.sleep(0.01)
    return thread


def test_better_priorities_go_first_and_within_one_who_came_first(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    came = [(Priority.AUDIT, 1), (Priority.BACKFILL, 1), (Priority.HOURLY, 1), (Priority.BACKFILL, 2)]
    came += [(Priority.SETTLED, 1), (Priority.HOURLY, 2), (Priority.AUDIT, 2), (Priority.SETTLED, 2)]
    gone: list[tuple[Priority, int]] = []

    def call(priority: Priority, number: int) -> None:
        with open_ledger(path).turn("export", SCOPE, priority=priority):
            gone.append((priority, number))

    with held(path):
        threads = [queued(path, lambda each=each: call(*each)) for each in came]
    for thread in threads:
        thread.join()
    assert gone == sorted(came)


def test_an_hourly_client_passes_the_backfills_of_other_processes(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with serving(sized(RECORD)) as wire, ExitStack() as others:

        def export(data_type: str, priority: Priority) -> None:
            client = Iterable(KEY, wire.url, open_ledger(path), patience=BRISK, priority=priority)
            client.export_events(data_type, WINDOW, tmp_path / f"{data_type}.ndjson")

        with held(path):
            audit = queued(path, lambda: export("emailOpen", Priority.AUDIT))
            backfills = [others.enter_context(waiter(path, Priority.BACKFILL, SINGLE)) for _ in range(2)]
            hourly = queued(path, lambda: export("emailClick", Priority.HOURLY))
        backfilled = [float(process.communicate()[0]) for process in backfills]
        hourly.join()
        audit.join()
    imported, audited = wire.requests
    assert "emailClick" in imported.target and "emailOpen" in audited.target
    assert imported.at < backfilled[0] < backfilled[1] < audited.at


def test_whoever_is_killed_in_the_queue_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    said: list[str] = []
    with held(path) as ledger:
        with waiter(path, Priority.HOURLY, SINGLE) as process:
            process.send_signal(signal.SIGKILL)
            process.wait()
        backfill = queued(path, lambda: ledger.book("export", SCOPE, said.append, Priority.BACKFILL))
        # it seems to wait still, so that this call would have to
        assert "1 more urgent request goes first" in said[0]
        assert ledger.delay("export", SCOPE, Priority.HOURLY) < ledger.delay("export", SCOPE, Priority.BACKFILL)
    backfill.join()
    assert ledger.delay("export", SCOPE, Priority.AUDIT) <= SINGLE.seconds + SINGLE.margin


def test_a_wait_says_how_many_go_first_and_again_when_they_become_more(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    limits = {"export": replace(SINGLE, seconds=1)}
    said: list[str] = []

    def book(priority: Priority, log: Callable[[str], None] | None = None) -> None:
        Ledger(path, limits=limits).book("export", SCOPE, log, priority)

    with held(path):
        threads = [queued(path, lambda: book(Priority.AUDIT, said.append)), queued(path, lambda: book(Priority.AUDIT))]
        threads += [queued(path, lambda: book(Priority.HOURLY)) for _ in range(3)]
        while len(said) < 2:
            time.sleep(0.01)
    for thread in threads:
        thread.join()
    assert re.fullmatch(r"waiting \d+ s for Iterable's limit on export, 1 in 1 s", said[0])
    more = [re.search(r"1 in 1 s; (\d) more urgent requests? go(?:es)? first$", each) for each in said[1:]]
    assert more and all(more)


def test_a_ledger_of_an_earlier_version_opens_and_still_counts(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    now = time.time()
    with closing(sqlite3.connect(path)) as con, con:
        con.execute(
            'create table calls (id integer primary key, "limit" text not null, scope text not null, '
            "at real not null, booked_at real not null, sent integer not null default 0)"
        )
        con.executemany(
            'insert into calls ("limit", scope, at, booked_at, sent) values (?, ?, ?, ?, ?)',
            [("export", SCOPE, now, now, 1)] * 4 + [("export", SCOPE, now + 60, now, 0)],
        )
    for _ in range(2):
        ledger = Ledger(path)
    span = LIMITS["export"].seconds
    assert span - 10 < ledger.delay("export", SCOPE) <= span + LIMITS["export"].margin
    assert ledger.book("export", "another project", priority=Priority.AUDIT) < 5


LIMIT = st.builds(lambda calls, seconds: replace(SINGLE, calls=calls, seconds=seconds), st.integers(1, 5), st.just(8.0))
# binary fractions, so that sums are exact
PAUSES = st.lists(st.integers(0, 80).map(lambda eighths: eighths / 8), min_size=1, max_size=40)


@given(LIMIT, PAUSES)
def test_no_span_holds_more_calls_than_allowed_and_nobody_waits_for_nothing(limit: Limit, pauses: list[float]) -> None:
    gone: list[float] = []
    for pause in pauses:
        asked = (gone[-1] if gone else 0.0) + pause
        gone.append(next_turn(limit, gone, asked))
        apart = limit.seconds + limit.margin
        assert gone[-1] == asked or gone[-1] - gone[-1 - limit.calls] == apart
    assert all(later - earlier > limit.seconds for earlier, later in zip(gone, gone[limit.calls :], strict=False))


@given(LIMIT, PAUSES, st.integers(0, 12))
def test_letting_others_go_first_is_going_after_them(limit: Limit, pauses: list[float], ahead: int) -> None:
    gone: list[float] = []
    for pause in pauses:
        gone.append(next_turn(limit, gone, (gone[-1] if gone else 0.0) + pause))
    asked = gone[-1]
    expected = next_turn(limit, gone, asked, ahead)
    for _ in range(ahead + 1):
        gone.append(next_turn(limit, gone, asked))
    assert gone[-1] == expected


def test_margins_shrink_with_their_limits() -> None:
    assert LIMITS["export"].margin == 0.25
    assert all(0 < limit.margin <= limit.seconds / 20 for limit in [*LIMITS.values(), *SCALED.values()])
