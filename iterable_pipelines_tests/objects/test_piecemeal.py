"""What is asked for piece by piece: only what is due, and nothing that fails holds up the rest."""

from dataclasses import replace

import pytest

from iterable_pipelines.api import Broken, Busy
from iterable_pipelines.sandbox.server import Sandbox
from iterable_pipelines.streams import Warehouse
from iterable_pipelines_tests.objects.conftest import Refresh

CONTENTS = "/api/templates/email/get"


def asked_for(sandbox: Sandbox, path: str = "/api/templates/") -> list[str]:
    return [dict(each.params)["templateId"] for each in sandbox.requests(path)]


def test_only_a_template_that_changed_is_asked_for_again(
    sandbox: Sandbox, refresh: Refresh, warehouse: Warehouse
) -> None:
    refresh("campaigns", "templates", "template_contents")
    first = len(asked_for(sandbox))
    objects = sandbox.world.objects
    changed = objects.standing[0]
    objects.standing[0] = replace(changed, created=changed.created + 1, template_name="Now better")
    refresh("campaigns", "templates", "template_contents")
    assert asked_for(sandbox)[first:] == [str(changed.template_id)]
    found = warehouse.read(f"select name from objects.template_contents where id = {changed.template_id}")
    assert found == [("Now better",)]
    versions = warehouse.read(
        "select name, _valid_to is null from objects.template_content_history "
        f"where id = {changed.template_id} order by _valid_from"
    )
    assert versions == [(changed.template_name, False), ("Now better", True)]


def test_what_iterable_refuses_is_noted_and_not_asked_for_again(
    sandbox: Sandbox, refresh: Refresh, warehouse: Warehouse
) -> None:
    refresh("campaigns", "templates")
    refused = str(sandbox.world.objects.standing[0].template_id)
    sandbox.fault("status", CONTENTS, match={"templateId": refused}, times=None, status=400)
    done = refresh("template_contents")
    assert done.notes == ("1 refused, the first with HTTP 400 BadParams: objects.asked says which",)
    assert warehouse.read("select question from objects.asked where outcome <> ''") == [
        (f'{{"medium": "email", "templateId": "{refused}"}}',)
    ]
    first = len(asked_for(sandbox))
    refresh("template_contents")
    assert len(asked_for(sandbox)) == first


def test_what_fails_is_told_comes_last_the_next_time_and_holds_up_nothing(
    sandbox: Sandbox, refresh: Refresh, warehouse: Warehouse
) -> None:
    refresh("campaigns", "templates")
    failing = str(sandbox.world.objects.standing[0].template_id)
    sandbox.fault("status", CONTENTS, match={"templateId": failing}, times=None, status=500)
    with pytest.raises(Broken, match="500"):
        refresh("template_contents")
    everything = len(asked_for(sandbox))
    assert warehouse.read("select count(*) from objects.template_contents") == [(everything - 1,)]
    with pytest.raises(Broken):
        refresh("template_contents")
    assert asked_for(sandbox)[everything:] == [failing]
    sandbox.faults.clear()
    assert refresh("template_contents").stored.rows == everything


def test_when_everything_fails_it_stops_soon(sandbox: Sandbox, refresh: Refresh, warehouse: Warehouse) -> None:
    refresh("campaigns", "templates")
    sandbox.fault("status", "/api/templates/", times=None, status=503)
    for attempt in range(1, 4):
        with pytest.raises(Broken):
            refresh("template_contents")
        assert len(set(asked_for(sandbox))) == 3 * attempt, "others have their turn the next time"
    sandbox.faults.clear()
    assert refresh("template_contents").stored.rows > 0
    assert warehouse.read("select count(*) from objects.asked where version is null") == [(0,)]


def test_what_was_stored_before_an_interruption_is_not_asked_for_again(
    sandbox: Sandbox, refresh: Refresh, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    refresh("campaigns", "templates")
    monkeypatch.setattr("iterable_pipelines.objects.refresh._STORED_AT_ONCE", 10)
    sandbox.fault("429", "/api/templates/", after=25, retry_after=1)
    with pytest.raises(Busy):
        refresh("template_contents")
    assert warehouse.read("select count(*) from objects.template_contents") == [(25,)]
    before = len(asked_for(sandbox))
    rows = refresh("template_contents").stored.rows
    assert len(asked_for(sandbox)) - before == rows - 25
    assert len(set(asked_for(sandbox))) == rows


def test_what_its_parent_lost_is_gone_and_returns_with_it(
    sandbox: Sandbox, refresh: Refresh, warehouse: Warehouse
) -> None:
    refresh("campaigns", "templates", "template_contents")
    gone = sandbox.world.objects.standing.pop(0)
    state = f"select _gone_at is not null from objects.template_contents where id = {gone.template_id}"
    assert refresh("campaigns", "templates", "template_contents").stored.gone == 1
    assert warehouse.read(state) == [(True,)]
    sandbox.world.objects.standing.insert(0, gone)
    assert refresh("campaigns", "templates", "template_contents").stored.changed == 1
    assert warehouse.read(state) == [(False,)]


def test_keys_may_name_persons_and_may_be_such_as_no_address_can_hold(
    sandbox: Sandbox, refresh: Refresh, warehouse: Warehouse
) -> None:
    rows = [
        {"table": "Test", "key": key, "size": 1, "lastModified": 1}
        for key in ("a/b", "..", "who@example.com", "key-0000", "größe")
    ]
    sandbox.fault("status", "/api/metadata/test", status=200, body={"results": rows})
    refresh("metadata_tables", "metadata_keys")
    sandbox.fault("status", "/api/metadata/test/who", status=500)
    with pytest.raises(Broken) as failed:
        refresh("metadata_values")
    assert "GET /api/metadata/test/[key]: HTTP 500" in str(failed.value)
    outcomes = dict(
        warehouse.read("select question ->> 'key', outcome from objects.asked where question like '%test%'")
    )
    unaddressable = "a name that no address can hold"
    assert outcomes == {
        "a/b": unaddressable,
        "..": unaddressable,
        "who@example.com": "Broken",
        "key-0000": "",
        "größe": "HTTP 404 NotFound",
    }
