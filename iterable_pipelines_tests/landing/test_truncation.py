"""However an answer ends early, not a row of it is committed; the next answer that is whole lands as if nothing was."""

import socket
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from iterable_pipelines.api import Iterable, Ledger
from iterable_pipelines.landing import LandingFailed, Manifest, land_hours
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse, load_hours
from iterable_pipelines_tests.api.conftest import BRISK, WINDOW
from iterable_pipelines_tests.api.test_truncation import CUT, RECORDS, WHOLE
from iterable_pipelines_tests.api.wire import chunked, serving

STREAM = "iterable_rcs_activity"


@pytest.fixture
def one_type(project: Settings) -> Settings:
    return project.model_copy(update={"data_types": ("rcsSend",), "skip_users": True, "start_date": WINDOW.start})


def land_and_load(url: str, project: Settings, warehouse: Warehouse, run: str) -> int:
    manifest = Manifest(project.landing_dir)
    client = Iterable("sandbox", url, Ledger(project.ledger_path, relaxed=True), patience=BRISK)
    try:
        land_hours(client, manifest, project, STREAM, [WINDOW.start], run, log=lambda text: None)
    finally:
        load_hours(warehouse, manifest, project, STREAM, [WINDOW.start], run, log=lambda text: None)
    return int(warehouse.read(f"select count(*) from streams.{STREAM}")[0][0])


@pytest.mark.parametrize("name", CUT)
def test_an_answer_that_ends_early_commits_nothing(name: str, one_type: Settings, warehouse: Warehouse) -> None:
    with serving(CUT[name][0]) as wire, pytest.raises(LandingFailed, match="stored before is safe"):
        land_and_load(wire.url, one_type, warehouse, "cut")
    assert wire.requests
    assert Manifest(one_type.landing_dir).current("rcsSend") == {}
    assert warehouse.read(f"select count(*) from streams.{STREAM}") == [(0,)]
    assert not list((one_type.landing_dir / "events").rglob("*.parquet"))
    with serving(WHOLE["chunks"]) as wire:
        assert land_and_load(wire.url, one_type, warehouse, "whole") == RECORDS.count(b"\n")


def test_an_hour_that_breaks_off_is_asked_for_in_ever_smaller_pieces_that_land_as_one(
    one_type: Settings, warehouse: Warehouse
) -> None:
    records = [
        b'{"email":"ann@example.com","createdAt":"2026-01-14 06:%02d:%02d +00:00","n":%d}\n' % (n // 60, n % 60, n)
        for n in range(0, 3600, 7)
    ]
    asked: list[float] = []

    def answer(connection: socket.socket) -> None:
        query = parse_qs(urlsplit(wire.requests[-1].target).query)
        start, end = (datetime.fromisoformat(query[name][0]) for name in ("startDateTime", "endDateTime"))
        inside = [
            record for n, record in zip(range(0, 3600, 7), records, strict=True)
            if start <= WINDOW.start + timedelta(seconds=n) < end
        ]  # fmt: skip
        asked.append((end - start).total_seconds())
        # more than twenty records at once are too many for this server
        connection.sendall(chunked(*inside) if len(inside) <= 20 else chunked(*inside[:20], end=b""))

    with serving(answer) as wire:
        assert land_and_load(wire.url, one_type, warehouse, "pieces") == len(records)
    (part,) = Manifest(one_type.landing_dir).current("rcsSend").values()
    assert part.rows == len(records)
    assert max(asked) == 3600 and min(asked) < 3600 / 16


def test_a_second_that_breaks_off_is_given_up(one_type: Settings, warehouse: Warehouse) -> None:
    with serving(chunked(RECORDS, end=b"")) as wire, pytest.raises(LandingFailed, match="cut off"):
        land_and_load(wire.url, one_type, warehouse, "cut")
    # an hour, its first half, and so on until a second is left: 3600, 1800, 900, 450, 225, 112, 56, 28, 14, 7, 3, 1
    assert len(wire.requests) == 12
