"""What leaves, what must stay, and that nobody fetches or loads again what has left."""

import hashlib
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iterable_pipelines.hours import HOUR, Window, hour_key
from iterable_pipelines.landing import Manifest
from iterable_pipelines.landing.behind import hours_behind
from iterable_pipelines.landing.expired import ExpiredHours
from iterable_pipelines.landing.plan import hours_due
from iterable_pipelines.retention.due import NOT_AUDITED, NOT_COUNTED, NOT_LANDED, NOT_LOADED, QUARANTINED
from iterable_pipelines.retention.run import let_go, look
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse, replay
from iterable_pipelines.streams.completeness import progress, refresh
from iterable_pipelines.streams.tables import next_load_id
from iterable_pipelines.webhooks.parts import WebhookPart, WebhookParts
from iterable_pipelines_tests.kept_open import kept_open
from iterable_pipelines_tests.landing_by_hand import land
from iterable_pipelines_tests.retention.old_hours import (
    ADA,
    BOB,
    DAYS,
    EIGHT_DAYS,
    EMAIL,
    HOURS,
    MOMENT,
    PURCHASE,
    START,
    TYPES,
    event,
    files,
    import_hour,
    load,
    note_built,
    project_of,
)  # fmt: skip

_ACTIVITY = (
    "select user_key, data_type, campaign_id, campaign_name, events, total::double from streams.expired_activity"
)


@pytest.fixture
def old(project: Settings, manifest: Manifest, warehouse: Warehouse) -> Settings:
    """The project of `old_hours`, imported, loaded, and counted as it seems."""
    old = project_of(project)
    for hour in HOURS:
        import_hour(old, manifest, hour)
    load(old, manifest, warehouse)
    note_built(warehouse)
    return old


def rows_of(warehouse: Warehouse, stream: str) -> dict[str, int]:
    found = warehouse.read(f"select strftime(_hour, '%Y-%m-%dT%H'), count(*) from streams.{stream} group by 1")
    return dict(found)


def go(warehouse: Warehouse, manifest: Manifest, project: Settings, moment: datetime = MOMENT) -> dict[str, int]:
    return let_go(warehouse, manifest, project, moment, lambda text: None).rows


def test_old_hours_leave_with_their_files(old: Settings, manifest: Manifest, warehouse: Warehouse) -> None:
    # a file of an earlier pass lies beside the one that counts
    land(old, manifest, "emailSend", START, [event(BOB, START)], EIGHT_DAYS - 60)
    before = len(list((old.landing_dir / "events").rglob("*.parquet")))
    left = let_go(warehouse, manifest, old, MOMENT, lambda text: None)
    assert (left.hours, left.rows, left.held) == ({EMAIL: 2}, {EMAIL: 6}, {})
    assert (before, left.files) == (10, 5)
    assert left.landing_bytes > 0
    assert rows_of(warehouse, EMAIL) == {hour_key(HOURS[2]): 3}
    assert len(rows_of(warehouse, PURCHASE)) == 3
    assert files(old) == sorted(
        [f"{hour_key(hour)} purchase" for hour in HOURS] + [f"{hour_key(HOURS[2])} {name}" for name in TYPES[:2]]
    )
    assert sorted(warehouse.read(_ACTIVITY)) == [
        (ADA, "emailOpen", 1, "one", 2, None),
        (ADA, "emailSend", 1, "one", 2, None),
        (BOB, "emailSend", 1, "one", 2, None),
    ]
    # what the manifest knew of them it still knows
    assert manifest.current("emailSend")[START].rows == 2


def test_nothing_is_left_to_do_afterwards(old: Settings, manifest: Manifest, warehouse: Warehouse) -> None:
    go(warehouse, manifest, old)
    assert go(warehouse, manifest, old) == {EMAIL: 0}
    assert len(warehouse.read(_ACTIVITY)) == 3
    behind = hours_behind(old, manifest, HOURS[2] + 3 * HOUR)
    assert not any(behind.values())
    assert hours_due(manifest, old, "emailSend", HOURS, MOMENT, refetch=True) == [HOURS[2]]
    assert load(old, manifest, warehouse) == 0
    with warehouse.transaction() as con:
        refresh(con, old, manifest, HOURS[2] + HOUR, since=START)
        states = {each.stream: each.states for each in progress(con)}
        troubled = con.execute("select count(*) from streams.completeness where trouble is not null").fetchone()
    assert troubled == (0,)
    assert (states[EMAIL]["expired"], states[EMAIL]["audited"], states[PURCHASE]["audited"]) == (2, 1, 3)


