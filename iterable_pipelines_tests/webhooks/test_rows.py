"""The row that a webhook becomes: alone, beside the export's, and gone when the export has had its say."""

import json
from datetime import timedelta
from typing import Any

import pytest

from iterable_pipelines.data_types import STREAM
from iterable_pipelines.hours import HOUR
from iterable_pipelines.landing import Manifest
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse, content_of, load_hours, replay
from iterable_pipelines.streams.webhook_loss import webhook_loss
from iterable_pipelines.streams.webhooks import waiting_and_unknown
from iterable_pipelines_tests.kept_open import kept_open
from iterable_pipelines_tests.landing_by_hand import land
from iterable_pipelines_tests.webhooks.bodies import expected, sample_bodies
from iterable_pipelines_tests.webhooks.world import START, at, body, bring, rows, silent

EMAIL, PUSH = "iterable_activity", "iterable_push_activity"


def export(
    project: Settings,
    manifest: Manifest,
    warehouse: Warehouse,
    data_type: str,
    records: list[dict[str, Any]],
    minutes_after: int = 10,
    stream: str = EMAIL,
) -> int:
    """Land and load one hour; returns how many rows were loaded."""
    land(project, manifest, data_type, START, records, minutes_after)
    return load_hours(warehouse, manifest, project, stream, [START], "run", log=silent).rows


def test_every_known_shape_lands_in_its_stream_with_its_columns(
    project: Settings, manifest: Manifest, warehouse: Warehouse
) -> None:
    bodies = sample_bodies(START)
    assert bring(project, manifest, warehouse, bodies).bodies == len(bodies) == 31
    columns: dict[str, set[str]] = {stream: set() for stream in STREAM if stream != "iterable_users"}
    with kept_open(warehouse):
        for stream, name in warehouse.read("select table_name, column_name from duckdb_columns()"):
            columns.get(stream, set()).add(name)
        for each in bodies:
            wanted = expected(each)
            if wanted.pop("stream") is None:
                continue
            found = [
                dict(zip(wanted, row, strict=True))
                for stream, names in columns.items()
                if set(wanted) <= names
                for row in warehouse.read(
                    f"select {', '.join(wanted)} from streams.{stream} where webhook::varchar = ?",
                    [json.dumps(each, ensure_ascii=False)],
                )
            ]
            assert found == [wanted]
    # one of them does not say when it was
    assert waiting_and_unknown(warehouse) == (30, 1)


def test_what_the_export_has_too_is_its_row_with_the_names(
    project: Settings, manifest: Manifest, warehouse: Warehouse
) -> None:
    record = {
        "createdAt": at(1),
        "email": "Ann@x.example",
        "campaignId": 7,
        "messageId": "m",
        "transactionalData": "{}",
    }
    told = body(
        "emailSend", at(1), email="ann@x.example", campaignId=7, messageId="m", campaignName="Spring", workflowId=5,
        workflowName="Welcome", templateName="T", experimentId=3, channelId=9, transactionalData={"a": 1},
    )  # fmt: skip
    bring(project, manifest, warehouse, [told])
    alone = rows(warehouse, EMAIL, "_source, campaign_name, channel_id, record->>'transactionalData'")
    assert alone == [("webhook", "Spring", 9, '{"a":1}')]
    export(project, manifest, warehouse, "emailSend", [record])
    names = "campaign_name, template_name, workflow_id, workflow_name, experiment_id"
    both = rows(warehouse, EMAIL, f"_source, email, channel_id, record::json, webhook->>'eventName', {names}")
    assert both == [
        ("export", "Ann@x.example", None, json.dumps(record), "emailSend", "Spring", "T", 5, "Welcome", 3)
    ]  # fmt: skip
    # told first or told last, it is the same
    before = content_of(warehouse, [f"streams.{EMAIL}"])
    warehouse.read(f"delete from streams.{EMAIL}")
    replay(warehouse, manifest, project, EMAIL, log=silent)
    assert content_of(warehouse, [f"streams.{EMAIL}"]) == before


def test_two_clicks_of_one_second_stay_two(project: Settings, manifest: Manifest, warehouse: Warehouse) -> None:
    click = {"createdAt": at(1), "email": "ann@x.example", "campaignId": 7, "messageId": "m"}
    records = [{**click, "url": url} for url in ("https://a.example", "https://b.example", "https://b.example")]
    told = [body("emailClick", **_outside(each), campaignName=each["url"], n=n) for n, each in enumerate(records)]
    bring(project, manifest, warehouse, told[::-1])
    # an event that the export does not tell from its twin has a body of its own
    export(project, manifest, warehouse, "emailClick", records)
    found = rows(warehouse, EMAIL, "record->>'url', campaign_name, _source")
    assert found == [(each["url"], each["url"], "export") for each in records]
    assert len(set(rows(warehouse, EMAIL, "event_id"))) == len(set(rows(warehouse, EMAIL, "_webhook_id"))) == 3


def _outside(record: dict[str, Any]) -> dict[str, Any]:
    return {"moment": record["createdAt"]} | {name: value for name, value in record.items() if name != "createdAt"}


