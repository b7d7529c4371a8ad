"""The manifest: the newest fetch of an hour counts, whoever writes it and in whatever order."""

import multiprocessing
from datetime import timedelta
from pathlib import Path

from iterable_pipelines.hours import HOUR, parse_hour
from iterable_pipelines.landing.manifest import Manifest, Part
from iterable_pipelines.landing.passes import Pass
from iterable_pipelines_tests.either_database import database_at

HOUR_3 = parse_hour("2026-11-01T03")


def opened(place: str) -> Manifest:
    return Manifest(Path("landing"), database_at(place, "manifest"))


def part(rows: int, fetched_after: int, hour: int = 0, run: str = "run") -> Part:
    start = HOUR_3 + hour * HOUR
    fetched = start + HOUR + timedelta(minutes=fetched_after)
    return Part(
        "emailOpen", start, start, start + HOUR, fetched, Pass.FRESH, rows, 0, 0, 9, f"{rows}:0", "ab", "p", run
    )


def test_the_newest_fetch_counts_even_if_it_is_written_first(place: str) -> None:
    manifest = opened(place)
    manifest.add([part(5, fetched_after=200)])
    manifest.add([part(3, fetched_after=10)])
    assert manifest.current("emailOpen")[HOUR_3].rows == 5


def test_only_the_hours_asked_for_are_given(place: str) -> None:
    manifest = opened(place)
    manifest.add([part(1, 10, hour=n) for n in range(5)])
    wanted = [HOUR_3 + HOUR, HOUR_3 + 3 * HOUR]
    assert list(manifest.current("emailOpen", wanted)) == wanted
    assert manifest.current("emailOpen", []) == {}
    assert manifest.current("emailClick") == {}


def test_a_run_knows_what_it_has_landed(place: str) -> None:
    manifest = opened(place)
    manifest.add([part(1, 10, run="one"), part(1, 20, hour=1, run="two")])
    assert manifest.landed_by("one", "emailOpen") == {HOUR_3}


def test_parts_come_back_as_they_were_written(place: str) -> None:
    written = part(7, 33)
    opened(place).add([written])
    assert opened(place).current("emailOpen") == {HOUR_3: written}


def _write(place: str, name: str) -> None:
    manifest = opened(place)
    for hour in range(20):
        manifest.add([part(1, 10, hour=hour, run=name)])
        manifest.next_token()


def test_four_processes_write_at_once_and_nothing_is_lost(place: str) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write, args=(place, f"run-{n}")) for n in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0, 0, 0]
    manifest = opened(place)
    assert [len(manifest.landed_by(f"run-{n}", "emailOpen")) for n in range(4)] == [20, 20, 20, 20]
    assert manifest.next_token() == 81