def test_a_rebuild_leaves_what_has_left(old: Settings, manifest: Manifest, warehouse: Warehouse) -> None:
    go(warehouse, manifest, old)
    loads = "select data_type, hour, rows from streams.loads order by all"
    before = warehouse.read(loads)
    assert replay(warehouse, manifest, old, EMAIL, log=lambda text: None) == 3
    assert warehouse.read(loads) == before
    assert rows_of(warehouse, EMAIL) == {hour_key(HOURS[2]): 3}


def test_a_lost_warehouse_does_not_call_them_missing(old: Settings, manifest: Manifest, warehouse: Warehouse) -> None:
    go(warehouse, manifest, old)
    warehouse.path.unlink()
    warehouse.prepare()
    assert replay(warehouse, manifest, old, EMAIL, log=lambda text: None) == 3
    with warehouse.transaction() as con:
        refresh(con, old, manifest, HOURS[2] + HOUR, since=START)
        (email,) = [each for each in progress(con) if each.stream == EMAIL]
    assert (email.lacking, email.states["expired"], email.stretch) == (0, 2, Window(START, HOURS[2] + HOUR))


def test_what_comes_late_for_them_goes_uncounted(old: Settings, manifest: Manifest, warehouse: Warehouse) -> None:
    go(warehouse, manifest, old)
    counted = sorted(warehouse.read(_ACTIVITY))
    with warehouse.transaction() as con:
        con.execute(
            f"insert into streams.{EMAIL} (data_type, user_key, _hour, _source) "
            "values ('emailSend', $1, $2, 'webhook')",
            [BOB, START.replace(tzinfo=None)],
        )
    assert go(warehouse, manifest, old) == {EMAIL: 1}
    assert sorted(warehouse.read(_ACTIVITY)) == counted


def test_the_disk_gets_its_space_back(old: Settings, manifest: Manifest, warehouse: Warehouse) -> None:
    many = [
        event(f"{n % 99}@x.example", START, text=hashlib.sha256(str(n).encode()).hexdigest()) for n in range(20_000)
    ]
    land(old, manifest, "emailSend", START, many, EIGHT_DAYS + 60)
    load(old, manifest, warehouse)
    note_built(warehouse)
    warehouse.publish()
    with warehouse.transaction() as con:
        load_id = next_load_id(con)
    before = warehouse.path.stat().st_size
    left = let_go(warehouse, manifest, old, MOMENT, lambda text: None)
    after = warehouse.path.stat().st_size
    assert left.warehouse_bytes == before - after
    assert after < 0.8 * before
    assert warehouse.published.stat().st_size == after
    with warehouse.transaction() as con:
        assert next_load_id(con) > load_id


def test_webhooks_leave_with_the_last_stream_and_loaded(
    old: Settings, manifest: Manifest, warehouse: Warehouse
) -> None:
    parts = WebhookParts(manifest)
    for number, hour in enumerate([START, HOURS[1]], start=1):
        path = f"webhooks/hour={hour_key(hour)}/part-{number}.parquet"
        (old.landing_dir / path).parent.mkdir(parents=True)
        (old.landing_dir / path).write_bytes(b"bodies")
        parts.add([WebhookPart(hour, 1, 6, "", path, hour, hour, "run")])
    with warehouse.transaction() as con:
        con.execute("insert into streams.webhook_loads (load_id, part_id) values (1, 1)")
    hooks = old.landing_dir / "webhooks"
    go(warehouse, manifest, old)
    # purchases of these hours stay, and a webhook may tell of one
    assert len(list(hooks.rglob("*.parquet"))) == 2
    go(warehouse, manifest, old.model_copy(update={"retention": {EMAIL: DAYS, PURCHASE: DAYS}}))
    # the second has not been loaded
    assert [file.name for file in hooks.rglob("*.parquet")] == ["part-2.parquet"]
    assert [part.id for part in parts.after(0)] == [2]


