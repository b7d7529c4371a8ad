"""What has no end is cut off, and the others do not notice."""

import gzip
import logging
import socket
import threading
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iterable_pipelines.webhooks import protocol
from iterable_pipelines_tests.webhooks.receiving import (
    TOKEN,
    Running,
    answer,
    event,
    head,
    running_receiver,
    suppress_reset,
)

MEGABYTE = 1024**2


def chunk(size: int) -> bytes:
    return b"%x\r\n" % size + b"x" * size + b"\r\n"


def sent_until_closed(connection: socket.socket, piece: bytes, most: int = 64 * MEGABYTE) -> int:
    """Send the same again and again; how many bytes went out before the other side would have no more."""
    sent = 0
    with suppress_reset():
        while sent < most:
            connection.sendall(piece)
            sent += len(piece)
    return sent


def test_a_body_of_just_the_bound_is_taken(receiver: Running) -> None:
    body = event(1, note="").replace(b'"note": ""', b'"note": "%s"' % (b"x" * (MEGABYTE - len(event(1, note="")))))
    assert len(body) == MEGABYTE
    assert receiver.post(body).status == 200
    with receiver.connection() as connection:
        connection.sendall(head("POST", "/", Authorization=TOKEN, Transfer_Encoding="chunked"))
        connection.sendall(b"%x\r\n" % len(event(2)) + event(2) + b"\r\n0\r\n\r\n")
        assert answer(connection).status == 200
    assert receiver.bodies() == [body, event(2)]


def test_a_body_that_tells_that_it_is_too_large_is_not_asked_for(receiver: Running) -> None:
    with receiver.connection() as connection:
        connection.sendall(
            head("POST", "/", Authorization=TOKEN, Content_Length=str(MEGABYTE + 1), Expect="100-continue")
        )
        refused = answer(connection)
        assert (refused.status, refused.headers["connection"]) == (413, "close")
        assert connection.recv(1) == b""


def test_chunks_without_end_are_cut_off_at_the_bound(receiver: Running) -> None:
    with receiver.connection() as connection:
        connection.sendall(head("POST", "/", Authorization=TOKEN, Transfer_Encoding="chunked"))
        assert sent_until_closed(connection, chunk(65536)) < 32 * MEGABYTE
        # the answer, or a reset where what it had not read yet was thrown away
        assert answer(connection).status in (413, 0)
    assert receiver.metrics()['iterable_webhooks_refused_total{status="413"}'] == 1
    assert receiver.bodies() == []


def test_a_bit_more_than_the_bound_in_chunks_is_answered(receiver: Running) -> None:
    with receiver.connection() as connection:
        connection.sendall(head("POST", "/", Authorization=TOKEN, Transfer_Encoding="chunked"))
        connection.sendall(chunk(MEGABYTE) + chunk(1))
        assert answer(connection).status == 413


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "gzip, identity", "x"])
def test_a_compressed_body_is_refused(receiver: Running, encoding: str) -> None:
    bomb = gzip.compress(b" " * 100 * MEGABYTE, compresslevel=1)
    assert receiver.post(bomb, Content_Encoding=encoding).status == 415
    assert receiver.post(event(), Content_Encoding="Identity").status == 200
    assert receiver.bodies() == [event()]


def test_a_slow_upload_is_cut_off_while_others_are_served(tmp_path: Path) -> None:
    with running_receiver(tmp_path, body_seconds=1.0) as receiver, receiver.connection() as slow:
        slow.sendall(head("POST", "/", Authorization=TOKEN, Content_Length="1000"))
        stop = threading.Event()

        def drip() -> None:
            with suppress_reset():
                while not stop.wait(0.01):
                    slow.sendall(b" ")

        dripping = threading.Thread(target=drip)
        dripping.start()
        assert [receiver.post(event(number)).status for number in range(20)] == [200] * 20
        refused = answer(slow)
        stop.set()
        dripping.join()
        assert (refused.status, refused.headers["connection"]) == (408, "close")
        assert receiver.spool.level().queued == 20


def test_two_hundred_who_drip_do_not_keep_others_out(receiver: Running) -> None:
    slow = [receiver.connection() for _ in range(200)]
    for connection in slow:
        connection.sendall(head("POST", "/", Authorization=TOKEN, Content_Length="1000"))
    for connection in slow:
        connection.sendall(b"{")
    assert receiver.post(event()).status == 200
    for connection in slow:
        connection.close()
    assert receiver.bodies() == [event()]


@pytest.mark.parametrize("started", [b"", b"POST / HT", b"POST / HTTP/1.1\r\nHost: a\r\nX: ", b"\r\n\r\n"])
def test_a_head_that_does_not_come_is_not_waited_for(
    tmp_path: Path, started: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "_HEAD_SECONDS", 0.3)
    with running_receiver(tmp_path) as receiver:
        with receiver.connection() as fresh:
            fresh.sendall(started)
            assert answer(fresh).status == 408
        with receiver.connection() as used:
            used.sendall(head("GET", "/health"))
            assert answer(used).status == 200
            used.sendall(started or b"P")
            assert answer(used).status == 408


