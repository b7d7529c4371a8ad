"""Events in the lake: whatever is loaded, in whatever order, the views hold what the tables of engine duckdb would."""

import subprocess
import sys
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import pytest

from iterable_pipelines.data_types import ACTIVITY_STREAMS, STREAM
from iterable_pipelines.hours import HOUR, Window
from iterable_pipelines.landing import Manifest
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import StaleWriter, Warehouse, content_of, load_hours, replay
from iterable_pipelines.streams.checks import check_hours
from iterable_pipelines_tests.lake import load_an_hour
from iterable_pipelines_tests.lake.conftest import H3, become_older, event, quiet, rows, view_of
from iterable_pipelines_tests.lake.conftest import STREAM as EMAIL
from iterable_pipelines_tests.landing_by_hand import land

H4 = H3 + HOUR
ODD = [
    event(1, campaignId=7, custom={"x": [1, {"y": None}]}, itblInternal={"a": 1}),
    event(1, campaignId="12.5", url="ünï'cödé\u0000"),
    event(2),
    event(2),
    event(3, email=None, userId="u-1", campaignId=9007199254740993),
]


class Both:
    """One landing that both engines load from."""

    def __init__(
        self, spark: Settings, duckdb: Settings, lake: Warehouse, tables: Warehouse, manifest: Manifest
    ) -> None:
        self.sides = ((lake, spark), (tables, duckdb))
        self.lake, self.tables, self.spark, self.manifest = lake, tables, spark, manifest

    def land(self, data_type: str, hour: datetime, records: Iterable[dict], minutes_after: int = 10) -> None:
        land(self.spark, self.manifest, data_type, hour, records, minutes_after)

    def load(self, *hours: datetime, stream: str = EMAIL) -> None:
        for warehouse, settings in self.sides:
            load_hours(warehouse, self.manifest, settings, stream, hours, "run", log=quiet)

    def check(self, stream: str = EMAIL) -> int:
        """Both hold the same; returns how many rows."""
        found = rows(self.lake, stream)
        assert found == rows(self.tables, stream)
        return len(found)


@pytest.fixture
def both(spark: Settings, other: Settings, lake: Warehouse, tables: Warehouse, landing: Manifest) -> Both:
    return Both(spark, other, lake, tables, landing)


def test_hours_come_again_late_and_empty(both: Both) -> None:
    both.land("emailClick", H3, ODD)
    both.land("emailOpen", H3, [event(5)])
    both.load(H3)
    assert both.check() == 6
    both.land("emailClick", H4, [event(7, hour=4)])
    both.load(H3, H4)
    assert both.check() == 7
    # late rows
    both.land("emailClick", H3, [*reversed(ODD), event(59)], minutes_after=200)
    both.load(H3)
    assert both.check() == 8
    both.land("emailOpen", H3, [], minutes_after=200)
    both.load(H3, H4)
    assert both.check() == 7


def test_every_stream_has_the_columns_of_its_table(both: Both) -> None:
    for stream in ACTIVITY_STREAMS:
        described = f"describe streams.{stream.name}"
        assert [each[:2] for each in both.lake.read(described)] == [each[:2] for each in both.tables.read(described)]
        both.land(stream.data_types[0], H3, [event(1), event(1, total="19.99", deeplink_ios="x")])
        both.load(H3, stream=stream.name)
        assert both.check(stream.name) == 2


def test_a_part_lies_under_its_hour_and_type(both: Both) -> None:
    both.land("emailClick", H3, ODD)
    both.land("emailOpen", H3, [])
    both.load(H3)
    folder = Path(both.spark.lake_url) / "streams" / EMAIL
    parts = sorted(str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file())
    none = "hour=0001-01-01T00/data_type=none/part.parquet"
    assert parts == [none, "hour=2026-11-01T03/data_type=emailClick/part.parquet"]


def test_what_is_there_is_left_alone(both: Both) -> None:
    both.land("emailClick", H3, ODD)
    both.load(H3)
    part = Path(both.spark.lake_url, "streams", EMAIL, "hour=2026-11-01T03", "data_type=emailClick", "part.parquet")
    before = part.stat()
    again = load_hours(both.lake, both.manifest, both.spark, EMAIL, [H3], "again", log=quiet)
    assert (again.rows, again.unchanged, part.stat().st_ino) == (0, 1, before.st_ino)
    part.unlink()
    again = load_hours(both.lake, both.manifest, both.spark, EMAIL, [H3], "again", log=quiet)
    assert (again.rows, both.check()) == (5, 5)


