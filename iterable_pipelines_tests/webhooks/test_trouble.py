"""The spool cannot be written: nothing is acknowledged, somebody is told, and it mends itself."""

import json
import logging
import resource
import sqlite3
from pathlib import Path

import pytest

from iterable_pipelines.webhooks import spool
from iterable_pipelines_tests.webhooks.receiving import TOKEN, Running, event, head, receiving, running_receiver, until


def healthy(receiver: Running) -> bool:
    return receiver.get("/health").status == 200


def told(receiver: Running) -> tuple[str, object, str | None]:
    """What its health tells: the status, the level of the spool, why."""
    said = json.loads(receiver.get("/health").body)
    return said["status"], said["spool"], said["error"] and said["error"]["why"]


def taken(receiver: Running, first: int, most: int = 100_000) -> tuple[int, int]:
    """Send webhooks until one is refused; how many were taken, and the status of the last."""
    for number in range(first, first + most):
        status = receiver.post(event(number, filling="x" * 10_000)).status
        if status != 200:
            return number - first, status
    return most, 200


def test_at_its_bound_it_refuses_until_something_is_taken_away(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with running_receiver(tmp_path, most_bytes=500_000) as receiver:
        count, status = taken(receiver, 0)
        assert (status, count > 10) == (503, True)
        refused = receiver.post(event(0, filling="more"))
        assert (refused.status, int(refused.headers["retry-after"]) > 0) == (503, True)
        assert receiver.spool.level().queued == count
        told = receiver.get("/health")
        assert (told.status, json.loads(told.body)["status"]) == (503, "refusing")
        assert "500,000 is its bound" in json.loads(told.body)["error"]["why"]
        assert receiver.metrics()["iterable_webhooks_spool_writable"] == 0
        receiver.spool.remove([each.id for each in receiver.spool.queued(count)])
        # no webhook has to come for that
        until(lambda: healthy(receiver))
        assert receiver.post(event()).status == 200
    alarms = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert len(alarms) == 1
    assert "refused with 503" in alarms[0].getMessage()
    assert "example.com" not in caplog.text and TOKEN not in caplog.text
    assert "takes webhooks again" in caplog.text


def test_a_disk_that_is_nearly_full_is_left_to_those_who_take_away(
    receiver: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert receiver.post(event(0)).status == 200
    with monkeypatch.context() as patch:
        patch.setattr(spool, "SPARE_BYTES", 2**62)
        assert receiver.post(event(1)).status == 503
        assert "bytes left" in json.loads(receiver.get("/health").body)["error"]["why"]
        receiver.spool.remove([each.id for each in receiver.spool.queued(1)])
    until(lambda: healthy(receiver))
    assert receiver.post(event(2)).status == 200
    assert receiver.bodies() == [event(2)]


def test_a_disk_that_takes_no_more_is_no_2xx_and_mends_itself(tmp_path: Path) -> None:
    with receiving(tmp_path) as (receiver, process):
        # no file of it may grow beyond this: the kernel refuses the write, as on a full disk
        unlimited = resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
        count, status = taken(receiver, 0)
        assert (status, count > 10) == (503, True)
        until(lambda: not healthy(receiver))
        assert len(receiver.bodies()) == count
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, unlimited)
        until(lambda: healthy(receiver))
        assert taken(receiver, count, 50) == (50, 200)
        assert len(receiver.bodies()) == count + 50
        process.terminate()
        _, err = process.communicate()
    assert process.returncode == 0
    assert "What was answered with 200 is safe" in err and "takes webhooks again" in err
    assert "Traceback" not in err and "example.com" not in err and TOKEN not in err


def test_a_spool_that_somebody_holds_is_waited_for(receiver: Running) -> None:
    receiver.post(event(0))
    held = sqlite3.connect(receiver.spool.path, isolation_level=None, check_same_thread=False)
    held.execute("begin immediate")
    with receiver.connection() as connection:
        connection.sendall(head("POST", "/", Authorization=TOKEN, Content_Length=str(len(event(1)))) + event(1))
        # what only reads is not in the way
        assert receiver.spool.level().queued == 1
        held.execute("rollback")
        held.close()
        assert connection.recv(12) == b"HTTP/1.1 200"
    assert receiver.bodies() == [event(0), event(1)]


def test_a_spool_that_was_removed_swallows_nothing(receiver: Running) -> None:
    assert receiver.post(event(0)).status == 200
    for file in receiver.spool.path.parent.glob("spool.db*"):
        file.unlink()
    until(lambda: receiver.post(event(1)).status == 200)
    assert receiver.bodies() == [event(1)]


def test_a_spool_that_is_broken_is_told_and_nothing_is_acknowledged(
    receiver: Running, caplog: pytest.LogCaptureFixture
) -> None:
    assert receiver.post(event(0)).status == 200
    broken = receiver.spool.path.with_name("broken")
    broken.write_bytes(b"x" * 100_000)
    broken.replace(receiver.spool.path)
    assert receiver.post(event(1)).status == 503
    assert receiver.get("/metrics").status == 200
    until(lambda: told(receiver) == ("refusing", None, "file is not a database"))
    assert "Traceback" not in caplog.text
    for file in receiver.spool.path.parent.glob("spool.db*"):
        file.unlink(missing_ok=True)
    until(lambda: healthy(receiver))
    assert receiver.post(event(2)).status == 200
    assert receiver.bodies() == [event(2)]


def test_health_shows_no_path_to_those_outside(receiver: Running) -> None:
    for file in receiver.spool.path.parent.glob("spool.db*"):
        file.unlink()
    receiver.spool.path.mkdir()
    assert receiver.post(event(0)).status == 503
    told = receiver.get("/health")
    assert told.status == 503 and json.loads(told.body)["error"]["why"]
    assert b"/" not in told.body
    receiver.spool.path.rmdir()
    until(lambda: healthy(receiver))
