"""Objects from the sandbox into their tables: everything, once, with its history."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC
from pathlib import Path

import pytest

from iterable_pipelines.api import Iterable, IterableError, Ledger, Patience
from iterable_pipelines.hours import parse_hour
from iterable_pipelines.objects import OBJECT_TYPE, OBJECT_TYPES
from iterable_pipelines.objects.refresh import refresh_object
from iterable_pipelines.objects.store import store
from iterable_pipelines.sandbox import running_sandbox
from iterable_pipelines.sandbox.server import Sandbox
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    # a world that stands still: nothing may change between two refreshes
    with running_sandbox(users=5, start=parse_hour("2026-10-01"), end=parse_hour("2026-11-01")) as running:
        yield running


@pytest.fixture
def client(sandbox: Sandbox, project: Settings) -> Iterable:
    return Iterable(sandbox.key, sandbox.url, Ledger(project.ledger_path), patience=Patience(attempts=1))


def refreshed(client: Iterable, warehouse: Warehouse, project: Settings, name: str) -> tuple[int, int, int]:
    done = refresh_object(client, warehouse, project, name, "run", log=lambda text: None)
    return done.rows, done.changed, done.gone


def listing(folder: Path, *records: dict) -> Path:
    """A complete listing as `fetch` would have written it."""
    file = folder / "listing.ndjson"
    lines = [
        json.dumps({"line": line, "asked": {}, "record": record}, sort_keys=True) for line, record in enumerate(records)
    ]
    file.write_text("".join(f"{line}\n" for line in lines))
    return file


@pytest.mark.parametrize("name", [kind.name for kind in OBJECT_TYPES])
def test_everything_arrives_and_a_second_refresh_changes_nothing(
    name: str, client: Iterable, warehouse: Warehouse, project: Settings
) -> None:
    rows, changed, gone = refreshed(client, warehouse, project, name)
    assert rows == changed > 0
    assert gone == 0
    before = warehouse.read(f"select * from objects.{name} order by id")
    assert refreshed(client, warehouse, project, name) == (rows, 0, 0)
    assert warehouse.read(f"select * from objects.{name} order by id") == before
    assert len(before) == rows


def test_all_pages_of_the_campaigns(
    sandbox: Sandbox, client: Iterable, warehouse: Warehouse, project: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = {each.id: each for each in sandbox.world.objects.campaigns(int(sandbox.world.now().timestamp()))}
    monkeypatch.setitem(OBJECT_TYPE, "campaigns", replace(OBJECT_TYPE["campaigns"], page_size=7))
    done = refresh_object(client, warehouse, project, "campaigns", "run", log=lambda text: None)
    assert done.requests == -(-len(expected) // 7)
    for key, name, created, record in warehouse.read("select id, name, created_at, record from objects.campaigns"):
        assert name == expected[key].name
        assert created.replace(tzinfo=UTC).timestamp() == expected[key].created
        assert json.loads(record) == expected[key].as_json()
    assert warehouse.read("select count(*) from objects.campaigns") == [(len(expected),)]


def test_templates_say_what_they_were_asked_for(
    sandbox: Sandbox, client: Iterable, warehouse: Warehouse, project: Settings
) -> None:
    refreshed(client, warehouse, project, "templates")
    expected = {
        (each.template_id, each.template_type, each.medium)
        for each in sandbox.world.objects.campaigns(int(sandbox.world.now().timestamp()))
        if each.medium in ("Email", "Push", "InApp", "SMS")
    }
    assert set(warehouse.read("select id, template_type, message_medium from objects.templates")) == expected


def test_archived_journeys_are_there_too(client: Iterable, warehouse: Warehouse, project: Settings) -> None:
    refreshed(client, warehouse, project, "journeys")
    counts = dict(warehouse.read("select is_archived, count(*) from objects.journeys group by 1"))
    assert counts[True] > 0
    assert counts[False] > 0


def test_only_what_changed_gets_a_new_load_id(warehouse: Warehouse, tmp_path: Path) -> None:
    kind = OBJECT_TYPE["channels"]
    one, two = {"id": 1, "name": "a"}, {"id": 2, "name": "b"}
    store(warehouse, kind, listing(tmp_path, one, two), 1, "run")
    first = dict(warehouse.read("select id, _load_id from objects.channels"))
    stored = store(warehouse, kind, listing(tmp_path, one, {"id": 2, "name": "B"}), 1, "run")
    second = dict(warehouse.read("select id, _load_id from objects.channels"))
    assert (stored.rows, stored.changed, stored.gone) == (2, 1, 0)
    assert second[1] == first[1]
    assert second[2] > first[2]


def test_the_vanished_stay_and_may_return(warehouse: Warehouse, tmp_path: Path) -> None:
    kind = OBJECT_TYPE["channels"]
    one, two = {"id": 1, "name": "a"}, {"id": 2, "name": "b"}
    state = "select id, name, _gone_at is not null from objects.channels order by id"
    store(warehouse, kind, listing(tmp_path, one, two), 1, "run")
    assert store(warehouse, kind, listing(tmp_path, one), 1, "run").gone == 1
    assert warehouse.read(state) == [(1, "a", False), (2, "b", True)]
    assert store(warehouse, kind, listing(tmp_path, one), 1, "run").gone == 0
    assert store(warehouse, kind, listing(tmp_path, one, two), 1, "run").changed == 1
    assert warehouse.read(state) == [(1, "a", False), (2, "b", False)]
    assert store(warehouse, kind, listing(tmp_path), 1, "run").gone == 2
    assert warehouse.read(state) == [(1, "a", True), (2, "b", True)]


def test_a_row_that_moved_between_pages_stands_once(warehouse: Warehouse, tmp_path: Path) -> None:
    file = listing(tmp_path, {"id": 1, "name": "early"}, {"id": 1, "name": "late"})
    assert store(warehouse, OBJECT_TYPE["channels"], file, 1, "run").rows == 1
    assert warehouse.read("select id, name from objects.channels") == [(1, "late")]


def test_odd_values_stay_readable_in_the_record(warehouse: Warehouse, tmp_path: Path) -> None:
    odd = {
        "id": 9_007_199_254_740_993,
        "name": 'a "quoted" \\ Größe ★',
        "campaignState": "Recalling",
        "sendSize": "many",
        "createdAt": 1_618_417_387_154,
        "endedAt": "2021-04-14 16:53:07 +00:00",
        "startAt": None,
        "listIds": [1, 2],
        "nobody.knows": {"this": [None]},
    }
    store(warehouse, OBJECT_TYPE["campaigns"], listing(tmp_path, odd), 1, "run")
    columns = "id, name, campaign_state, send_size, created_at::text, ended_at::text, start_at, list_ids, record"
    (found,) = warehouse.read(f"select {columns} from objects.campaigns")
    assert found[:8] == (
        9_007_199_254_740_993,
        'a "quoted" \\ Größe ★',
        "Recalling",
        None,
        "2021-04-14 16:23:07.154",
        "2021-04-14 16:53:07",
        None,
        "[1,2]",
    )
    assert json.loads(found[8]) == odd


def test_a_failed_fetch_changes_nothing(
    sandbox: Sandbox, client: Iterable, warehouse: Warehouse, project: Settings
) -> None:
    refreshed(client, warehouse, project, "journeys")
    before = warehouse.read("select * from objects.journeys order by id")
    # the first pass comes, the second does not: marking its journeys as gone would be wrong
    sandbox.fault("status", "/api/journeys", match={"state": "Archived"}, status=500)
    with pytest.raises(IterableError):
        refreshed(client, warehouse, project, "journeys")
    assert warehouse.read("select * from objects.journeys order by id") == before
    assert warehouse.read("select count(*) from objects.refreshes where name = 'journeys'") == [(1,)]


def test_every_refresh_is_logged(client: Iterable, warehouse: Warehouse, project: Settings) -> None:
    rows, _, _ = refreshed(client, warehouse, project, "templates")
    logged = warehouse.read("select name, rows, changed, gone, requests, run_id from objects.refreshes")
    assert logged == [("templates", rows, rows, 0, 16, "run")]
