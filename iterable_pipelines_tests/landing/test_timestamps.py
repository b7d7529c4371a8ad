"""Every shape of timestamp that Iterable is known to send, and some that only look like one."""

from datetime import datetime

import duckdb
import pytest

from iterable_pipelines.landing.timestamps import timestamp_sql

KNOWN = {
    "2026-01-14 06:20:22 +00:00": datetime(2026, 1, 14, 6, 20, 22),
    "2026-01-14 06:20:22 +0000": datetime(2026, 1, 14, 6, 20, 22),
    "2026-01-14 06:20:22 -05:30": datetime(2026, 1, 14, 11, 50, 22),
    "2026-01-14T06:20:22Z": datetime(2026, 1, 14, 6, 20, 22),
    "2026-01-14T06:20:22.123Z": datetime(2026, 1, 14, 6, 20, 22, 123000),
    "2026-01-14T06:20:22.123-06:00": datetime(2026, 1, 14, 12, 20, 22, 123000),
    "2025-12-19T22:43:34.134105.000Z": datetime(2025, 12, 19, 22, 43, 34, 134105),
    "2026-01-14 06:20:22": datetime(2026, 1, 14, 6, 20, 22),
    "2026-01-14T06:20:22": datetime(2026, 1, 14, 6, 20, 22),
    "2026-01-14": datetime(2026, 1, 14),
    "1618417387154": datetime(2021, 4, 14, 16, 23, 7, 154000),
    "1618417387": datetime(2021, 4, 14, 16, 23, 7),
    "0001-01-01 00:00:00 +00:00": datetime(1, 1, 1),
    "9999-12-31 23:59:59 +00:00": datetime(9999, 12, 31, 23, 59, 59),
}
UNKNOWN = [
    "2026-02-30 00:00:00 +00:00",
    "2026-01-14 25:00:00 +00:00",
    "14/01/2026",
    "2020",
    "infinity",
    "epoch",
    "yesterday",
    "",
    "null",
    "2026-01-14 06:20:22 PST",
    "-1618417387154",
]


def read(text: str | None) -> datetime | None:
    with duckdb.connect() as con:
        con.execute("set timezone = 'UTC'")
        found = con.execute(f"select {timestamp_sql('text')} from (select ?::varchar as text)", [text]).fetchone()
    assert found is not None
    return found[0]


@pytest.mark.parametrize(("text", "moment"), KNOWN.items())
def test_a_known_shape_is_read_exactly(text: str, moment: datetime) -> None:
    assert read(text) == moment


@pytest.mark.parametrize("text", UNKNOWN)
def test_an_unknown_shape_is_null_and_no_error(text: str) -> None:
    assert read(text) is None


def test_null_stays_null() -> None:
    assert read(None) is None