def test_the_surest_pair_is_made_first(project: Settings, manifest: Manifest, warehouse: Warehouse) -> None:
    event = {"createdAt": at(1), "email": "ann@x.example", "campaignId": 7}
    records = [{**event, "messageId": "m1"}, {**event, "messageId": "m2"}]
    nameless = body("pushOpen", at(1), campaignId=7, campaignName="nameless")
    named = body("pushOpen", at(1), campaignId=7, messageId="m1", campaignName="named")
    export(project, manifest, warehouse, "pushOpen", records, stream=PUSH)
    assert bring(project, manifest, warehouse, [nameless]).matched == 1
    # the row that the first one took belongs to the second
    bring(project, manifest, warehouse, [named])
    assert rows(warehouse, PUSH, "message_id, campaign_name") == [("m1", "named"), ("m2", "nameless")]


@pytest.mark.parametrize(
    ("exported", "told"),
    [
        ({"email": "ann@x.example", "messageId": "m"}, {"email": " ANN@x.example", "messageId": "m"}),
        ({"userId": "u1", "messageId": "m"}, {"email": "ann@x.example", "userId": "u1", "messageId": "m"}),
        ({"userId": "u1", "campaignId": 7}, {"email": "ann@x.example", "userId": "u1", "campaignId": 7}),
        ({"userId": "u1", "email": "Ann@x.example", "campaignId": 7}, {"email": "ann@x.example", "campaignId": 7}),
        ({"email": "ann@x.example"}, {"email": "ann@x.example"}),
    ],
)
@pytest.mark.parametrize("project_type", ["hybrid", "userid"])
def test_whoever_is_known_by_another_name(
    project: Settings,
    manifest: Manifest,
    warehouse: Warehouse,
    project_type: str,
    exported: dict[str, Any],
    told: dict[str, Any],
) -> None:
    project = project.model_copy(update={"project_type": project_type})
    outside = {"eventName": "smsReceived", "dataFields": {"createdAt": at(1)} | told}
    bring(project, manifest, warehouse, [outside | {name: told[name] for name in ("email", "userId") if name in told}])
    export(
        project, manifest, warehouse, "smsReceived", [{"createdAt": at(1)} | exported], stream="iterable_sms_activity"
    )
    assert rows(warehouse, "iterable_sms_activity", "_source, webhook is null") == [("export", False)]


def test_what_the_export_does_not_have_leaves_once_it_had_its_say(
    project: Settings, manifest: Manifest, warehouse: Warehouse
) -> None:
    records = [{"createdAt": at(1), "email": "ann@x.example", "messageId": "m"}]
    kept, alone = body("emailOpen", at(1), messageId="m"), body("emailOpen", at(2), messageId="n")
    bring(project, manifest, warehouse, [kept, alone], received_at=START + HOUR)
    # what Iterable indexes minutes late may yet come
    export(project, manifest, warehouse, "emailOpen", records, minutes_after=10)
    assert rows(warehouse, EMAIL, "message_id, _source") == [("m", "export"), ("n", "webhook")]
    assert waiting_and_unknown(warehouse) == (1, 0)
    # the same rows three hours later are a word, too
    export(project, manifest, warehouse, "emailOpen", records, minutes_after=200)
    assert rows(warehouse, EMAIL, "message_id, _source") == [("m", "export")]
    # sent once more, it does not come back: it was first received before the export spoke
    bring(project, manifest, warehouse, [alone], received_at=START + 9 * HOUR)
    assert rows(warehouse, EMAIL, "message_id") == [("m",)]
    assert export(project, manifest, warehouse, "emailOpen", records, minutes_after=210) == 0


def test_a_late_webhook_of_a_settled_hour(project: Settings, manifest: Manifest, warehouse: Warehouse) -> None:
    records = [{"createdAt": at(1), "email": "ann@x.example", "messageId": "m"}]
    export(project, manifest, warehouse, "emailOpen", records, minutes_after=200)
    late = START + 24 * HOUR
    there, new = body("emailOpen", at(1), messageId="m"), body("emailOpen", at(2), messageId="n")
    told = bring(project, manifest, warehouse, [there, new], received_at=late)
    assert (told.matched, told.exported) == (1, {EMAIL: {START}})
    assert rows(warehouse, EMAIL, "message_id, _source, webhook is null") == [
        ("m", "export", False),
        ("n", "webhook", False),
    ]
    (brought,) = webhook_loss(warehouse, START)
    assert (brought.data_type, brought.day, brought.exported, brought.told) == ("emailOpen", START.date(), 1, 1)


def test_the_loss_is_what_only_the_export_has(project: Settings, manifest: Manifest, warehouse: Warehouse) -> None:
    records = [{"createdAt": at(n), "email": "ann@x.example", "messageId": f"m{n}"} for n in range(20)]
    bring(project, manifest, warehouse, [body("emailOpen", at(n), messageId=f"m{n}") for n in range(19)])
    export(project, manifest, warehouse, "emailOpen", records)
    export(project, manifest, warehouse, "emailSend", records)
    # of sends no webhook has told: they are not switched on
    (brought,) = webhook_loss(warehouse, START)
    assert (brought.data_type, brought.lost) == ("emailOpen", pytest.approx(0.05))
    # nobody received anything before
    assert webhook_loss(warehouse, START + HOUR) == []


