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
from iterable_pipelines.hours import Window, now, parse_hour
from iterable_pipelines.landing import Manifest
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse, content_of, replay, tables_of
from iterable_pipelines.streams.completeness import refresh, troubles
from iterable_pipelines.webhooks.parts import WebhookPart, WebhookParts
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


def test_tables_of_anybody_lose_rows_or_say_erased(people: Settings, warehouse: Warehouse) -> None:
    warehouse.read("create schema sales")
    warehouse.read(f"create table sales.orders as select '{ADA}' as Email, 1 as n union all select '{BOB}', 2")
    warehouse.read("create table sales.notes (title varchar primary key, n integer)")
    warehouse.read(f"insert into sales.notes values ('{ADA}', 1), ('for {ADA}', 2), ('for x.{ADA}', 3)")
    warehouse.read(
        f"create table sales.talks as select ['{ADA}', 'b'] as who, map {{'to': '{ADA}'}} as how, "
        f"{{'a': 'to {ADA}', 'n': 7}} as what, 'told {ADA_BEFORE}' as told"
    )
    forget(people, ADA)
    assert erase(people, quiet).complete
    assert warehouse.read("from sales.orders") == [(BOB, 2)]
    # what would be the same key twice goes; an address that only ends alike stays
    assert warehouse.read("from sales.notes") == [(f"for x.{ADA}", 3)]
    told = warehouse.read("from sales.talks")
    assert told == [(["erased", "b"], {"to": "erased"}, {"a": "to erased", "n": 7}, "told erased")]


def test_webhooks_in_landing_lose_their_bodies(people: Settings, manifest: Manifest) -> None:
    parts = WebhookParts(manifest)
    path = "webhooks/hour=2026-11-01T03/part-0000000000000000.parquet"
    file = people.landing_dir / path
    file.parent.mkdir(parents=True)
    bodies = [
        {"email": ADA, "eventName": "emailOpen", "dataFields": {"createdAt": "2026-11-01 03:00:00 +00:00"}},
        {"eventName": "pushOpen", "dataFields": {"userId": ADA_ID, "email": None}},
        {"email": BOB, "eventName": "customEvent", "dataFields": {"email": BOB, "friend": ADA}},
    ]
    with duckdb.connect() as con:
        con.execute(
            "create table bodies (data_type varchar, created_at timestamp, digest varchar, received_at timestamp, "
            "body varchar)"
        )
        con.executemany("insert into bodies values ('x', null, 'd', null, ?)", [[json.dumps(body)] for body in bodies])
        con.execute(f"copy bodies to '{file}' (format parquet, compression zstd)")
    parts.add([WebhookPart(START, 3, file.stat().st_size, "0", path, START, START, "run")])
    forget(people, ADA)
    assert erase(people, quiet).complete
    with duckdb.connect() as con:
        (left,) = con.execute("select list(body) from read_parquet(?)", [str(file)]).fetchone() or ([],)
    assert [json.loads(body)["dataFields"] for body in left] == [{"email": BOB, "friend": "erased"}]
    assert [part.rows for part in parts.after(0)] == [1]


def test_downloads_in_quarantine_keep_the_lines_of_others(people: Settings, manifest: Manifest) -> None:
    kept = people.landing_dir / "quarantine" / "emailClick-2026-11-01T07.ndjson"
    kept.parent.mkdir()
    lines = [json.dumps({"email": ADA}), json.dumps({"email": BOB, "by": ADA}), '{"email": "' + ADA + '", "cut', "{}"]
    kept.write_text("\n".join(lines) + "\n")
    hour = parse_hour("2026-11-01T07")
    manifest.quarantine("emailClick", Window.of_hour(hour), hour, (3, 70, "not JSON"), f"quarantine/{kept.name}")
    forget(people, ADA)
    assert erase(people, quiet).complete
    assert kept.read_text().splitlines() == [
        json.dumps({"email": BOB, "by": "erased"}),
        '{"email": "erased", "cut',
        "{}",
    ]
    assert [(each.line, each.byte_offset) for each in manifest.quarantined()] == [
        (2, len(kept.read_text().splitlines()[0]) + 1)
    ]
