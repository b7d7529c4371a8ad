"""What readers see: the tables of a finished build, the events of the lake, and no other file."""

from pathlib import Path

import duckdb
import pytest
import yaml

from iterable_pipelines.data_types import ACTIVITY_STREAMS
from iterable_pipelines.lake.layout import Lake
from iterable_pipelines.lake.publish import create_views, next_number, publish_tables, remove_unread, tables_made
from iterable_pipelines.lake.snapshots import SNAPSHOTS, write_snapshots
from iterable_pipelines.landing import Manifest
from iterable_pipelines.profiles.dbt import project_dir
from iterable_pipelines.profiles.spark_build import views_of_readers
from iterable_pipelines.published import reading
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse, load_hours
from iterable_pipelines_tests.lake.conftest import H3, STREAM, event, quiet
from iterable_pipelines_tests.landing_by_hand import land

TABLE = ("profiles", "user_profiles")


@pytest.fixture
def files(spark: Settings) -> Lake:
    files = Lake.of(spark)
    assert files
    return files


def make(files: Lake, *people: str) -> None:
    """What Spark does: other files take the place of those that were there."""
    folder = Path(files.url, *TABLE)
    for old in folder.glob("*") if folder.exists() else ():
        old.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    folder.joinpath("_SUCCESS").touch()
    for who in people:
        duckdb.execute(f"copy (select '{who}' as user_key) to '{folder}/{who}.snappy.parquet' (format parquet)")


def publish(files: Lake, lake: Warehouse, copy: bool = True) -> int:
    number = next_number(files)
    publish_tables(files, [TABLE], number)
    with lake.transaction() as con:
        create_views(con, files, [TABLE], number)
    if copy:
        lake.publish()
    remove_unread(files, views_of_readers(lake))
    return number


def numbers(files: Lake) -> list[str]:
    return sorted(each.name for each in Path(files.url, "published").iterdir())


def test_readers_see_the_last_finished_build(spark: Settings, lake: Warehouse, files: Lake) -> None:
    who = "select list_sort(list(user_key)) from profiles.user_profiles"
    make(files, "ada", "bob")
    publish(files, lake)
    with reading(spark) as before:
        make(files, "cy")
        assert before.execute(who).fetchone() == (["ada", "bob"],)
        assert publish(files, lake) == 2
        assert before.execute(who).fetchone() == (["ada", "bob"],)
    with reading(spark) as after:
        assert after.execute(who).fetchone() == (["cy"],)
    make(files, "dee")
    publish(files, lake)
    assert numbers(files) == ["2", "3"]


def test_what_the_copy_reads_stays_until_there_is_a_newer_copy(spark: Settings, lake: Warehouse, files: Lake) -> None:
    make(files, "ada")
    publish(files, lake)
    for _ in range(3):
        publish(files, lake, copy=False)
    assert numbers(files) == ["1", "3", "4"]
    with reading(spark) as con:
        assert con.execute("select user_key from profiles.user_profiles").fetchall() == [("ada",)]
    publish(files, lake)
    publish(files, lake)
    assert numbers(files) == ["5", "6"]


def test_a_table_that_no_build_has_made_yet_is_not_published(files: Lake) -> None:
    make(files, "ada")
    Path(files.url, "marts", "builds", "_temporary").mkdir(parents=True)
    assert tables_made(files, [TABLE, ("marts", "builds")]) == [TABLE]


def test_readers_read_the_lake_and_nothing_else(
    spark: Settings, lake: Warehouse, landing: Manifest, tmp_path: Path
) -> None:
    land(spark, landing, "emailClick", H3, [event(1, campaignId=7)])
    load_hours(lake, landing, spark, STREAM, [H3], "run", log=quiet)
    lake.publish()
    elsewhere = tmp_path / "other.parquet"
    duckdb.execute(f"copy (select 1) to '{elsewhere}' (format parquet)")
    with reading(spark) as con:
        found = con.execute(f"select campaign_id, record->>'$.campaignId' from streams.{STREAM}").fetchone()
        assert found == (7, "7")
        with pytest.raises(duckdb.PermissionException):
            con.execute(f"from read_parquet('{elsewhere}')")


def test_snapshots_are_the_tables_that_the_models_read(lake: Warehouse, files: Lake) -> None:
    sources = yaml.safe_load((project_dir(Settings()) / "models" / "sources.yml").read_text())["sources"]
    named = {(source["name"], table["name"]) for source in sources for table in source["tables"]}
    assert set(SNAPSHOTS) == named - {("streams", stream.name) for stream in ACTIVITY_STREAMS}
    with lake.transaction() as con:
        con.execute("insert into streams.iterable_users (user_key, record) values ('ada', '{\"a\": 1}')")
        write_snapshots(con, files)
        con.execute("delete from streams.iterable_users")
        users = f"from read_parquet('{files.url}/streams/iterable_users/part.parquet')"
        assert con.execute(f"select user_key, record, typeof(record) {users}").fetchall() == [
            ("ada", '{"a": 1}', "VARCHAR")
        ]
        write_snapshots(con, files)
        assert con.execute(f"select user_key {users}").fetchall() == []


def test_a_snapshot_is_written_when_its_table_changed(lake: Warehouse, files: Lake) -> None:
    def written(*changes: str) -> set[str]:
        """Which copies another build writes after these changes."""
        before = {name: Path(files.url, name).stat().st_ino for name in names if Path(files.url, name).exists()}
        with lake.transaction() as con:
            for change in changes:
                con.execute(change)
            write_snapshots(con, files)
        return {name for name in names if Path(files.url, name).stat().st_ino != before.get(name)}

    names = {files.snapshot(schema, table) for schema, table in SNAPSHOTS}
    users, channels = files.snapshot("streams", "iterable_users"), files.snapshot("objects", "channels")
    add = "insert into streams.iterable_users (user_key, user_id, record) values "
    assert written(f"{add} ('ada', null, '{{}}'), ('bob', 'b', '{{}}')") == names
    assert written() == set()
    # in place, with the same number of rows: a value, a value in another column, two rows that swap a value
    assert written("update streams.iterable_users set record = '{\"a\": 1}' where user_key = 'bob'") == {users}
    assert written("update streams.iterable_users set user_id = null, email = 'b' where user_id = 'b'") == {users}
    swapped = "case user_key when 'ada' then 'bob' else 'ada' end"
    assert written(f"update streams.iterable_users set user_key = {swapped}") == {users}
    # rows that are twice there, other order, and a column more
    assert written(f"{add} ('cat', null, '{{}}'), ('cat', null, '{{}}')") == {users}
    assert written("delete from streams.iterable_users where user_key = 'cat'") == {users}
    moved = "insert into streams.iterable_users from aside order by user_key desc"
    assert written("create temp table aside as from streams.iterable_users", "delete from streams.iterable_users") == {
        users
    }
    assert written(f"{add} ('ada', null, '{{}}'), ('bob', null, '{{}}')") == {users}
    again = "create temp table aside as from streams.iterable_users"
    assert written(again, "delete from streams.iterable_users", moved) == set()
    assert written("alter table objects.channels add column more integer") == {channels}
    # a copy that is gone, or that somebody else has written, as an erasure does
    Path(files.url, channels).unlink()
    assert written() == {channels}
    duckdb.execute(f"copy (from '{files.url}/{users}') to '{files.url}/{users}' (format parquet)")
    assert written() == {users}
    Path(files.url, users).write_text("no Parquet")
    assert written() == names
    assert written() == set()
