"""A listing into its table: what changed, what vanished, what is odd, and what failed."""

import json
from pathlib import Path

import pytest

from iterable_pipelines.api import IterableError
from iterable_pipelines.objects import OBJECT_TYPE
from iterable_pipelines.objects.store import store
from iterable_pipelines.sandbox.server import Sandbox
from iterable_pipelines.streams import Warehouse
from iterable_pipelines_tests.objects.conftest import Refresh


def listing(folder: Path, *records: dict) -> Path:
    """A complete listing as `fetch` would have written it."""
    file = folder / "listing.ndjson"
    lines = [
        json.dumps({"line": line, "asked": {}, "record": record}, sort_keys=True) for line, record in enumerate(records)
    ]
    file.write_text("".join(f"{line}\n" for line in lines))
    return file


def test_archived_journeys_are_there_too(refresh: Refresh, warehouse: Warehouse) -> None:
    refresh("journeys")
    counts = dict(warehouse.read("select is_archived, count(*) from objects.journeys group by 1"))
    assert counts[True] > 0
    assert counts[False] > 0


def test_only_what_changed_gets_a_new_load_id(warehouse: Warehouse, tmp_path: Path) -> None:
    kind = OBJECT_TYPE["channels"]
    one, two = {"id": 1, "name": "a"}, {"id": 2, "name": "b"}
    store(warehouse, kind, listing(tmp_path, one, two), "run")
    first = dict(warehouse.read("select id, _load_id from objects.channels"))
    stored = store(warehouse, kind, listing(tmp_path, one, {"id": 2, "name": "B"}), "run")
    second = dict(warehouse.read("select id, _load_id from objects.channels"))
    assert (stored.rows, stored.changed, stored.gone) == (2, 1, 0)
    assert second[1] == first[1]
    assert second[2] > first[2]


def test_the_vanished_stay_and_may_return(warehouse: Warehouse, tmp_path: Path) -> None:
    kind = OBJECT_TYPE["channels"]
    one, two = {"id": 1, "name": "a"}, {"id": 2, "name": "b"}
    state = "select id, name, _gone_at is not null from objects.channels order by id"
    store(warehouse, kind, listing(tmp_path, one, two), "run")
    assert store(warehouse, kind, listing(tmp_path, one), "run").gone == 1
    assert warehouse.read(state) == [(1, "a", False), (2, "b", True)]
    assert store(warehouse, kind, listing(tmp_path, one), "run").gone == 0
    assert store(warehouse, kind, listing(tmp_path, one, two), "run").changed == 1
    assert warehouse.read(state) == [(1, "a", False), (2, "b", False)]
    assert store(warehouse, kind, listing(tmp_path), "run").gone == 2
    assert warehouse.read(state) == [(1, "a", True), (2, "b", True)]


def test_on_a_disk_that_is_nearly_full_nothing_is_asked(
    sandbox: Sandbox, refresh: Refresh, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("iterable_pipelines.landing.scratch._SPARE_BYTES", 1 << 60)
    with pytest.raises(OSError, match="MiB are free"):
        refresh("channels")
    assert not sandbox.requests("/api/channels")


def test_a_row_that_moved_between_pages_stands_once(warehouse: Warehouse, tmp_path: Path) -> None:
    file = listing(tmp_path, {"id": 1, "name": "early"}, {"id": 1, "name": "late"})
    assert store(warehouse, OBJECT_TYPE["channels"], file, "run").rows == 1
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
    store(warehouse, OBJECT_TYPE["campaigns"], listing(tmp_path, odd), "run")
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


def test_a_failed_fetch_changes_nothing(sandbox: Sandbox, refresh: Refresh, warehouse: Warehouse) -> None:
    refresh("journeys")
    before = warehouse.read("select * from objects.journeys order by id")
    # the first pass comes, the second does not: marking its journeys as gone would be wrong
    sandbox.fault("status", "/api/journeys", match={"state": "Archived"}, status=500)
    with pytest.raises(IterableError):
        refresh("journeys")
    assert warehouse.read("select * from objects.journeys order by id") == before
    assert warehouse.read("select count(*) from objects.refreshes where name = 'journeys'") == [(1,)]


def test_a_pass_that_is_refused_takes_nothing_for_gone(
    sandbox: Sandbox, refresh: Refresh, warehouse: Warehouse
) -> None:
    refresh("templates")
    before = warehouse.read("select * from objects.templates order by id")
    sandbox.fault("status", "/api/templates", match={"messageMedium": "SMS"}, times=None, status=400)
    done = refresh("templates")
    assert len(done.notes) == 4
    assert warehouse.read("select * from objects.templates order by id") == before


def test_every_refresh_is_logged(refresh: Refresh, warehouse: Warehouse) -> None:
    rows = refresh("templates").stored.rows
    logged = warehouse.read("select name, rows, changed, gone, requests, run_id from objects.refreshes")
    assert logged == [("templates", rows, rows, 0, 16, "run")]