# what may be wrong with an hour, and why it is held then
_WRONG = {
    "fine": None,
    "fresh": NOT_AUDITED,
    "a newer part is not loaded": NOT_LOADED,
    "rows deleted by hand": NOT_LOADED,
    "in quarantine": QUARANTINED,
    "one type never landed": NOT_LANDED,
    "loaded after the last build": NOT_COUNTED,
}


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wrong=st.lists(st.sampled_from(sorted(_WRONG)), min_size=3, max_size=3), which=st.sampled_from(TYPES))
def test_o04_nothing_leaves_that_is_still_needed(
    project: Settings, tmp_path_factory: pytest.TempPathFactory, wrong: list[str], which: str
) -> None:
    here = project_of(project, data_dir=tmp_path_factory.mktemp("data"))
    manifest, warehouse = Manifest(here.landing_dir), Warehouse.of(here, lambda text: None)
    with kept_open(warehouse):
        warehouse.prepare()
        for hour, trouble in zip(HOURS, wrong, strict=True):
            for name in TYPES:
                if trouble != "one type never landed" or name != which:
                    age = 200 if trouble == "fresh" and name == which else EIGHT_DAYS
                    land(here, manifest, name, hour, [event(ADA, hour), event(BOB, hour)], age)
        early = [hour for hour, trouble in zip(HOURS, wrong, strict=True) if trouble != "loaded after the last build"]
        load(here, manifest, warehouse, early)
        note_built(warehouse)
        load(here, manifest, warehouse)
        for hour, trouble in zip(HOURS, wrong, strict=True):
            if trouble == "a newer part is not loaded":
                land(here, manifest, which, hour, [event(ADA, hour)], EIGHT_DAYS + 60)
            elif trouble == "rows deleted by hand":
                with warehouse.transaction() as con:
                    stream = PURCHASE if which == "purchase" else EMAIL
                    con.execute(
                        f"delete from streams.{stream} where data_type = $1 and _hour = $2 and user_key = $3",
                        [which, hour.replace(tzinfo=None), BOB],
                    )
            elif trouble == "in quarantine":
                put_aside(here, manifest, which, hour)
        stored, there = rows_of(warehouse, EMAIL), files(here)
        left = let_go(warehouse, manifest, here, HOURS[2] + HOUR + DAYS * 24 * HOUR, lambda text: None)
        free = {hour_key(hour) for hour, trouble in zip(HOURS, wrong, strict=True) if not _WRONG[trouble]}
        held = [_WRONG[trouble] for trouble in wrong if _WRONG[trouble]]
        assert {why for each in left.held.values() for why in each} == set(held)
        assert rows_of(warehouse, EMAIL) == {hour: rows for hour, rows in stored.items() if hour not in free}
        assert files(here) == [each for each in there if each.split()[0] not in free or each.endswith("purchase")]
        assert {hour_key(hour) for hour in ExpiredHours(manifest).of(EMAIL)} == free


def put_aside(project: Settings, manifest: Manifest, data_type: str, hour: datetime) -> None:
    file = project.landing_dir / "quarantine" / "download.ndjson"
    file.parent.mkdir(exist_ok=True)
    file.write_text("{")
    manifest.quarantine(
        data_type, Window.of_hour(hour), hour + 400 * HOUR, (1, 0, "cut off"), f"quarantine/{file.name}"
    )


def test_what_lands_after_the_look_is_not_noted(old: Settings, manifest: Manifest, warehouse: Warehouse) -> None:
    newest, (found,) = manifest.newest_part(), look(warehouse, manifest, old, MOMENT)
    land(old, manifest, "emailOpen", START, [event(ADA, START), event(BOB, START)], EIGHT_DAYS + 60)
    ExpiredHours(manifest).add(EMAIL, found.hours, TYPES[:2], newest)
    assert ExpiredHours(manifest).of(EMAIL) == {HOURS[1]}


@pytest.mark.parametrize("point", ["retention_noted", "before_commit", "retention_rows_gone", "erasure_duckdb_written"])
def test_whoever_is_killed_is_made_up_for(
    old: Settings, manifest: Manifest, warehouse: Warehouse, tmp_path: Path, point: str
) -> None:
    script = (
        "import sys; from pathlib import Path; from iterable_pipelines.landing import Manifest\n"
        "from iterable_pipelines.retention import run; from iterable_pipelines.streams import Warehouse\n"
        "from iterable_pipelines.settings import Settings\n"
        "from iterable_pipelines_tests.retention import old_hours as o\n"
        "run._WORTH_WRITING = 0.0\n"
        "p = o.project_of(Settings(api_key='sandbox', data_dir=Path(sys.argv[1])))\n"
        "run.let_go(Warehouse.of(p, print), Manifest(p.landing_dir), p, o.MOMENT)\n"
    )
    killed = subprocess.run(
        [sys.executable, "-c", script, str(old.data_dir)],
        env=os.environ | {"ITERABLE_CRASH_AT": point},
        capture_output=True,
        text=True,
    )
    assert f"crashpoint {point}" in killed.stderr
    # meanwhile nobody loads again what is noted
    assert load(old, manifest, warehouse) == 0
    go(warehouse, manifest, old)
    assert rows_of(warehouse, EMAIL) == {hour_key(HOURS[2]): 3}
    assert len(files(old)) == 5
    assert [events for _, _, _, _, events, _ in warehouse.read(_ACTIVITY)] == [2, 2, 2]
