"""Every stage that touches landed files leaves on S3 and PostgreSQL what it leaves in a folder with SQLite."""

import re
from pathlib import Path
from typing import Any

import duckdb

from iterable_pipelines.data_types import DATA_TYPE, STREAMS
from iterable_pipelines.erasure.run import erase
from iterable_pipelines.erasure.scan import scan
from iterable_pipelines.file_store import FileStore
from iterable_pipelines.hours import HOUR, Window
from iterable_pipelines.landing import Manifest, accept_loss
from iterable_pipelines.retention.files import take_files_out
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse, content_of, replay, tables_of
from iterable_pipelines.streams.completeness import refresh, troubles
from iterable_pipelines.webhooks.parts import WebhookParts
from iterable_pipelines_tests.erasure.people import ADA, BOB, START, forget, import_people, load
from iterable_pipelines_tests.kept_open import kept_open
from iterable_pipelines_tests.landing_by_hand import land
from iterable_pipelines_tests.webhooks.world import at, body, bring

TABLES = tables_of([each.name for each in STREAMS])
HELD = f'{{"email": "{BOB}", "createdAt": "{at(5, START)}"}}\n{{"email": "{ADA}", cut'
TOLD = [body("emailOpen", at(600, START), email=email, messageId=f"m-{email}") for email in (ADA, BOB)]
LATER = [body("emailClick", at(60, START + HOUR), email=email, messageId=f"l-{email}") for email in (ADA, BOB)]


def live(project: Settings, folder: Path) -> dict[str, Any]:
    """A small life of a project; returns what can be seen of it after each stage."""
    manifest, warehouse, store = Manifest.of(project), Warehouse.of(project), FileStore.of(project)
    warehouse.prepare()
    seen: dict[str, Any] = {}
    with kept_open(warehouse):
        import_people(project, manifest, warehouse)
        bring(project, manifest, warehouse, TOLD)
        bring(project, manifest, warehouse, LATER)
        land(project, manifest, "emailOpen", START, [], minutes_after=400)
        load(project, manifest, warehouse)
        seen["loaded"] = content_of(warehouse, TABLES)
        for stream in STREAMS:
            replay(warehouse, manifest, project, stream.name, log=lambda text: None)
        seen["replayed"] = content_of(warehouse, TABLES)
        hold(project, manifest, store, folder)
        with warehouse.transaction() as con:
            refresh(con, project, manifest, START + 4 * HOUR)
            seen["troubles"] = [each for each in troubles(con) if each.kind != "not landed"]
    held = [str(each) for each in scan(project, [ADA]).found if "part-" in str(each)]
    seen["ada before"] = sorted(each.rpartition("landing/")[2] for each in held)
    forget(project, ADA)
    erase(project, lambda text: None)
    seen["erased"] = content_of(warehouse, TABLES)
    (held,) = manifest.quarantined()
    part, lost = accept_loss(manifest, project, held)
    seen["accepted"] = (part.rows, lost, part.path)
    seen["files"] = store.sizes("events") | store.sizes("webhooks")
    names = [each for each in store.names() if each.split("/")[0] in ("events", "webhooks", "quarantine")]
    seen["ada"] = [file.name for file in store.here(names, folder / "all") if names_ada(file)]
    seen["manifest"] = {name: [part.path for part in manifest.current(name).values()] for name in DATA_TYPE}
    every = {stream.name: {START} for stream in STREAMS}
    seen["expired"] = take_files_out(project, manifest, every, WebhookParts(manifest).newest())
    seen["left"] = [name for name in store.names() if name.split("/")[0] in ("events", "webhooks", "quarantine")]
    return seen


def hold(project: Settings, manifest: Manifest, store: FileStore, folder: Path) -> None:
    """An hour in quarantine, of which one line can be read."""
    file, name = folder / "held", "quarantine/emailBounce-2026-11-01T03.ndjson"
    folder.mkdir()
    file.write_text(HELD)
    store.put(file, name)
    manifest.quarantine("emailBounce", Window.of_hour(START), START + 2 * HOUR, (2, 70, "not JSON"), name)


def names_ada(file: Path) -> bool:
    text = file.read_text(errors="replace")
    if file.suffix == ".parquet":
        with duckdb.connect() as con:
            text = "\n".join(
                row for (row,) in con.execute(f"select landed::varchar from '{file}' as landed").fetchall()
            )
    # x.ada… is the address of somebody else
    return bool(re.search(rf"(?<!x\.){re.escape(ADA)}", text, re.IGNORECASE))


def test_a_life_on_s3_and_postgresql_is_that_in_a_folder(
    elsewhere: Settings, project: Settings, tmp_path: Path
) -> None:
    here = live(project, tmp_path / "here")
    assert here == live(elsewhere, tmp_path / "there")
    # and it was a life
    assert here["loaded"] == here["replayed"] != here["erased"]
    assert here["accepted"][:2] == (1, 1)
    assert here["ada"] == [] and len(here["ada before"]) > 5 and len(here["files"]) > 5
    assert [str(each.kind) for each in here["troubles"]] == ["in quarantine"]
    assert here["expired"][0] > 5 and all("hour=2026-11-01T03" not in name for name in here["left"])
    # nothing of an object store stays on this machine but what runs it
    left = [file for file in (elsewhere.data_dir / "landing").rglob("*") if file.is_file()]
    assert left == []
