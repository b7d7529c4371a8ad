"""A lake in an object store: loaded, read, published and erased as in a folder, over a real socket."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from iterable_pipelines.erasure import lake as lake_erasure
from iterable_pipelines.erasure.run import erase, identifiers_left
from iterable_pipelines.erasure.scan import scan
from iterable_pipelines.file_store import FileStore
from iterable_pipelines.hours import HOUR
from iterable_pipelines.lake.layout import Lake
from iterable_pipelines.lake.publish import create_views, next_number, publish_tables, remove_unread
from iterable_pipelines.lake.snapshots import write_snapshots
from iterable_pipelines.landing import Manifest
from iterable_pipelines.profiles.spark_build import views_of_readers
from iterable_pipelines.published import reading
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse, load_hours
from iterable_pipelines_tests.erasure.people import ADA, forget
from iterable_pipelines_tests.lake.conftest import H3, STREAM, event, quiet, rows
from iterable_pipelines_tests.landing_by_hand import land
from iterable_pipelines_tests.s3_server import ENVIRONMENT, S3, running_s3

TABLE = ("profiles", "user_profiles")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
    """A server, and the environment that lets in."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    with running_s3() as server:
        yield server


def test_a_lake_on_s3(
    server: S3,
    project: Settings,
    tables: Warehouse,
    other: Settings,
    landing: Manifest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    remote = project.model_copy(
        update={
            "engine": "spark",
            "spark_target": "spark_thrift",
            "lake": f"{server.bucket('lake')}/of/ours",
            "landing_options": SecretStr(json.dumps(server.options)),
        }
    )
    lake, files = Warehouse.of(remote, quiet), Lake.of(remote)
    assert files
    lake.prepare()
    sides = ((lake, remote), (tables, other))

    def load(*records: dict[str, object], minutes_after: int) -> list[tuple]:
        land(remote, landing, "emailClick", H3, records, minutes_after)
        for warehouse, settings in sides:
            load_hours(warehouse, landing, settings, STREAM, [H3, H3 + HOUR], "run", log=quiet)
        found = rows(lake)
        assert found == rows(tables)
        return found

    theirs = event(2, email=ADA)
    assert len(load(event(1), event(1), theirs, minutes_after=10)) == 3
    assert len(load(event(1), theirs, minutes_after=200)) == 2
    # what a cluster writes
    with lake.transaction() as con:
        write_snapshots(con, files)
        with files.scratch() as folder:
            con.execute(f"copy (select '{ADA}' as user_key union all select 'bob') to '{folder}/made' (format parquet)")
            files.files.put(folder / "made", "profiles/user_profiles/part-0.parquet")
    number = next_number(files)
    publish_tables(files, [TABLE], number)
    with lake.transaction() as con:
        create_views(con, files, [TABLE], number)
    lake.publish()
    remove_unread(files, views_of_readers(lake))
    assert f"{files.url}/{files.part(STREAM, 'emailClick', H3)}" in map(str, scan(remote, [ADA]).found)
    forget(remote, ADA)
    # as if one file were all that this machine has room for
    monkeypatch.setattr(lake_erasure, "_BYTES_AT_ONCE", 1)
    copies, fetch = [], FileStore.here

    def fetched(store: FileStore, names: Iterable[str], scratch: Path) -> list[Path]:
        paths = fetch(store, names, scratch)
        copies.append(len(list(Path(remote.data_dir, "lake", "scratch").rglob("*.parquet"))))
        return paths

    monkeypatch.setattr(FileStore, "here", fetched)
    assert erase(remote, quiet).complete
    assert max(copies) == 1
    assert (scan(remote, [ADA]).found, identifiers_left(remote)) == ([], 0)
    with reading(remote) as con:
        assert con.execute("select * from profiles.user_profiles").fetchall() == [("bob",)]
        assert con.execute(f"select email from streams.{STREAM}").fetchall() == [("A@Example.com ",)]
    assert list(Path(remote.data_dir, "lake", "scratch").iterdir()) == []
    assert not files.files.names("profiles")