def test_rebuilt_hours_are_the_same_and_strays_leave(both: Both) -> None:
    both.land("emailClick", H3, ODD)
    both.land("emailClick", H4, [event(7, hour=4)])
    both.load(H3, H4)
    folder = Path(both.spark.lake_url) / "streams" / EMAIL
    stray = folder / "hour=2026-11-01T09" / "data_type=emailClick"
    stray.mkdir(parents=True)
    stray.joinpath("part.parquet").write_bytes(
        folder.joinpath("hour=2026-11-01T04", "data_type=emailClick", "part.parquet").read_bytes()
    )
    assert len(rows(both.lake)) == 7
    assert replay(both.lake, both.manifest, both.spark, EMAIL, Window(H3, H4), log=quiet) == 5
    assert len(rows(both.lake)) == 7
    assert replay(both.lake, both.manifest, both.spark, EMAIL, log=quiet) == 6
    assert both.check() == 6


def test_a_column_that_an_update_adds(both: Both) -> None:
    both.land("emailClick", H3, [*ODD, event(8, workflowName="w")])
    both.land("emailOpen", H3, [event(5)])
    both.land("emailClick", H4, [event(7, hour=4)])
    both.load(H3, H4)
    plain = view_of(both.lake)
    become_older(both.spark, both.lake)
    both.lake.prepare()
    named = f"select count(*), count(workflow_name) from streams.{EMAIL}"
    assert (both.lake.read(named), both.tables.read(named)) == ([(8, 0)], [(8, 1)])
    # an hour with parts that have the column, and parts that have not
    both.land("emailClick", H4, [event(7, hour=4, workflowName="v"), event(9, hour=4)], minutes_after=200)
    both.load(H4)
    assert both.lake.read(named) == [(9, 1)]
    both.lake.prepare()
    assert "union_by_name" in view_of(both.lake)
    before = content_of(both.lake, [f"streams.{EMAIL}"])
    assert replay(both.lake, both.manifest, both.spark, EMAIL, Window(H4, H4 + HOUR), log=quiet) == 2
    assert content_of(both.lake, [f"streams.{EMAIL}"]) == before
    assert "union_by_name" in view_of(both.lake)
    assert replay(both.lake, both.manifest, both.spark, EMAIL, log=quiet) == 9
    assert (both.check(), view_of(both.lake)) == (9, plain)
    both.lake.prepare()
    assert view_of(both.lake) == plain


def test_an_older_writer_is_refused(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    both.land("emailClick", H3, ODD)
    old = both.manifest.next_token()
    both.load(H3)
    both.land("emailClick", H3, [], minutes_after=200)
    monkeypatch.setattr(both.manifest, "next_token", lambda: old)
    with pytest.raises(StaleWriter, match="Stored data is safe"):
        load_hours(both.lake, both.manifest, both.spark, EMAIL, [H3], "old", log=quiet)
    assert len(rows(both.lake)) == 5


def test_every_check_says_the_same(both: Both) -> None:
    both.land("emailClick", H3, ODD)
    both.load(H3, H4)
    part = Path(both.spark.lake_url, "streams", EMAIL, "hour=2026-11-01T03", "data_type=emailClick", "part.parquet")

    def answers() -> list[list[tuple]]:
        return [
            [
                (check.name, outcome.hour, outcome.passed, outcome.text)
                for check, outcomes in check_hours(warehouse, both.manifest, settings, STREAM[EMAIL], [H3, H4]).items()
                for outcome in outcomes
            ]
            for warehouse, settings in both.sides
        ]

    on_lake, on_tables = answers()
    assert on_lake == on_tables
    part.unlink()
    both.tables.read(f"delete from streams.{EMAIL}")
    on_lake, on_tables = answers()
    assert on_lake == on_tables
    assert [passed for name, _, passed, _ in on_lake if name == "rows_match_manifest"] == [False, True]


@pytest.mark.parametrize("step", ["lake_put", "before_commit"])
def test_a_killed_load_is_made_up_for(both: Both, step: str) -> None:
    both.land("emailClick", H3, ODD)
    both.land("emailOpen", H3, [event(5)])
    both.load(H3)
    both.land("emailClick", H3, [event(1), event(9)], minutes_after=200)
    both.land("emailOpen", H3, [], minutes_after=200)
    killed = subprocess.run(
        [sys.executable, load_an_hour.__file__, str(both.spark.data_dir), EMAIL],
        env={"ITERABLE_CRASH_AT": step, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
    )
    assert (killed.returncode, f"crashpoint {step}" in killed.stderr) == (-9, True), killed.stderr
    # each part is its old version or its new one
    counts = dict(both.lake.read(f"select data_type, count(*) from streams.{EMAIL} group by all"))
    assert counts["emailClick"] in (5, 2)
    assert counts.get("emailOpen", 0) in (1, 0)
    both.load(H3)
    assert both.check() == 2
    assert list((Path(both.spark.lake_url) / "scratch").iterdir()) == []
