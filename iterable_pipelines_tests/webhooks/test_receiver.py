"""What is taken, what is refused, and what is told of it."""

import json
import random
import signal
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from iterable_pipelines_tests.webhooks.receiving import (
    TOKEN,
    Running,
    answer,
    event,
    head,
    receiving,
    running_receiver,
    until,
)


def test_a_webhook_is_in_the_spool_as_it_came_once_it_is_answered(receiver: Running) -> None:
    assert receiver.post(event()).status == 200
    assert [(each.raw, each.aside) for each in receiver.spool.queued(10)] == [(event(), None)]
    assert stat.S_IMODE(receiver.spool.path.stat().st_mode) == 0o600


def test_both_paths_are_the_same(receiver: Running) -> None:
    assert [receiver.post(event(n), path).status for n, path in enumerate(("/", "/webhooks"))] == [200, 200]
    assert receiver.spool.level().queued == 2


def test_a_body_replayed_a_thousand_times_is_one(receiver: Running) -> None:
    said = json.loads(event(1, nested={"b": [1, {"y": 2, "x": 3}], "a": None}))
    chance = random.Random(7)

    def shuffled(value: object) -> object:
        if isinstance(value, dict):
            items = list(value.items())
            chance.shuffle(items)
            return {key: shuffled(each) for key, each in items}
        return [shuffled(each) for each in value] if isinstance(value, list) else value

    with receiver.connection() as connection:
        for turn in range(1000):
            body = json.dumps(shuffled(said), indent=turn % 3 or None, ensure_ascii=turn % 2 == 0).encode()
            headers = {"Authorization": f"Bearer {TOKEN}", "X_Turn": str(turn), "Content_Length": str(len(body))}
            connection.sendall(head("POST", f"/webhooks?turn={turn}", **headers) + body)
            assert answer(connection).status == 200
    assert receiver.spool.level().queued == 1
    told = receiver.metrics()
    assert told["iterable_webhooks_received_total"] == 1000
    assert told["iterable_webhooks_replayed_total"] == 999


def test_two_receivers_share_a_spool(tmp_path: Path) -> None:
    with running_receiver(tmp_path) as one, running_receiver(tmp_path) as other, ThreadPoolExecutor(8) as senders:
        sent = [(receiver, event(number)) for number in range(100) for receiver in (one, other)]
        assert {each.status for each in senders.map(lambda each: each[0].post(each[1]), sent)} == {200}
        assert sorted(one.bodies()) == sorted(event(number) for number in range(100))
        replayed = [each.metrics()["iterable_webhooks_replayed_total"] for each in (one, other)]
    assert sum(replayed) == 100


GARBAGE = {
    b"": "not JSON",
    b"not json": "not JSON",
    b"17": "not a JSON object",
    b'["emailOpen"]': "not a JSON object",
    b"null": "not a JSON object",
    b'{"eventName": "\xff\xfe"}': "not UTF-8",
    b'{"eventName": "a", "eventName": "b"}': "a key that stands twice",
    b'{"eventName": NaN}': "NaN is not JSON",
    b'{"eventName": "\\ud800"}': "a lone surrogate",
    b"[" * 100_000: "nested too deep",
    b'{"eventName": "emailOpen"': "not JSON",
    b"\x1f\x8b\x08\x00": "not UTF-8",
    b"\x00": "not JSON",
}


@pytest.mark.parametrize("body", GARBAGE, ids=lambda body: repr(body[:20]))
def test_garbage_of_somebody_authenticated_is_kept_as_it_came(receiver: Running, body: bytes) -> None:
    assert receiver.post(body).status == 200
    (kept,) = receiver.spool.set_aside()
    assert kept.raw == body
    assert kept.aside is not None and kept.aside.startswith(GARBAGE[body])
    assert receiver.post(body, Authorization="somebody-elses-token").status == 401
    assert receiver.metrics()["iterable_webhooks_unreadable_total"] == 1


def test_an_event_of_no_known_name_is_taken(receiver: Running) -> None:
    assert receiver.post(b'{"eventName": "somethingNew", "userId": "1"}').status == 200
    assert receiver.spool.level().queued == 1


