"""A project in which Ada stands in every store there is: what several tests of erasure begin with."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from iterable_pipelines.hours import parse_hour
from iterable_pipelines.landing import Manifest
from iterable_pipelines.settings import Settings
from iterable_pipelines.sqlite_file import sqlite_file
from iterable_pipelines.streams import Warehouse, load_hours
from iterable_pipelines.streams.webhooks import load_webhooks
from iterable_pipelines.track_calls import TrackCallsFailed, load_destinations, send
from iterable_pipelines.webhooks.body import read_body
from iterable_pipelines.webhooks.land import land as land_webhooks
from iterable_pipelines.webhooks.spool import Spool
from iterable_pipelines_tests.activation.conftest import Activation
from iterable_pipelines_tests.erasure.planted import ADA, ADA_ID, BOB, BOB_ID
from iterable_pipelines_tests.landing_by_hand import land

HOUR = parse_hour("2026-11-01T03")
CY = "cy@example.com"
PEOPLE = (
    "select * from (values "
    f"(1, '{ADA}', '{ADA_ID}', 'a'), (2, '{BOB}', '{BOB_ID}', 'b'), (3, '{CY}', null, 'asked for {ADA}')"
    ") t (id, email, user_id, note)"
)
USERS = (
    "object: user\nsource: m.people\nprimary_key: id\nmatch: {column: email, field: email}\nmode: mirror\n"
    "on_leave: null_fields\nfields: {note: note}\n"
)
MEMBERS = (
    "object: list\nsource: m.people\nprimary_key: email\nmatch: {column: email, field: email}\nmode: mirror\n"
    "list: {name: friends, create: true}\n"
)


def quiet(text: str) -> None:
    """For whom nobody listens to."""


def click(minute: int, **fields: Any) -> dict[str, Any]:
    """A click as an export has it."""
    return {"createdAt": f"2026-11-01 03:{minute:02d}:00 +00:00", "url": "https://a.b", "campaignId": 7, **fields}


HERS = click(1, email=ADA, userId=ADA_ID)
HIS = click(2, email=BOB, userId=BOB_ID)
NAMES_HER = click(3, email=CY, url=f"https://a.b/?from={ADA.replace('@', '%40')}&x=1")


def body(record: dict[str, Any]) -> bytes:
    """A webhook of an event."""
    return json.dumps({"eventName": "emailClick", "email": record["email"], "dataFields": record}).encode()


def fill(here: Activation) -> None:
    """Everything that a project does, with Ada, Bob who stays, and Cy whose rows name Ada."""
    settings, data = here.settings, here.settings.data_dir
    import_hour(settings)
    spool = Spool(settings.spool_path)
    spool_bodies(settings, click(11, email=ADA), click(12, email=BOB))
    land_webhooks(spool, Manifest(settings.landing_dir), settings, "run", quiet)
    load_webhooks(Warehouse.of(settings, quiet), Manifest(settings.landing_dir), settings, "run", quiet)
    spool_bodies(settings, click(21, email=ADA), click(22, email=BOB), {**NAMES_HER, "campaignId": 8})
    spool.add([(read_body(f'{{"email": "{ADA}", broken'.encode()), datetime.now(UTC))])
    here.sync("users", USERS)
    here.sync("members", MEMBERS)
    here.table("m.people", PEOPLE)
    for name in ("users", "members"):
        assert here.run(name).status == "succeeded"
    _track_calls(settings)
    for file in ("exports/clicks.ndjson", "exports/clicks.csv.gz", "exports/clicks.parquet"):
        (data / file).parent.mkdir(exist_ok=True)
        _export(data / file)
    with duckdb.connect(data / "imports.duckdb") as con:
        con.execute(f"create table users as {PEOPLE}")
    with sqlite_file(data / "activation" / "calls.sqlite") as sqlite:
        sqlite.execute("create table calls (arguments text)")
        sqlite.execute("insert into calls values (?)", [json.dumps({"recipientEmail": ADA, "campaignId": 7})])


def import_hour(settings: Settings, minutes_after: int = 10) -> None:
    """Land an hour of clicks and users, and load it."""
    manifest, warehouse = Manifest(settings.landing_dir), Warehouse.of(settings, quiet)
    land(settings, manifest, "emailClick", HOUR, [HERS, HIS, NAMES_HER], minutes_after)
    users = [{"email": each["email"], "userId": each.get("userId"), "profileUpdatedAt": each["createdAt"]}
             for each in (HERS, HIS, NAMES_HER)]  # fmt: skip
    land(settings, manifest, "user", HOUR, users, minutes_after)
    warehouse.prepare()
    for stream in ("iterable_activity", "iterable_users"):
        load_hours(warehouse, manifest, settings, stream, [HOUR], "run", log=quiet)
    warehouse.publish()


def spool_bodies(settings: Settings, *records: dict[str, Any]) -> None:
    """Receive webhooks."""
    Spool(settings.spool_path).add([(read_body(body(each)), datetime.now(UTC)) for each in records])


def _track_calls(settings: Settings) -> None:
    """Calls that wait, because nobody takes them."""
    folder = settings.project_root / "track_calls"
    folder.mkdir()
    (folder / "nobody.yml").write_text("to: {url_env: NOBODY}\nsince: 2026-11-01\n")
    (destination,) = load_destinations(settings)
    try:
        send(settings, destination, quiet)
    except TrackCallsFailed:
        return
    raise AssertionError("somebody took them")


def _export(to: Path) -> None:
    rows = f"select email, note, id from ({PEOPLE})"
    kind = {".ndjson": "json", ".gz": "csv, compression gzip", ".parquet": "parquet"}[to.suffix]
    duckdb.execute(f"copy ({rows}) to '{to}' (format {kind})")