def test_a_webhook_stays_with_its_own_of_two_opens(project: Settings, manifest: Manifest, warehouse: Warehouse) -> None:
    opens = [
        {"createdAt": at(1), "email": "ann@x.example", "messageId": "m", "ip": ip} for ip in ("192.0.2.9", "192.0.2.1")
    ]
    bring(project, manifest, warehouse, [body("emailOpen", **_outside(opens[0]))])
    for known in (opens[:1], opens):
        export(project, manifest, warehouse, "emailOpen", known)
        told = rows(warehouse, EMAIL, "record->>'ip'", "webhook is not null")
        assert told == [("192.0.2.9",)]


def test_what_no_stream_takes_is_kept_with_the_reason(
    project: Settings, manifest: Manifest, warehouse: Warehouse
) -> None:
    only = project.model_copy(update={"data_types": ("emailOpen",)})
    odd = [
        body("brandNewEvent", at(1)),
        {"dataFields": {"createdAt": at(1)}},
        body("emailOpen", "the day before yesterday"),
        body("emailOpen", at(1, START - 30 * 24 * HOUR)),
        body("emailOpen", at(1, START + 400 * HOUR)),
        body("emailOpen", at(1)) | {"dataFields": "none"},
        # switched off, not unknown
        body("emailClick", at(1)),
    ]
    assert bring(only, manifest, warehouse, odd).unknown == 6
    bring(only, manifest, warehouse, odd, received_at=START + 2 * HOUR)
    found = rows(warehouse, "unknown_webhooks", "reason, event_name")
    assert found == [
        ("before the start date", "emailOpen"),
        ("no event name", None),
        ("no readable time", "emailOpen"),
        ("no readable time", "emailOpen"),
        ("no readable time", "emailOpen"),
        ("unknown event name", "brandNewEvent"),
    ]
    assert rows(warehouse, EMAIL, "event_id") == []
    # switched on again, it is in the files
    replay(warehouse, manifest, project, EMAIL, log=silent)
    assert rows(warehouse, EMAIL, "data_type") == [("emailClick",)]


def test_odd_ids_and_times(project: Settings, manifest: Manifest, warehouse: Warehouse) -> None:
    told = [
        body("emailOpen", "2026-11-01T00:00:01.5Z", campaignId="seven", messageId=5),
        body("emailOpen", str(int((START + timedelta(seconds=2)).timestamp() * 1000)), campaignId=12.5),
    ]
    bring(project, manifest, warehouse, told)
    found = rows(warehouse, EMAIL, "date_trunc('second', created_at)::varchar, campaign_id, message_id")
    assert found == [("2026-11-01 00:00:01", None, "5"), ("2026-11-01 00:00:02", None, None)]
    assert rows(warehouse, EMAIL, "webhook->'dataFields'->>'campaignId'") == [("12.5",), ("seven",)]


def test_who_stands_outside_counts_where_nobody_stands_inside(
    project: Settings, manifest: Manifest, warehouse: Warehouse
) -> None:
    told = body("emailOpen", at(1))
    told["dataFields"] |= {"email": "", "userId": None}
    bring(project, manifest, warehouse, [told | {"userId": "u1"}])
    assert rows(warehouse, EMAIL, "user_key, email, user_id") == [("ann@x.example", "ann@x.example", "u1")]


def test_hours_that_no_export_has_brought_are_made_anew_from_the_bodies(
    project: Settings, manifest: Manifest, warehouse: Warehouse
) -> None:
    told = [body("emailOpen", at(n, START + n % 3 * HOUR), messageId=f"m{n}") for n in range(30)]
    bring(project, manifest, warehouse, told[:20], received_at=START + 3 * HOUR)
    bring(project, manifest, warehouse, told[10:], received_at=START + 4 * HOUR)
    export(
        project, manifest, warehouse, "emailOpen", [{"createdAt": at(0), "messageId": "m0", "email": "ann@x.example"}]
    )
    before = content_of(warehouse, [f"streams.{EMAIL}"])
    warehouse.read(f"delete from streams.{EMAIL} where _hour > (select min(_hour) from streams.{EMAIL})")
    replay(warehouse, manifest, project, EMAIL, log=silent)
    assert content_of(warehouse, [f"streams.{EMAIL}"]) == before
    # in a warehouse of before there were webhooks, too
    warehouse.path.unlink()
    warehouse.prepare()
    for stream in (EMAIL, PUSH):
        warehouse.read(f"alter table streams.{stream} drop column webhook")
        warehouse.read(f"alter table streams.{stream} drop column _webhook_id")
    warehouse.prepare()
    bring(project, manifest, warehouse)
    replay(warehouse, manifest, project, EMAIL, log=silent)
    assert content_of(warehouse, [f"streams.{EMAIL}"]) == before