@pytest.mark.parametrize(
    "query",
    ["campaignName=%00..%2f..%2fetc", "x='; drop table bodies; --", "?&&==", "campaignName={{7*7}}", "a=%ff%fe%zz"],
)
def test_the_query_is_no_data(receiver: Running, query: str) -> None:
    assert receiver.post(event(), f"/webhooks?{query.replace(' ', '%20')}").status == 200
    assert receiver.bodies() == [event()]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/webhooks", 405),
        ("PUT", "/", 405),
        ("DELETE", "/webhooks", 405),
        ("POST", "/health", 405),
        ("POST", "/webhooks/", 404),
        ("POST", "/webhooks/../etc/passwd", 404),
        ("POST", "/%2e%2e/%2e%2e/etc/passwd", 404),
        ("POST", "//", 404),
        ("GET", "/.env", 404),
        ("OPTIONS", "/nothing", 404),
        ("BREW", "/webhooks", 400),
        ("CONNECT", "example.com:443", 400),
        ("POST", "/" + "a" * 9_000, 414),
        ("POST", "/?" + "a" * 100_000, 414),
    ],
)
def test_other_paths_and_verbs(receiver: Running, method: str, path: str, status: int) -> None:
    refused = receiver.ask(head(method, path, Authorization=TOKEN, Content_Length="0"))
    assert refused.status == status
    assert b"Traceback" not in refused.body
    assert receiver.bodies() == []
    assert receiver.metrics()[f'iterable_webhooks_refused_total{{status="{status}"}}'] == 1


def test_five_hundred_headers_are_too_many(receiver: Running) -> None:
    assert receiver.post(event(), **{f"X{number}": "1" for number in range(500)}).status == 431


def test_the_server_does_not_say_what_it_is(receiver: Running) -> None:
    for each in (receiver.post(event()), receiver.get("/health"), receiver.get("/nothing")):
        assert "server" not in each.headers


def test_health_tells_of_the_spool_and_of_nobody(receiver: Running) -> None:
    receiver.post(event(1))
    receiver.post(b"garbage of person2@example.com")
    healthy = receiver.get("/health")
    told = json.loads(healthy.body)
    assert healthy.status == 200
    assert (told["status"], told["error"]) == ("ok", None)
    assert (told["spool"]["queued"], told["spool"]["aside"]) == (1, 1)
    assert told["spool"]["bytes"] > 0 and told["spool"]["oldest_seconds"] >= 0
    assert b"example.com" not in healthy.body + receiver.get("/metrics").body


def test_the_metrics_tell_of_the_spool_and_of_commits(receiver: Running) -> None:
    for number in range(3):
        receiver.post(event(number))
    told = receiver.metrics()
    assert told["iterable_webhooks_spool_queued"] == 3
    assert told["iterable_webhooks_spool_aside"] == 0
    assert told["iterable_webhooks_spool_writable"] == 1
    assert told["iterable_webhooks_commit_bodies_sum"] == 3
    assert told["iterable_webhooks_commit_seconds_count"] == 3


def test_a_stop_answers_what_is_under_way(tmp_path: Path) -> None:
    with receiving(tmp_path) as (receiver, process):
        with receiver.connection() as connection:
            length = str(len(event()))
            connection.sendall(head("POST", "/", Authorization=TOKEN, Content_Length=length, Expect="100-continue"))
            assert answer(connection).status == 100
            process.send_signal(signal.SIGTERM)
            # it listens no more, and still waits for the rest of what had begun
            until(lambda: not _listens(receiver))
            connection.sendall(event())
            answered = answer(connection)
        out, err = process.communicate()
    assert (answered.status, answered.headers["connection"]) == (200, "close")
    assert (process.returncode, err) == (0, "")
    assert "1 webhooks wait in the spool" in out
    assert TOKEN not in out


def _listens(receiver: Running) -> bool:
    try:
        receiver.connection().close()
    except OSError:
        return False
    return True
