"""Thousands of requests that should not be there: nothing gets in, and the receiver grows no fatter."""

import gzip
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from iterable_pipelines_tests.webhooks.receiving import (
    TOKEN,
    Answer,
    Running,
    answer,
    event,
    head,
    receiving,
    suppress_reset,
)

MEGABYTE = 1024**2
GROWTH = 30 * MEGABYTE


@pytest.fixture
def process(tmp_path: Path) -> Iterator[tuple[Running, subprocess.Popen[str]]]:
    with receiving(tmp_path) as (receiver, process):
        # what the first requests import and allocate is no growth
        for number in range(200):
            assert receiver.post(event(number)).status == 200
            assert receiver.post(b"x" * MEGABYTE, Content_Encoding="gzip").status in (415, 0)
        receiver.spool.remove([each.id for each in receiver.spool.queued(200)])
        yield receiver, process
        process.terminate()
        out, err = process.communicate()
    assert process.returncode == 0
    # a flood of wrong tokens is told of, and does not fill the disk
    assert len(err.splitlines()) < 30 and all("refused (401)" in line for line in err.splitlines())
    assert TOKEN[:-1] not in out + err and "example.com" not in out + err


def resident(process: subprocess.Popen[str]) -> int:
    return int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def oversize(receiver: Running, chunked: bool) -> Answer:
    how = {"Transfer_Encoding": "chunked"} if chunked else {"Content_Length": str(8 * MEGABYTE)}
    piece = b"10000\r\n" + b"x" * 65536 + b"\r\n" if chunked else b"x" * 65536
    with receiver.connection() as connection, suppress_reset():
        connection.sendall(head("POST", "/", Authorization=TOKEN, **how))
        with suppress_reset():
            for _ in range(20):
                connection.sendall(piece)
        return answer(connection)
    return Answer(0, {}, b"")


def test_nothing_gets_in_and_memory_stays_flat(process: tuple[Running, subprocess.Popen[str]]) -> None:
    receiver, running = process
    before = resident(running)
    wrong = TOKEN[:-1] + "X"
    statuses = {receiver.post(event(turn), Authorization=f"Bearer {wrong}").status for turn in range(10_000)}
    assert statuses == {401}
    # a reset instead of an answer, where the rest of the body had nobody to read it
    assert {oversize(receiver, chunked=turn % 2 == 0).status for turn in range(1000)} <= {413, 0}
    bomb = gzip.compress(bytes(200 * MEGABYTE), compresslevel=1)
    assert len(bomb) < MEGABYTE
    for _ in range(20):
        assert receiver.post(bomb, Content_Encoding="gzip").status in (415, 0)
    assert receiver.bodies() == []
    # one that does not say what it is comes as it is, and is not opened
    assert receiver.post(bomb).status == 200
    assert receiver.bodies() == [bomb]
    assert resident(running) - before < GROWTH
    told = receiver.metrics()
    assert told['iterable_webhooks_refused_total{status="401"}'] == 10_000
    assert told['iterable_webhooks_refused_total{status="413"}'] == 1000
    # and it is as well as before
    assert receiver.post(event(1)).status == 200


def test_two_hundred_large_ones_at_once_are_not_all_held(
    process: tuple[Running, subprocess.Popen[str]],
) -> None:
    receiver, running = process
    before = resident(running)
    body = b"x" * (MEGABYTE - 1)
    held = []
    for _ in range(200):
        connection = receiver.connection()
        with suppress_reset():
            connection.sendall(head("POST", "/", Authorization=TOKEN, Content_Length=str(MEGABYTE)) + body)
        held.append(connection)
    assert resident(running) - before < 100 * MEGABYTE
    for connection in held:
        connection.close()
    assert receiver.post(event(1)).status == 200
    assert receiver.bodies() == [event(1)]
