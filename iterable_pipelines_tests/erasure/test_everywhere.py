"""A forgotten person is gone from every byte, others stay as they were, and nothing brings them back (X16, X17)."""

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from iterable_pipelines.erasure.certificate import certificates
from iterable_pipelines.erasure.errors import AlreadyErasing
from iterable_pipelines.erasure.run import erase, erasing, follow_up, identifiers_left
from iterable_pipelines.erasure.scan import scan
from iterable_pipelines.erasure.stores import STORES
from iterable_pipelines.erasure.warehouse import WarehouseFiles
from iterable_pipelines.hours import now
from iterable_pipelines.landing import Manifest
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse, content_of, replay, tables_of
from iterable_pipelines.streams.completeness import refresh, troubles
from iterable_pipelines_tests.erasure.people import (
    ADA,
    ADA_BEFORE,
    ADA_ID,
    BOB,
    CAT,
    START,
    forget,
    import_people,
    load,
)

NAMES = [ADA, ADA_BEFORE, ADA_ID]


@pytest.fixture
def people(project: Settings, manifest: Manifest, warehouse: Warehouse) -> Settings:
    import_people(project, manifest, warehouse)
    return project


def quiet(text: str) -> None:
    """Says nothing."""


def test_no_byte_of_the_person_is_left(people: Settings, warehouse: Warehouse) -> None:
    found = scan(people, NAMES).found
    assert {people.warehouse_path, people.published_path} <= set(found)
    assert sum(file.suffix == ".parquet" for file in found) == 6
    forget(people, ADA)
    certificate = erase(people, quiet)
    assert (certificate.persons, certificate.left, certificate.complete) == (1, 0, True)
    assert certificate.rows and certificate.mentions
    done = scan(people, NAMES)
    # x.ada.lovelace@… is another address, which Bob wrote of
    other = [file for file in done.found if "x.ada" not in _texts(file)]
    assert (other, done.unread) == ([], [])
    assert not scan(people, [ADA_BEFORE, ADA_ID]).found
    assert not list(people.data_dir.rglob("*.erasing*")) and not list((people.data_dir / "erasure").glob("scratch/*"))


def _texts(file: Path) -> str:
    if file.suffix == ".parquet":
        with duckdb.connect() as con:
            return str(con.execute("select string_agg(record, ' ') from read_parquet(?)", [str(file)]).fetchone())
    with duckdb.connect(file, read_only=True) as con:
        return str(
            con.execute("select string_agg(record::varchar, ' ') from streams.iterable_custom_activity").fetchone()
        )


def test_others_keep_their_rows_and_say_erased(people: Settings, warehouse: Warehouse) -> None:
    forget(people, ADA)
    erase(people, quiet)
    rows = warehouse.read("select user_key, record::varchar from streams.iterable_custom_activity order by created_at")
    assert [who for who, _ in rows] == [BOB, BOB]
    invited, by_id = (json.loads(record) for _, record in rows)
    assert (invited["friendEmail"], invited["note"]) == ("erased", f"asked erased, and x.{ADA}")
    assert (invited["link"], by_id["friend"], by_id["quantity"]) == ("?to=erased&n=1", {"id": "erased"}, "1815")
    users = warehouse.read("select user_key, record->>'$.referredBy' from streams.iterable_users order by 1")
    assert users == [(BOB, "erased"), (CAT, None)]
    assert warehouse.read("select count(*) from streams.iterable_activity where email = ?", [CAT]) == [(2,)]


def test_landing_the_load_log_and_completeness_agree(
    people: Settings, manifest: Manifest, warehouse: Warehouse
) -> None:
    def lacks() -> list[str]:
        with warehouse.transaction() as con:
            refresh(con, people, manifest, now(), since=START)
            found = troubles(con)
        return [str(each) for each in found if each.hour == START and "not landed" not in each.kind]

    assert not lacks()
    forget(people, ADA)
    erase(people, quiet)
    assert not lacks()
    # begun anew from the manifest alone, the parts of each fetch still add up
    warehouse.read("delete from streams.landed")
    assert not lacks()
    assert load(people, manifest, warehouse) == 0
    for data_type, rows in (("emailSend", 2), ("emailOpen", 2), ("customEvent", 2), ("emailClick", 0), ("user", 2)):
        part = manifest.current(data_type)[START]
        assert (part.rows, part.path is None) == (rows, rows == 0)


