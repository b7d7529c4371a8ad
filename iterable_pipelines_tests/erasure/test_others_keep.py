"""What only looks like a person's stays: keys of other things, and what a run that is at work is writing."""

import json
from pathlib import Path

import duckdb

from iterable_pipelines.erasure.run import erase
from iterable_pipelines.erasure.stores import STORES
from iterable_pipelines.erasure.tables import Table
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse
from iterable_pipelines_tests.erasure.planted import ADA, BOB, bury, naming

SHORT_ID = "1815"


def test_a_product_with_the_number_of_a_person_stays(project: Settings, warehouse: Warehouse) -> None:
    with warehouse.transaction() as con:
        con.execute("create schema shop")
        con.execute(f"create table shop.products as select '{SHORT_ID}' as pk, 'a book' as name")
        con.execute("create schema two_way")
        con.execute(f"create table two_way.sync_rows as select '{SHORT_ID}' as pk, 'add' as op")
        con.execute("create schema activation")
        con.execute(f"create table activation.sync_rows as select '{SHORT_ID}' as pk, 'add' as op")
        con.execute(f"create table shop.people as select '{SHORT_ID}' as user_id, 'Ada' as name")
    bury(project, SHORT_ID)
    assert erase(project, print).complete
    tables = ("shop.people", "activation.sync_rows", "shop.products", "two_way.sync_rows")
    assert [warehouse.read(f"select count(*) from {table}") for table in tables] == [[(0,)], [(0,)], [(1,)], [(1,)]]


def test_what_is_being_published_is_left_to_whoever_publishes(project: Settings, warehouse: Warehouse) -> None:
    with warehouse.transaction() as con:
        con.execute("create schema shop")
        con.execute(f"create table shop.people as select * from (values ('{ADA}'), ('{BOB}')) t (email)")
    spill = Path(f"{project.warehouse_path}.tmp") / "duckdb_temp_storage-0.tmp"
    with warehouse.locked():
        # a copy that is half there, and a query that spills: both would be torn by whoever writes them anew
        half = project.published_path.with_suffix(".publishing")
        half.write_bytes(project.warehouse_path.read_bytes()[:20_000])
        spill.parent.mkdir()
        spill.write_text(json.dumps({"email": ADA}) + "\n")
        before = (half.stat().st_ino, spill.stat().st_ino)
        bury(project)
        stores = [each for each in STORES if each.name != "warehouse"]
        assert not erase(project, print, stores).open
        assert (half.stat().st_ino, spill.stat().st_ino) == before
    # nobody holds the warehouse any more: what was left is of somebody who was killed
    assert erase(project, print).complete
    assert naming(project.data_dir) == set()


def test_a_copy_that_was_killed_is_swept_though_nobody_is_found(project: Settings, warehouse: Warehouse) -> None:
    half = project.published_path.with_suffix(".publishing")
    with duckdb.connect(half) as con:
        con.execute(f"create table people as select '{ADA}' as email")
    bury(project)
    assert erase(project, print).complete
    assert not half.exists()


def test_a_table_of_the_row_log_is_of_the_person_whose_key_it_says() -> None:
    columns = (("pk", "VARCHAR"), ("Email", "VARCHAR"), ("user_id", "BIGINT"))
    assert Table("activation", "sync_rows", columns).owners == {"pk": "user_id", "Email": "email"}
    assert Table("two_way", "sync_rows", columns).owners == {"Email": "email"}
