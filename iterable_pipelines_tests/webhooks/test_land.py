"""From the spool to the tables: nothing lost, nothing twice, whatever breaks in between."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import duckdb
import pytest

from iterable_pipelines.hours import HOUR
from iterable_pipelines.landing import Manifest
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse, WarehouseLocked
from iterable_pipelines.streams.webhooks import load_webhooks
from iterable_pipelines.webhooks import land as landing
from iterable_pipelines.webhooks.body import read_body
from iterable_pipelines.webhooks.parts import WebhookParts
from iterable_pipelines_tests.webhooks.world import START, at, body, bring, move, receive, rows, silent, spool_of

STREAM = "iterable_activity"
KILLED = -9
RECEIVED = START + 3 * HOUR
TOLD = [body("emailOpen", at(n, START + n % 3 * HOUR), messageId=f"m{n}") for n in range(60)]


def messages(warehouse: Warehouse) -> Counter[str]:
    return Counter(name for (name,) in rows(warehouse, STREAM, "message_id"))


def process(data: Path, crash_at: str = "") -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"ITERABLE_DATA_DIR": str(data), "ITERABLE_START_DATE": "2026-11-01"}
    if crash_at:
        environment["ITERABLE_CRASH_AT"] = crash_at
    command = [sys.executable, "-m", "iterable_pipelines_tests.webhooks.move_and_load"]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize(
    "step", ["webhooks_cut", "webhooks_kept", "webhooks_in_manifest", "before_commit", "after_commit"]
)
def test_killed_anywhere_every_body_is_there_once(
    project: Settings, manifest: Manifest, warehouse: Warehouse, step: str
) -> None:
    receive(project, TOLD[:40], RECEIVED)
    killed = process(project.data_dir, crash_at=step)
    assert killed.returncode == KILLED, killed.stderr
    assert f"crashpoint {step}" in killed.stderr
    # others have come since, and some were sent once more
    receive(project, TOLD[30:], RECEIVED)
    again = process(project.data_dir)
    assert again.returncode == 0, again.stderr
    assert messages(warehouse) == Counter(f"m{n}" for n in range(60))
    assert spool_of(project).level().queued == 0
    assert list((project.landing_dir / "scratch").iterdir()) == []


def test_a_body_that_breaks_the_conversion_is_found_and_put_aside_after_five_tries(
    project: Settings, manifest: Manifest, warehouse: Warehouse
) -> None:
    receive(project, TOLD[:20], RECEIVED)
    # what the receiver could not read was put aside at once; somebody has queued it again
    poison = [b'{"eventName": "emailOpen"', b"\xff\xfe", b"{'a': 1}"]
    receive(project, poison, RECEIVED)
    spool = spool_of(project)
    assert spool.queue_again() == 3
    receive(project, TOLD[20:], RECEIVED)
    first = move(project, manifest)
    assert (first.bodies, first.failed, first.aside) == (60, 3, 0)
    load_webhooks(warehouse, manifest, project, "run", log=silent)
    assert messages(warehouse) == Counter(f"m{n}" for n in range(60))
    assert [move(project, manifest).aside for _ in range(5)] == [0, 0, 0, 3, 0]
    assert (spool.level().queued, spool.level().aside) == (0, 3)
    aside = spool.set_aside()
    assert [each.raw for each in aside] == poison
    assert all(each.aside and "emailOpen" not in each.aside for each in aside)


def test_files_are_of_one_hour_and_hold_the_bodies_as_they_came(project: Settings, manifest: Manifest) -> None:
    odd = b'{ "eventName" :"emailOpen","dataFields":{"createdAt":"2026-11-01 00:00:01 +00:00","n":1.50,"x":"\\u00fc"}}'
    receive(project, [odd, *TOLD], RECEIVED)
    moved = move(project, manifest)
    assert [part.hour for part in moved.parts] == [START, START + HOUR, START + 2 * HOUR]
    parts = WebhookParts(manifest)
    assert [each.path for each in parts.after(0)] == [each.path for each in moved.parts]
    (first,) = parts.of_hours([START])
    file = project.landing_dir / first.path
    assert file.stat().st_size == first.bytes
    with duckdb.connect() as con:
        found = con.execute(f"select body, digest, data_type from '{file}' where digest = '{read_body(odd).digest}'")
        assert found.fetchall() == [(odd.decode(), read_body(odd).digest, "emailOpen")]
    assert sum(part.rows for part in moved.parts) == 61


def test_a_move_takes_no_more_than_fits_into_memory(
    project: Settings, manifest: Manifest, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landing, "_BYTES_AT_ONCE", 1_500)
    monkeypatch.setattr(landing, "_MOVES", 4)
    receive(project, [body("emailOpen", at(1), pad="x" * 10_000), *TOLD], RECEIVED)
    spool = spool_of(project)
    # one that is larger than all that is allowed comes alone
    assert [len(spool.queued(100, 1_500)), len(spool.queued(100, 20_000))] == [1, 61]
    assert move(project, manifest).bodies < 61
    while spool.level().queued:
        move(project, manifest)
    load_webhooks(warehouse, manifest, project, "run", log=silent)
    assert messages(warehouse).total() == 61


def test_a_warehouse_that_is_locked_for_long_drains_later(
    project: Settings, manifest: Manifest, warehouse: Warehouse
) -> None:
    bring(project, manifest, warehouse, TOLD[:5], RECEIVED)
    hold = f"import duckdb; con = duckdb.connect({str(warehouse.path)!r}); print('held', flush=True); input()"
    holder = subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdin and holder.stdout
    holder.stdout.readline()
    for n in range(5, 60, 11):
        receive(project, TOLD[n : n + 11], RECEIVED)
        move(project, manifest)
        with pytest.raises(WarehouseLocked, match="Stored data is safe"):
            load_webhooks(warehouse, manifest, project, "run", log=silent)
    holder.communicate(b"\n")
    load_webhooks(warehouse, manifest, project, "run", log=silent)
    assert messages(warehouse) == Counter(f"m{n}" for n in range(60))


def test_a_landed_file_that_is_gone_is_named(project: Settings, manifest: Manifest, warehouse: Warehouse) -> None:
    receive(project, TOLD[:1], RECEIVED)
    (part,) = move(project, manifest).parts
    (project.landing_dir / part.path).unlink()
    with pytest.raises(FileNotFoundError, match=part.path):
        load_webhooks(warehouse, manifest, project, "run", log=silent)


def test_a_manifest_that_was_begun_anew_swallows_nothing(
    project: Settings, manifest: Manifest, warehouse: Warehouse
) -> None:
    for each in TOLD[:9:3]:
        bring(project, manifest, warehouse, [each], RECEIVED)
    for file in project.landing_dir.glob("manifest.db*"):
        file.unlink()
    anew = Manifest(project.landing_dir)
    for each in TOLD[9:27:3]:
        bring(project, anew, warehouse, [each], RECEIVED)
    assert messages(warehouse) == Counter(f"m{n}" for n in range(0, 27, 3))


def test_a_folder_may_have_any_name(project: Settings) -> None:
    odd = project.model_copy(update={"data_dir": project.data_dir / "it's [all] here"})
    warehouse = Warehouse.of(odd, log=silent)
    warehouse.prepare()
    bring(odd, Manifest(odd.landing_dir), warehouse, TOLD, RECEIVED)
    assert messages(warehouse).total() == 60