@pytest.mark.parametrize(
    ("start", "piece", "status"),
    [
        (b"POST / HTTP/1.1\r\n", b"X-More: 1\r\n" * 1000, 431),
        (b"POST / HTTP/1.1\r\nX: ", b"x" * 10_000, 431),
        (b"POST /", b"x" * 10_000, 414),
        (
            head("POST", "/", Authorization=TOKEN, Transfer_Encoding="chunked") + b"0\r\n",
            b"X-More: 1\r\n" * 1000,
            431,
        ),
        (head("POST", "/", Authorization=TOKEN, Transfer_Encoding="chunked") + b"1;", b"x" * 10_000, 431),
    ],
    ids=["headers", "a header", "the URL", "trailers", "a chunk's extension"],
)
def test_what_stands_around_a_body_has_an_end_too(receiver: Running, start: bytes, piece: bytes, status: int) -> None:
    with receiver.connection() as connection:
        connection.sendall(start)
        assert sent_until_closed(connection, piece) < 32 * MEGABYTE
        assert answer(connection).status in (status, 0)
    assert receiver.metrics()[f'iterable_webhooks_refused_total{{status="{status}"}}'] == 1
    assert receiver.bodies() == []


def test_more_connections_than_the_bound_are_told_to_come_again(
    receiver: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "CONNECTIONS", 3)
    held = [receiver.connection() for _ in range(3)]
    with receiver.connection() as connection:
        refused = answer(connection)
        assert (refused.status, refused.headers["connection"]) == (503, "close")
        assert int(refused.headers["retry-after"]) > 0
    for connection in held:
        connection.close()
    _until_taken(receiver)


def test_more_requests_than_the_bound_are_told_to_come_again(tmp_path: Path) -> None:
    with running_receiver(tmp_path, requests=3) as receiver:
        held = [receiver.connection() for _ in range(3)]
        for connection in held:
            connection.sendall(head("POST", "/", Authorization=TOKEN, Content_Length="10"))
        refused = _until_refused(receiver)
        assert int(refused.headers["retry-after"]) > 0
        assert receiver.get("/health").status == 200
        for connection in held:
            connection.close()
        _until_taken(receiver)


def test_more_bytes_than_the_bound_are_told_to_come_again(tmp_path: Path) -> None:
    with running_receiver(tmp_path, bytes=100_000) as receiver, receiver.connection() as holding:
        holding.sendall(head("POST", "/", Authorization=TOKEN, Content_Length="99990") + b" " * 99_980)
        refused = _until_refused(receiver)
        assert int(refused.headers["retry-after"]) > 0
        holding.sendall(b" " * 10)
        assert answer(holding).status == 200
        _until_taken(receiver)


def _until_refused(receiver: Running):  # type: ignore[no-untyped-def]
    while (refused := receiver.post(event(7))).status != 503:
        time.sleep(0.01)
    return refused


def _until_taken(receiver: Running) -> None:
    while receiver.post(event(8)).status != 200:
        time.sleep(0.01)
    assert event(8) in receiver.bodies()


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    with running_receiver(tmp_path_factory.mktemp("lasting")) as running:
        yield running


METHODS = st.sampled_from(["POST", "GET", "HEAD", "PUT", "OPTIONS", "CONNECT", "PRI", "post", "\x00", ""])
TARGETS = st.one_of(
    st.sampled_from(["/", "/webhooks", "/health", "/metrics", "*", "http://a/b", "a:1", "//", "/%", "/%ff", "/\xff"]),
    st.text(st.characters(max_codepoint=255), max_size=50),
)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(
            ["Authorization", "Content-Length", "Transfer-Encoding", "Connection", "Upgrade", "Expect", "Host", "X", ""]
        ),
        st.one_of(
            st.sampled_from(["-1", "0", "5", "99999999999999999999", "chunked", "websocket", "close", "100-continue"]),
            st.text(st.characters(max_codepoint=255), max_size=30),
        ),
    ),
    max_size=8,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(method=METHODS, target=TARGETS, headers=HEADERS, rest=st.binary(max_size=100), closes=st.booleans())
def test_no_request_upsets_it(
    lasting: Running,
    caplog: pytest.LogCaptureFixture,
    method: str,
    target: str,
    headers: list[tuple[str, str]],
    rest: bytes,
    closes: bool,
) -> None:
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    caplog.set_level(logging.WARNING)
    with lasting.connection() as connection:
        connection.sendall("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + rest)
        if closes:
            connection.close()
        else:
            # whoever waits for more is not told so
            connection.shutdown(socket.SHUT_WR)
            assert answer(connection).status in (0, 100, 200, 400, 401, 404, 405, 413, 414, 415, 431)
    assert lasting.get("/health").status == 200
    assert lasting.bodies() == []
    # that tokens are wrong is told, once a minute; nothing else is
    told = {each.getMessage() for each in caplog.records}
    assert all(each.startswith("requests are refused (401)") for each in told), told
