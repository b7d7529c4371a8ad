"""No way of ending early passes for an end (faults.md M1, H12 to H18, H24)."""

from pathlib import Path
from typing import Any

import pytest

from iterable_pipelines.api import Broken
from iterable_pipelines_tests.api.conftest import WINDOW, MakeClient
from iterable_pipelines_tests.api.wire import Script, chunked, head, reset_after, serving, sized, zipped

RECORD = b'{"email":"ann@example.com","createdAt":"2026-01-14 06:20:22 +00:00","n":%d}\n'
RECORDS = b"".join(RECORD % n for n in range(1000))
ZIPPED = zipped(RECORDS)
HALF_A_RECORD = RECORDS[:-20]
AT_A_RECORD = RECORDS[: RECORDS.rindex(b"\n", 0, 30000) + 1]
IN_GZIP: dict[str, Any] = {"Content_Encoding": "gzip"}

WHOLE = {
    "length": sized(RECORDS),
    "chunks": chunked(RECORDS[:500], RECORDS[500:]),
    "tiny chunks": chunked(*(RECORDS[at : at + 7] for at in range(0, len(RECORDS), 7))),
    "gzip with length": sized(ZIPPED, **IN_GZIP),
    "gzip in chunks": chunked(*(ZIPPED[at : at + 100] for at in range(0, len(ZIPPED), 100)), **IN_GZIP),
    "gzip of two members": sized(zipped(RECORDS[:5000]) + zipped(RECORDS[5000:]), **IN_GZIP),
}

CUT: dict[str, tuple[Script, str]] = {
    "end of connection, inside a record": (head() + HALF_A_RECORD, "cannot be verified"),
    "end of connection, after a record": (head() + AT_A_RECORD, "cannot be verified"),
    "end of connection, whole": (head() + RECORDS, "cannot be verified"),
    "garbled length": (head(Content_Length="12, 12") + RECORDS, "cannot be verified"),
    "clean chunks, half a record": (chunked(HALF_A_RECORD), "inside a record"),
    "length of half a record": (sized(HALF_A_RECORD), "inside a record"),
    "no last chunk, inside a chunk": (chunked(RECORDS, end=b"")[:-100], "cut off"),
    "no last chunk, between chunks": (chunked(AT_A_RECORD, end=b""), "cut off"),
    "no last chunk, before the chunk's end": (chunked(AT_A_RECORD, end=b"")[:-2], "cut off"),
    "a chunk size cut in two": (chunked(AT_A_RECORD, end=b"4"), "cut off"),
    "length longer than the body": (head(Content_Length=len(RECORDS) + 1) + RECORDS, "1 are missing|cut off"),
    "length, cut after a record": (head(Content_Length=len(RECORDS)) + AT_A_RECORD, "missing|cut off"),
    "gzip without its end": (sized(ZIPPED[: len(ZIPPED) // 2], **IN_GZIP), "before its trailer"),
    "gzip without its checksum": (sized(ZIPPED[:-8], **IN_GZIP), "before its trailer"),
    "gzip without a byte of its checksum": (chunked(ZIPPED[:-1], **IN_GZIP), "before its trailer"),
    "gzip with a wrong checksum": (sized(ZIPPED[:-8] + b"12345678", **IN_GZIP), "damaged"),
    "gzip with something behind it": (sized(ZIPPED + b"more", **IN_GZIP), "damaged"),
    "gzip whose second member is cut": (sized(ZIPPED + ZIPPED[:50], **IN_GZIP), "before its trailer"),
    "not gzip at all": (sized(RECORDS, **IN_GZIP), "damaged"),
    "an encoding nobody asked for": (sized(RECORDS, Content_Encoding="br"), "not asked for"),
    "reset inside a length": (reset_after(head(Content_Length=len(RECORDS)) + AT_A_RECORD), "cut off"),
    "reset between chunks": (reset_after(chunked(AT_A_RECORD, end=b"")), "cut off"),
    "reset before the answer": (reset_after(b""), "network failure"),
    "closed before the answer": (b"", "network failure"),
    "no HTTP": (b"220 smtp.example.com ESMTP\r\n\r\n", "network failure"),
}


@pytest.mark.parametrize("name", WHOLE)
def test_whole_answers_arrive_byte_by_byte(name: str, make_client: MakeClient, tmp_path: Path) -> None:
    to = tmp_path / "events.ndjson"
    with serving(WHOLE[name]) as wire:
        download = make_client(wire.url).export_events("emailOpen", WINDOW, to)
    assert to.read_bytes() == RECORDS
    assert (download.path, download.bytes, download.requests) == (to, len(RECORDS), 1)


@pytest.mark.parametrize("name", CUT)
def test_cut_answers_are_broken_and_leave_no_file(name: str, make_client: MakeClient, tmp_path: Path) -> None:
    script, words = CUT[name]
    to = tmp_path / "events.ndjson"
    with serving(script) as wire, pytest.raises(Broken, match=words) as caught:
        make_client(wire.url).export_events("emailOpen", WINDOW, to)
    assert "export of emailOpen [2026-01-14 06:00:00, 2026-01-14 07:00:00) UTC" in str(caught.value)
    assert "ann@" not in str(caught.value)
    assert not to.exists()


@pytest.mark.parametrize("name", CUT)
def test_a_cut_answer_is_asked_for_again(name: str, make_client: MakeClient, tmp_path: Path, told: list[str]) -> None:
    to = tmp_path / "events.ndjson"
    with serving(CUT[name][0], WHOLE["chunks"]) as wire:
        download = make_client(wire.url, attempts=2).export_events("emailOpen", WINDOW, to)
    assert to.read_bytes() == RECORDS
    assert download.requests == len(wire.requests) == 2
    assert any("attempt 2 of 2" in line for line in told)
    assert download.fetched_at.timestamp() <= wire.requests[1].at


@pytest.mark.parametrize(
    "answer", [sized(b""), chunked(), head(204), sized(b"", **IN_GZIP), sized(zipped(b""), **IN_GZIP)], ids=repr
)
def test_an_empty_window_is_an_empty_file(answer: bytes, make_client: MakeClient, tmp_path: Path) -> None:
    with serving(answer) as wire:
        download = make_client(wire.url).export_events("emailOpen", WINDOW, tmp_path / "events.ndjson")
    assert download.bytes == download.path.stat().st_size == 0


def test_blank_lines_and_a_byte_order_mark_are_no_fault(make_client: MakeClient, tmp_path: Path) -> None:
    body = b"\xef\xbb\xbf\n" + RECORDS + b"\n\n"
    with serving(sized(body)) as wire:
        download = make_client(wire.url).export_events("emailOpen", WINDOW, tmp_path / "events.ndjson")
    assert download.path.read_bytes() == body


def test_a_last_record_that_is_whole_needs_no_newline(make_client: MakeClient, tmp_path: Path) -> None:
    with serving(sized(RECORDS[:-1])) as wire:
        download = make_client(wire.url).export_events("emailOpen", WINDOW, tmp_path / "events.ndjson")
    assert download.path.read_bytes() == RECORDS[:-1]


def test_small_answers_are_proved_whole_too(make_client: MakeClient) -> None:
    members = b"a@example.com\nb@example.com\n"
    with serving(head(kind="text/plain") + members, sized(members, kind="text/plain")) as wire:
        client = make_client(wire.url, attempts=2)
        assert client.get_text("/api/lists/getUsers", {"listId": 7}) == members.decode()
    assert len(wire.requests) == 2
