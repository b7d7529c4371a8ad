"""Loading: an hour is its old version or its new one, twins stay two, and running it again changes nothing."""

import json
from pathlib import Path

import pytest

from iterable_pipelines.hours import HOUR, parse_hour
from iterable_pipelines.landing import Manifest
from iterable_pipelines.landing.lateness import learn
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import StaleWriter, Warehouse, load_hours
from iterable_pipelines_tests.landing_by_hand import land

H3 = parse_hour("2026-11-01T03")
STREAM = "iterable_activity"


def click(minute: int, hour: int = 3, **fields: object) -> dict:
    return {"createdAt": f"2026-11-01 {hour:02d}:{minute:02d}:00 +00:00", "email": "A@Example.com ", **fields}


def rows(warehouse: Warehouse, columns: str = "*", stream: str = STREAM) -> list[tuple]:
    return sorted(warehouse.read(f"select {columns} from streams.{stream}"), key=str)


def test_columns_are_read_from_the_record_and_the_record_stays(
    project: Settings, manifest: Manifest, warehouse: Warehouse
) -> None:
    record = click(1, campaignId=7, templateId="8", messageId="m", channelId="nine", eventName=None, custom={"x": 1})
    text = json.dumps(record)
    land(project, manifest, "emailClick", H3, [text])
    load_hours(warehouse, manifest, project, STREAM, [H3], "run")
    columns = (
        "data_type, user_key, email, campaign_id, template_id, message_id, channel_id, event_name, record::varchar"
    )
    expected = ("emailClick", "a@example.com", "A@Example.com ", 7, 8, "m", None, None, text)
    assert rows(warehouse, columns) == [expected]


@pytest.mark.parametrize(
    ("given", "kept"),
    [(7, 7), ("7", 7), (7.0, 7), ("12.5", None), ("0x1F", None), (9007199254740993, 9007199254740993)],
)
def test_an_id_is_a_whole_number_or_null(
    project: Settings, manifest: Manifest, warehouse: Warehouse, given: object, kept: int | None
) -> None:
    land(project, manifest, "emailClick", H3, [click(1, campaignId=given)])
    load_hours(warehouse, manifest, project, STREAM, [H3], "run")
    assert rows(warehouse, "campaign_id") == [(kept,)]


@pytest.mark.parametrize(
    ("record", "key"),
    [
        ({"email": " X@Y.z", "userId": "u"}, "x@y.z"),
        ({"email": "", "userId": "u"}, "u"),
        ({"email": None, "userId": "U-1"}, "U-1"),
        ({"itblUserId": "i"}, "i"),
        ({}, None),
    ],
)
def test_the_user_key(
    project: Settings, manifest: Manifest, warehouse: Warehouse, record: dict, key: str | None
) -> None:
    land(project, manifest, "emailOpen", H3, [{"createdAt": "2026-11-01 03:00:00 +00:00", **record}])
    load_hours(warehouse, manifest, project, STREAM, [H3], "run")
    assert rows(warehouse, "user_key") == [(key,)]


def test_twins_stay_two_and_a_second_load_adds_nothing(
    project: Settings, manifest: Manifest, warehouse: Warehouse
) -> None:
    land(project, manifest, "emailClick", H3, [click(1), click(1), click(2)])
    first = load_hours(warehouse, manifest, project, STREAM, [H3], "run")
    before = rows(warehouse, "event_id, created_at, _load_id")
    second = load_hours(warehouse, manifest, project, STREAM, [H3], "run again")
    assert (first.rows, second.rows, second.unchanged) == (3, 0, 1)
    assert rows(warehouse, "event_id, created_at, _load_id") == before
    assert len({event_id for event_id, *_ in before}) == 3


