"""Whoever is erased leaves every file of the lake, and everybody else stays in it as in the tables of engine duckdb."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from iterable_pipelines.erasure import lake as lake_erasure
from iterable_pipelines.erasure.errors import StoreBusy
from iterable_pipelines.erasure.lake import LakeFiles
from iterable_pipelines.erasure.persons import Persons
from iterable_pipelines.erasure.run import erase, identifiers_left
from iterable_pipelines.erasure.scan import scan
from iterable_pipelines.erasure.stores import STORES, Erased
from iterable_pipelines.lake.layout import Lake
from iterable_pipelines.lake.publish import create_views, publish_tables
from iterable_pipelines.lake.snapshots import write_snapshots
from iterable_pipelines.landing import Manifest
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse
from iterable_pipelines.streams.warehouse import WarehouseLocked
from iterable_pipelines_tests.erasure.people import ADA, ADA_BEFORE, ADA_ID, ADA_ITBL, BOB, CAT, forget, import_people
from iterable_pipelines_tests.lake import erase_by_itself
from iterable_pipelines_tests.lake.conftest import become_older, quiet, rows

NAMES = [ADA_BEFORE, ADA_ID, ADA_ITBL]
STREAMS = ("iterable_activity", "iterable_custom_activity")


@pytest.fixture
def filled(spark: Settings, landing: Manifest, lake: Warehouse) -> Settings:
    """A project whose lake has events, snapshots, a table of Spark's, and that table published."""
    import_people(spark, landing, lake)
    files = Lake.of(spark)
    assert files
    with lake.transaction() as con:
        write_snapshots(con, files)
    profiles = Path(files.url, "profiles", "user_profiles")
    profiles.mkdir(parents=True)
    made = "select user_key, it_user_id, [it_user_id, user_key] as _raw_keys, map {'n': 1} as counts"
    with duckdb.connect() as con:
        for number, who in enumerate([f"('{ADA}', '{ADA_ID}'), ('{BOB}', 'b')", f"('{CAT}', 'c')"]):
            con.execute(
                f"copy ({made} from (values {who}) t (user_key, it_user_id)) to '{profiles}/part-{number}.parquet'"
            )
    number = 1
    publish_tables(files, [("profiles", "user_profiles")], number)
    with lake.transaction() as con:
        create_views(con, files, [("profiles", "user_profiles")], number)
    lake.publish()
    return spark


def test_killed_twice_no_byte_is_left_and_others_stay(filled: Settings, lake: Warehouse, tmp_path: Path) -> None:
    inside = [file.relative_to(filled.lake_url) for file in scan(filled, NAMES).found if "lake" in file.parts]
    assert {each.parts[0] for each in inside} == {"streams", "profiles", "published"}
    published = Path(filled.lake_url, "published", "1", "profiles", "user_profiles")
    untouched = {part: part.stat().st_ino for part in [published / "part-1.parquet"]}
    forget(filled, ADA)
    for step in ("erasure_lake_dropped", "erasure_lake_written"):
        killed = subprocess.run(
            [sys.executable, erase_by_itself.__file__, str(filled.data_dir)],
            env={"ITERABLE_CRASH_AT": step, "PYTHONPATH": str(Path(__file__).parents[2])},
            capture_output=True,
            text=True,
        )
        assert (killed.returncode, f"crashpoint {step}" in killed.stderr) == (-9, True), killed.stderr
    assert not Path(filled.lake_url, "profiles").exists()
    certificate = erase(filled, quiet)
    assert (certificate.complete, certificate.left, certificate.persons) == (True, 0, 1)
    # where she was not, nothing was touched
    assert {part: part.stat().st_ino for part in untouched} == untouched
    assert any(each.place.startswith("lake/streams/iterable_activity/hour=") for each in certificate.erased)
    found = scan(filled, NAMES)
    assert (found.found, found.unread, identifiers_left(filled)) == ([], [], 0)
    assert lake.read("select user_key from profiles.user_profiles order by 1") == [(BOB,), (CAT,)]
    tables = with_the_other_engine(filled.model_copy(update={"engine": "duckdb", "data_dir": tmp_path / "other"}))
    for stream in STREAMS:
        assert rows(lake, stream) == rows(tables, stream)
    counted = "select data_type, hour, rows, digest from streams.loads order by all"
    assert lake.read(counted) == tables.read(counted)


def test_beside_a_load_or_a_build_the_lake_is_left_alone(
    filled: Settings, lake: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget(filled, ADA)
    busy = LakeFiles(wait_seconds=0.1)
    before = {part: part.read_bytes() for part in Path(filled.lake_url).rglob("*.parquet")}
    with lake.locked():
        assert list(erase(filled, quiet, [*STORES[:-2], busy]).open) == ["lake"]
        with pytest.raises(StoreBusy, match="another run of this project"):
            busy.erase(filled, Persons(tmp_path / "nobody.parquet", 0), quiet)
    assert {part: part.read_bytes() for part in before} == before
    # who loads or builds waits in turn
    waited, rewrite = [], lake_erasure._rewrite
    lake.wait_seconds = 0

    def beside_it(*given: Any) -> Erased:
        with pytest.raises(WarehouseLocked):
            lake.read("select 1")
        waited.append(given)
        return rewrite(*given)

    monkeypatch.setattr(lake_erasure, "_rewrite", beside_it)
    assert erase(filled, quiet).complete
    assert waited


def test_parts_that_lack_a_column_of_an_update_are_erased_from(filled: Settings, lake: Warehouse) -> None:
    become_older(filled, lake, without="workflow_name")
    lake.prepare()
    forget(filled, ADA)
    certificate = erase(filled, quiet)
    assert (certificate.complete, certificate.persons) == (True, 1)
    assert (scan(filled, NAMES).found, identifiers_left(filled)) == ([], 0)
    assert lake.read("select count(distinct email) from streams.iterable_activity") == [(2,)]


def test_after_moving_back_the_lake_is_erased_as_long_as_it_is_named(
    spark: Settings, project: Settings, landing: Manifest, tmp_path: Path
) -> None:
    named = {"lake": str(tmp_path / "elsewhere")}
    there, back = spark.model_copy(update=named), project.model_copy(update=named)
    lake, tables = Warehouse.of(there, quiet), Warehouse.of(back, quiet)
    lake.prepare()
    import_people(there, landing, lake)
    tables.change_engine()
    tables.prepare()
    before = sorted(Path(there.lake_url).rglob("*.parquet"))
    assert set(before) & set(scan(back, NAMES).found)
    forget(back, ADA)
    certificate = erase(back, quiet)
    assert (certificate.complete, certificate.persons) == (True, 1)
    assert any(each.place.startswith("lake/streams/") for each in certificate.erased)
    assert sorted(Path(there.lake_url).rglob("*.parquet")) == before
    assert (scan(back, NAMES).found, identifiers_left(back)) == ([], 0)


def with_the_other_engine(project: Settings) -> Warehouse:
    """The same people, and the same one erased."""
    warehouse = Warehouse.of(project, quiet)
    warehouse.prepare()
    import_people(project, Manifest(project.landing_dir), warehouse)
    forget(project, ADA)
    erase(project, quiet)
    return warehouse