def test_replay_and_rebuild_make_equal_tables(people: Settings, manifest: Manifest, warehouse: Warehouse) -> None:
    forget(people, ADA)
    erase(people, quiet)
    streams = ["iterable_users", "iterable_activity", "iterable_custom_activity"]
    before = content_of(warehouse, tables_of(streams))
    for stream in streams:
        replay(warehouse, manifest, people, stream, log=quiet)
    assert content_of(warehouse, tables_of(streams)) == before
    assert identifiers_left(people) == 0


def test_a_held_warehouse_stays_open_and_the_next_run_finishes(people: Settings) -> None:
    forget(people, ADA)
    stores = (*STORES[:-1], WarehouseFiles(wait_seconds=0))
    holding = "import duckdb, sys; con = duckdb.connect(sys.argv[1]); print('held', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", holding, people.warehouse_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout and holder.stdout.readline()
        certificate = erase(people, quiet, stores)
        assert (set(certificate.open), certificate.complete) == ({"warehouse"}, False)
        assert "close that program" in certificate.open["warehouse"]
        assert {file.suffix for file in scan(people, [ADA_BEFORE]).found} <= {".duckdb"}
        holder.communicate("")
    certificate = erase(people, quiet, stores)
    assert certificate.complete
    assert not scan(people, [ADA_BEFORE, ADA_ID]).found


def test_one_erasure_at_a_time(people: Settings) -> None:
    with erasing(people), pytest.raises(AlreadyErasing, match="Nothing was changed"):
        erase(people, quiet)


def test_certificates_name_hashes_only(people: Settings, warehouse: Warehouse) -> None:
    said: list[str] = []
    forget(people, ADA)
    certificate = erase(people, said.append)
    follow_up(people, certificate, said.append)
    assert certificates(people) == [certificate]
    told = warehouse.read("select persons, rows, mentions, len(open), identifiers_left from erasure.certificates")
    assert told == [(1, certificate.rows, certificate.mentions, 0, 0)]
    kept = "".join(file.read_text() for file in (people.data_dir / "erasure" / "certificates").iterdir())
    assert not any(name in kept + "".join(said) for name in NAMES)
    with sqlite3.connect(people.data_dir / "erasure" / "tombstones.sqlite") as con:
        assert {kind for (kind,) in con.execute("select kind from tombstones")} == {"email", "user_id", "itbl_user_id"}


def test_the_warehouse_written_anew_is_the_same_but_for_the_person(people: Settings, warehouse: Warehouse) -> None:
    warehouse.read("create view streams.clicks as select * from iterable.streams.iterable_activity")
    warehouse.read("comment on table streams.iterable_users is 'people'")
    warehouse.read("comment on column streams.iterable_users.email is 'as it was sent'")
    warehouse.read("create index of_hours on streams.loads (hour)")
    schema = (
        "select sql, comment from duckdb_tables() union all select sql, comment from duckdb_views() where not internal "
        "union all select sql, null from duckdb_indexes() union all select table_name || column_name, comment from "
        "duckdb_columns() where comment is not null order by all"
    )
    kept = f"select rowid, * from streams.iterable_activity where user_key in ('{BOB}', '{CAT}') order by rowid"
    before, rows = warehouse.read(schema), [row[1:] for row in warehouse.read(kept)]
    (next_load,) = warehouse.read("select nextval('streams.load_ids')")[0]
    forget(people, ADA)
    erase(people, quiet)
    assert warehouse.read(schema) == before
    assert [row[1:] for row in warehouse.read(kept)] == rows
    # hours in which somebody was named were loaded once more
    assert warehouse.read("select nextval('streams.load_ids')")[0][0] > next_load
    assert not Path(f"{people.warehouse_path}.wal").exists()