def test_a_later_pass_replaces_its_hour_and_keeps_the_ids(
    project: Settings, manifest: Manifest, warehouse: Warehouse
) -> None:
    land(project, manifest, "emailClick", H3, [click(1), click(1), click(2)])
    land(project, manifest, "emailOpen", H3, [click(5)])
    load_hours(warehouse, manifest, project, STREAM, [H3], "fresh")
    before = set(rows(warehouse, "event_id"))
    reordered = [click(2), dict(reversed(click(1).items())), {**click(1), "ip": None}, click(3)]
    land(project, manifest, "emailClick", H3, reordered, minutes_after=200)
    again = load_hours(warehouse, manifest, project, STREAM, [H3], "settled")
    after = set(rows(warehouse, "event_id"))
    assert before < after
    assert (len(before), len(after), again.rows, again.unchanged) == (4, 5, 4, 1)


def test_an_hour_that_became_empty_is_emptied(project: Settings, manifest: Manifest, warehouse: Warehouse) -> None:
    land(project, manifest, "emailClick", H3, [click(1)])
    land(project, manifest, "emailClick", H3 + HOUR, [click(1, hour=4)])
    load_hours(warehouse, manifest, project, STREAM, [H3, H3 + HOUR], "run")
    land(project, manifest, "emailClick", H3, [], minutes_after=200)
    load_hours(warehouse, manifest, project, STREAM, [H3], "run")
    assert len(rows(warehouse, "event_id")) == 1


def test_what_is_not_landed_is_named(project: Settings, manifest: Manifest, warehouse: Warehouse) -> None:
    land(project, manifest, "emailClick", H3, [click(1)])
    loaded = load_hours(warehouse, manifest, project, STREAM, [H3], "run")
    assert "emailOpen 2026-11-01T03" in loaded.not_landed
    assert "emailClick 2026-11-01T03" not in loaded.not_landed


def test_rows_deleted_by_hand_come_back(project: Settings, manifest: Manifest, warehouse: Warehouse) -> None:
    land(project, manifest, "emailClick", H3, [click(1), click(2)])
    load_hours(warehouse, manifest, project, STREAM, [H3], "run")
    warehouse.read(f"delete from streams.{STREAM} where minute(created_at) = 1")
    load_hours(warehouse, manifest, project, STREAM, [H3], "repair")
    assert len(rows(warehouse, "event_id")) == 2


def test_a_stale_writer_is_refused_and_changes_nothing(
    project: Settings, manifest: Manifest, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(project, manifest, "emailClick", H3, [click(1)])
    old_token = manifest.next_token()
    load_hours(warehouse, manifest, project, STREAM, [H3], "the retry")
    land(project, manifest, "emailClick", H3, [click(1), click(2)], minutes_after=20)
    with monkeypatch.context() as patch:
        patch.setattr(manifest, "next_token", lambda: old_token)
        with pytest.raises(StaleWriter, match="2026-11-01T03"):
            load_hours(warehouse, manifest, project, STREAM, [H3], "the orphan")
    assert len(rows(warehouse, "event_id")) == 1


def test_a_lost_landing_file_is_named_before_anything_is_deleted(
    project: Settings, manifest: Manifest, warehouse: Warehouse
) -> None:
    land(project, manifest, "emailClick", H3, [click(1)])
    load_hours(warehouse, manifest, project, STREAM, [H3], "run")
    part = land(project, manifest, "emailClick", H3, [click(2)], minutes_after=20)
    (project.landing_dir / Path(str(part.path))).unlink()
    with pytest.raises(FileNotFoundError, match="refetch"):
        load_hours(warehouse, manifest, project, STREAM, [H3], "run")
    assert len(rows(warehouse, "event_id")) == 1


def test_what_is_known_of_late_rows_is_there_for_readers(
    project: Settings, manifest: Manifest, warehouse: Warehouse
) -> None:
    land(project, manifest, "emailClick", H3, [click(1)])
    land(project, manifest, "emailClick", H3, [click(1), click(2), click(3)], minutes_after=200)
    learn(manifest, ["emailClick"])
    for _ in range(2):
        load_hours(warehouse, manifest, project, STREAM, [H3], "run", again=True)
        assert rows(warehouse, "*", "lateness") == [("emailClick", 10, 200, 2, 1, 1)]
