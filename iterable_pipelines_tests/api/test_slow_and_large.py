"""Slow and endless answers are given up, by rules no trickle of bytes satisfies (faults.md M3, M5, H20, H38, H39)."""

import socket
import time
import tracemalloc
import zlib
from pathlib import Path

import pytest

from iterable_pipelines.api import Broken, Download, Iterable, TooLarge
from iterable_pipelines_tests.api.conftest import WINDOW, MakeClient
from iterable_pipelines_tests.api.wire import chunked, drip, head, hush, serving, sized, zipped

CHUNKED = head(Transfer_Encoding="chunked")
PIECE = b'5\r\n{"a":\r\n'
MIB = 2**20


def export(client: Iterable, tmp_path: Path) -> Download:
    """Export one hour."""
    return client.export_events("emailOpen", WINDOW, tmp_path / "events.ndjson")


def test_a_drip_ends_at_the_deadline(make_client: MakeClient, tmp_path: Path) -> None:
    with serving(drip(CHUNKED, PIECE, 0.05)) as wire, pytest.raises(Broken, match="not complete after"):
        export(make_client(wire.url, deadline=0.4), tmp_path)


def test_a_drip_with_a_length_ends_at_the_deadline(make_client: MakeClient, tmp_path: Path) -> None:
    start = head(Content_Length=1_000_000) + b"{"
    with serving(drip(start, b" ", 0.05)) as wire, pytest.raises(Broken, match="not complete after"):
        export(make_client(wire.url, deadline=0.4), tmp_path)


def test_a_drip_is_too_slow_long_before_the_deadline(make_client: MakeClient, tmp_path: Path) -> None:
    with serving(drip(CHUNKED, PIECE, 0.05)) as wire, pytest.raises(Broken, match="too slow"):
        export(make_client(wire.url, measured_over=0.4, minimum_bytes_per_second=10_000), tmp_path)


def test_a_fast_beginning_does_not_buy_a_slow_end(make_client: MakeClient, tmp_path: Path) -> None:
    beginning = CHUNKED + b"%x\r\n%s\r\n" % (MIB, b"{" + b" " * (MIB - 1))
    with serving(drip(beginning, PIECE, 0.05)) as wire, pytest.raises(Broken, match="too slow"):
        export(make_client(wire.url, measured_over=0.4, minimum_bytes_per_second=10_000), tmp_path)


def test_a_slow_answer_that_keeps_the_pace_is_taken(make_client: MakeClient, tmp_path: Path) -> None:
    def script(connection: socket.socket) -> None:
        connection.sendall(CHUNKED)
        for _ in range(8):
            connection.sendall(b"3\r\n{}\n\r\n")
            time.sleep(0.05)
        connection.sendall(b"0\r\n\r\n")

    with serving(script) as wire:
        download = export(make_client(wire.url, measured_over=0.15, minimum_bytes_per_second=1), tmp_path)
    assert download.path.read_bytes() == b"{}\n" * 8


def test_silence_inside_an_answer_is_cut_short(make_client: MakeClient, tmp_path: Path) -> None:
    silent = hush(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + PIECE)
    with serving(silent) as wire, pytest.raises(Broken, match="silence after 5 bytes"):
        export(make_client(wire.url, measured_over=0.3), tmp_path)


def test_silence_before_an_answer_is_cut_short(make_client: MakeClient, tmp_path: Path) -> None:
    with serving(hush(b"")) as wire, pytest.raises(Broken, match="no answer in time"):
        export(make_client(wire.url, first_byte=0.3), tmp_path)


def test_a_gzip_bomb_stops_at_the_cap(make_client: MakeClient, tmp_path: Path) -> None:
    packer = zlib.compressobj(wbits=31)
    bomb = packer.compress(b"{") + b"".join(packer.compress(bytes(MIB)) for _ in range(512)) + packer.flush()
    assert len(bomb) < MIB
    with serving(sized(bomb, Content_Encoding="gzip")) as wire:
        tracemalloc.start()
        try:
            with pytest.raises(TooLarge, match="larger than"):
                export(make_client(wire.url, attempts=3, largest_export=64 * MIB), tmp_path)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 32 * MIB
    # the same question would have the same answer
    assert len(wire.requests) == 1
    assert not (tmp_path / "events.ndjson").exists()


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_answers_held_in_memory_have_a_cap_of_their_own(encoding: str, make_client: MakeClient) -> None:
    body = b'{"channels": ["' + b"x" * MIB + b'"]}'
    answer = chunked(zipped(body) if encoding == "gzip" else body, Content_Encoding=encoding)
    with serving(answer) as wire, pytest.raises(TooLarge, match="larger than 100,000 bytes"):
        make_client(wire.url, largest_answer=100_000).get("/api/channels")
