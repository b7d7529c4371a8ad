"""A download becomes Parquet parts that hold every line as it came, or an error that says where it is bad."""

import json
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from iterable_pipelines.hours import HOUR, Window, parse_hour
from iterable_pipelines.landing.cut import Cut, Unreadable, cut

START = parse_hour("2026-11-01T03")


def event(minute: int = 0, hour: int = 3, **fields: object) -> str:
    return json.dumps({"createdAt": f"2026-11-01 {hour:02d}:{minute:02d}:00 +00:00", **fields}, ensure_ascii=False)


def cut_text(tmp_path: Path, text: str | bytes, hours: int = 1) -> list[Cut]:
    download = tmp_path / "download.ndjson"
    download.write_bytes(text if isinstance(text, bytes) else text.encode())
    return cut([download], Window(START, START + hours * HOUR), "createdAt", tmp_path / "parts")


def records(part: Cut) -> list[str]:
    if part.file is None:
        return []
    with duckdb.connect() as con:
        return [row[0] for row in con.execute(f"select record from '{part.file}'").fetchall()]


ODD = [
    '{"createdAt":"2026-11-01 03:00:00 +00:00","n":18446744073709551617,"d":0.1000000000000000055,"e":1e400}',
    '{"createdAt":"2026-11-01 03:00:00 +00:00","Plan":"a","plan":"b","PLAN":"c","a.b":1,"a":{"b":2}}',
    '{"createdAt":"2026-11-01 03:00:00 +00:00","text":"a\u2028b\u0085c","nul":"\\u0000","tab":"\\t","":"empty"}',
    '{"createdAt":"2026-11-01 03:00:00 +00:00","quote":"it\'s \\"so\\"; DROP TABLE x","emoji":"\U0001f600"}',
    '{"createdAt":"2026-11-01 03:00:00 +00:00","campaignId":"123","email":5,"says":"NaN,} and Infinity,]"}',
]


def test_odd_records_are_kept_byte_for_byte(tmp_path: Path) -> None:
    (part,) = cut_text(tmp_path, "\n".join(ODD) + "\n")
    assert sorted(records(part)) == sorted(ODD)
    assert part.rows == len(ODD)
    assert part.outside_rows == 0


def test_a_window_is_tiled_by_its_hours(tmp_path: Path) -> None:
    lines = [event(59, 3), event(0, 4), event(30, 5), event(0, 3)]
    parts = cut_text(tmp_path, "\n".join(lines) + "\n", hours=4)
    assert [part.hour for part in parts] == [START + n * HOUR for n in range(4)]
    assert [sorted(records(part)) for part in parts] == [sorted([lines[0], lines[3]]), [lines[1]], [lines[2]], []]
    assert parts[3].file is None


def test_an_hour_of_which_no_time_can_be_read_lands_all_the_same(tmp_path: Path) -> None:
    (part,) = cut_text(tmp_path, '{"email":"no time"}\n')
    assert (part.rows, part.outside_rows) == (1, 1)


def test_records_outside_the_window_stay_with_its_first_hour_and_are_counted(tmp_path: Path) -> None:
    lines = [event(0, 2), event(0, 6), '{"email":"no time"}', '{"createdAt":"2026-02-30 00:00:00 +00:00"}', event(0, 4)]
    first, second = cut_text(tmp_path, "\n".join(lines) + "\n", hours=2)
    assert sorted(records(first)) == sorted(lines[:4])
    assert (first.outside_rows, second.outside_rows) == (4, 0)


def test_the_digest_does_not_depend_on_order_but_on_every_row(tmp_path: Path) -> None:
    lines = [event(n, id=n) for n in range(5)]
    digests = []
    for number, these in enumerate([lines, lines[::-1], [*lines, lines[0]], lines[1:]]):
        folder = tmp_path / str(number)
        folder.mkdir()
        digests.append(cut_text(folder, "\n".join(these) + "\n")[0].digest)
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


def test_blank_lines_byte_order_mark_carriage_returns_and_a_missing_last_newline_are_no_fault(tmp_path: Path) -> None:
    text = b"\xef\xbb\xbf" + event(1).encode() + b"\r\n\n" + event(2).encode()
    (part,) = cut_text(tmp_path, text)
    assert sorted(records(part)) == sorted([event(1), event(2)])


def test_an_empty_download_is_an_empty_hour(tmp_path: Path) -> None:
    (part,) = cut_text(tmp_path, b"")
    assert (part.rows, part.file) == (0, None)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b'{"createdAt":"2026-11-01 03', "JSON"),
        (b'{"a":"\xff\xfe"}', "UTF-8"),
        (b'{"a":NaN}', "NaN"),
        (b'{"a":-Infinity}', "Infinity"),
        (b'{"a":1,}', "JSON"),
        (b'{"a":[1,]}', "JSON"),
        (b'{"a":1} trailing', "JSON"),
        (b'{"a":"\\ud800"}', "surrogate"),
        (b'{"a":"x\x00y"}', "JSON"),
        (b"[1]", "object"),
        (b'"text"', "object"),
    ],
)
def test_a_bad_line_is_named_by_its_place_and_never_shown(tmp_path: Path, bad: bytes, reason: str) -> None:
    good = event(1, email="someone@example.com").encode() + b"\n"
    with pytest.raises(Unreadable) as found:
        cut_text(tmp_path, good + bad + b"\n" + good)
    line, offset, text = found.value.fault
    assert (line, offset) == (2, len(good))
    assert reason in text
    assert "someone" not in str(found.value)


def test_a_record_of_twenty_megabytes_is_kept(tmp_path: Path) -> None:
    large = event(1, text="x" * 20_000_000)
    (part,) = cut_text(tmp_path, large + "\n" + event(2) + "\n")
    assert sorted(records(part), key=len) == [event(2), large]


def test_windows_halve_without_gap_or_overlap() -> None:
    window = Window(START, START + timedelta(hours=7))
    first, second = window.halves()
    assert (first.start, first.end, second.end) == (window.start, second.start, window.end)
    assert first.end.minute == 0
