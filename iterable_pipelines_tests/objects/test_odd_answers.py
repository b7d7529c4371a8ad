"""Answers in every shape they may have, values nobody has seen before, and what a project or key does not offer."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from iterable_pipelines.api import Broken, Iterable, Refused
from iterable_pipelines.objects import OBJECT_TYPE
from iterable_pipelines.objects.refresh import NotOffered, refresh_object
from iterable_pipelines.sandbox.server import Sandbox
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse
from iterable_pipelines_tests.objects.conftest import Refresh


def stored(warehouse: Warehouse, name: str) -> list[tuple[Any, ...]]:
    return warehouse.read(f"select * exclude (_loaded_at, _load_id) from objects.{name} order by all")


def as_text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


@pytest.mark.parametrize("name", ["catalogs", "catalog_fields", "catalog_items"])
def test_catalogs_with_and_without_their_envelope(
    name: str, sandbox: Sandbox, refresh: Refresh, warehouse: Warehouse
) -> None:
    refresh("catalogs", name)
    before = stored(warehouse, name)
    sandbox.fault("unwrapped", "/api/catalogs", times=None)
    assert refresh(name).stored.changed == 0
    assert stored(warehouse, name) == before != []


def test_experiments_in_both_shapes_and_in_pages(
    sandbox: Sandbox, refresh: Refresh, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    refresh("experiments")
    before = stored(warehouse, "experiments")
    kind = OBJECT_TYPE["experiments"]
    monkeypatch.setitem(OBJECT_TYPE, "experiments", replace(kind, read=replace(kind.read, page_size=1)))
    sandbox.fault("total_count", "/api/experiments", times=None)
    done = refresh("experiments")
    assert done.stored.changed == done.stored.gone == 0
    # read twice, because rows may move between pages
    assert done.requests == 2 * len(before) > 2


def test_experiment_metrics_as_json(sandbox: Sandbox, refresh: Refresh, warehouse: Warehouse) -> None:
    refresh("campaigns")
    sandbox.fault("headers_rows", "/api/experiments/metrics", times=None)
    refresh("experiment_metrics")
    before = stored(warehouse, "experiment_metrics")
    warehouse.read("delete from objects.asked")
    sandbox.faults.clear()
    assert refresh("experiment_metrics").stored.changed == 0
    assert stored(warehouse, "experiment_metrics") == before != []


def test_an_unknown_value_field_and_type_is_kept_and_counted(
    sandbox: Sandbox, refresh: Refresh, warehouse: Warehouse
) -> None:
    known = sandbox.world.objects.message_types
    odd = [
        known[0] | {"subscriptionPolicy": "Telepathy", "aura": {"colour": ["blue", None]}},
        known[1] | {"id": str(known[1]["id"]), "channelId": "none", "updatedAt": "soon", "rateLimitPerMinute": None},
        known[2] | {"id": "forty-two"},
        known[3] | {"id": None},
        known[4] | {"id": 12.5},
        17,
    ]
    sandbox.fault("status", "/api/messageTypes", status=200, body={"messageTypes": odd + known[6:], "next": "?"})
    done = refresh("message_types")
    assert done.stored.unreadable == 4
    assert done.stored.untyped == 2
    assert done.stored.other_fields == {"aura"}
    rows = dict(warehouse.read("select id, (subscription_policy, channel_id, record) from objects.message_types"))
    assert set(rows) == {each["id"] for each in [*known[:2], *known[6:]]}
    policy, _, record = rows[known[0]["id"]]
    assert policy == "Telepathy"
    assert json.loads(record) == odd[0]
    _, channel, record = rows[known[1]["id"]]
    assert channel is None
    assert json.loads(record) == odd[1]
    kept = [json.loads(record) for (record,) in warehouse.read("select record from objects.unreadable")]
    assert sorted(map(as_text, kept)) == sorted(map(as_text, odd[2:]))
    # what is readable again is not kept beside the table any more
    assert refresh("message_types").stored.unreadable == 0
    assert warehouse.read("select count(*) from objects.unreadable") == [(0,)]


def test_what_is_not_asked_for_again_stays_beside_the_table(
    sandbox: Sandbox, refresh: Refresh, warehouse: Warehouse
) -> None:
    refresh("campaigns", "templates")
    first, second = (str(each.template_id) for each in sandbox.world.objects.standing[:2])
    kept = "select asked ->> 'templateId', record ->> 'name' from objects.unreadable order by all"

    def answer(template: str, name: str) -> None:
        body = {"name": name, "templateId": "none"}
        sandbox.fault("status", "/api/templates/", match={"templateId": template}, status=200, body=body)

    answer(first, "ü1")
    answer(second, "ü2")
    assert refresh("template_contents").stored.unreadable == 2
    assert warehouse.read(kept) == sorted([(first, "ü1"), (second, "ü2")])
    assert refresh("template_contents").stored.unreadable == 0
    assert warehouse.read(kept) == sorted([(first, "ü1"), (second, "ü2")])
    warehouse.read(
        "update objects.asked set version = 'old' where question ->> 'templateId' in (?, ?)", [first, second]
    )
    # what fails says nothing new
    sandbox.fault("status", "/api/templates/", times=2, status=500)
    with pytest.raises(Broken):
        refresh("template_contents")
    assert warehouse.read(kept) == sorted([(first, "ü1"), (second, "ü2")])
    answer(second, "ü3")
    assert refresh("template_contents").stored.unreadable == 1
    assert warehouse.read(kept) == [(second, "ü3")]


@pytest.mark.parametrize("name", ["webhooks", "catalogs"])
def test_a_key_that_may_not_read_something(
    name: str, make_client: Callable[..., Iterable], sandbox: Sandbox, warehouse: Warehouse, project: Settings
) -> None:
    def read_with(key: str) -> None:
        refresh_object(make_client(key), warehouse, project, name, "run", log=lambda text: None)

    with pytest.raises(NotOffered):
        read_with(sandbox.read_only_key)
    # the wrong key opens nothing at all: that is no property of the project
    with pytest.raises(Refused):
        read_with("wrong")
    read_with(sandbox.key)
    before = stored(warehouse, name)
    # what could be read before must not grow old in silence
    with pytest.raises(Refused):
        read_with(sandbox.read_only_key)
    assert stored(warehouse, name) == before


def test_a_page_of_html_where_an_endpoint_should_be(sandbox: Sandbox, refresh: Refresh) -> None:
    sandbox.fault("status", "/api/experiments", status=404, shape="html")
    with pytest.raises(NotOffered):
        refresh("experiments")
    sandbox.fault("html200", "/api/experiments")
    with pytest.raises(Broken):
        refresh("experiments")


def test_a_catalog_that_is_gone_by_now_holds_up_no_other(
    sandbox: Sandbox, refresh: Refresh, warehouse: Warehouse
) -> None:
    refresh("catalogs")
    sandbox.fault("status", "/api/catalogs/products", times=None, status=404)
    done = refresh("catalog_items")
    assert done.stored.rows == 3
    assert "404" in done.notes[0]


def test_an_answer_without_its_array_is_no_empty_listing(sandbox: Sandbox, refresh: Refresh) -> None:
    sandbox.fault("status", "/api/snippets", status=200, body={"items": []})
    with pytest.raises(Refused, match="without the array snippets"):
        refresh("snippets")
