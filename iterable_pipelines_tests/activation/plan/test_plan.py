"""What a plan says, and that saying it changes nothing (outbound.md 6.4)."""

import json
from collections.abc import Callable

import pytest

from iterable_pipelines.activation.errors import ActivationRefused
from iterable_pipelines.activation.objects import load_syncs
from iterable_pipelines.activation.options import Options
from iterable_pipelines.activation.plan import plan_sync, preview_pk
from iterable_pipelines.activation.state import state_path
from iterable_pipelines.published import NothingPublished
from iterable_pipelines_tests.activation.conftest import Activation
from iterable_pipelines_tests.activation.plan.conftest import Planning
from iterable_pipelines_tests.activation.plan.test_diff import rows

USER = "object: user\nsource: m.t\nprimary_key: id\nmatch: {column: email, field: email}\nfields: {v: v}\n"


def test_a_plan_is_the_same_for_the_same_rows_in_any_order(planning: Callable[..., Planning]) -> None:
    here = planning()
    sync = here.sync("people", USER)
    found = [(pk, f"u{pk}@ex.com", pk % 3) for pk in range(1, 30)]
    here.table("m.t", rows(*found))
    first = here.plan(sync).as_json()
    here.table("m.t", rows(*reversed(found)))
    assert json.dumps(here.plan(sync).as_json()) == json.dumps(first)


def test_a_plan_leaves_no_trace(planning: Callable[..., Planning]) -> None:
    here = planning()
    here.table("m.t", rows((1, "a@ex.com", 1)))
    sync = here.sync("people", USER)
    assert here.plan(sync).counts == {"add": 1}
    assert not state_path(here.settings, "people").exists()
    here.run(sync)
    before = state_path(here.settings, "people").read_bytes()
    here.table("m.t", rows((1, "a@ex.com", 2)))
    here.plan(sync)
    assert state_path(here.settings, "people").read_bytes() == before


def test_a_plan_counts_shows_and_prices_what_would_happen(planning: Callable[..., Planning]) -> None:
    here = planning()
    sync = here.sync("people", USER)
    here.table("m.t", rows((1, "a@ex.com", 1), (2, "b@ex.com", 1)))
    here.run(sync)
    here.table("m.t", rows((1, "a@ex.com", 7), (2, "b@ex.com", 1), (3, "c@ex.com", 3), (4, "nobody", 4)))
    plan = here.plan(sync).as_json()
    assert plan["counts"] == {"add": 1, "change": 1}
    assert plan["invalid"] == {"invalid_email": 1}
    assert (plan["rows"], plan["exit_code"]) == (4, 3)
    body = {"users": [{"dataFields": {"v": 7}, "email": "a@ex.com"}, {"dataFields": {"v": 3}, "email": "c@ex.com"}]}
    (request,) = plan["requests"]
    assert (request["method"], request["path"], request["body"]) == ("POST", "/api/users/bulkUpdate", body)
    assert request["bytes"] == len(json.dumps(body, separators=(",", ":")))
    assert plan["changes"][0] == {"pk": "1", "output": "user", "op": "change", "fields": (("dataFields.v", 1, 7),)}
    assert plan["costs"]["requests"] == 1


def test_many_rows_cost_as_many_requests_as_the_sender_makes(activation_project: Callable[..., Activation]) -> None:
    here = activation_project()
    here.table("m.t", "select i as id, 'u' || i || '@ex.com' as email, 1 as v from range(2001) r (i)")
    here.sync("people", USER)
    (sync,) = load_syncs(here.settings)
    plan = plan_sync(here.settings, sync, Options(), shown=2)
    assert [(each.records, len(each.body["users"])) for each in plan.requests] == [(1000, 3), (1000, 3)]
    report = here.run("people")
    assert (plan.costs.requests, plan.costs.bytes <= report.bytes) == (report.requests, True) == (3, True)


def test_a_plan_asks_which_fields_there_are_and_offline_it_asks_nothing(
    activation_project: Callable[..., Activation],
) -> None:
    here = activation_project()
    here.table("m.t", "select 1 as id, 'a@ex.com' as email, {'city': 'Lyon', 'n': 1} as v")
    here.sync("people", USER)
    (sync,) = load_syncs(here.settings)
    assert plan_sync(here.settings, sync, Options(offline=True)).fields.new == ()
    assert here.sandbox.requests("/api/") == []
    assert plan_sync(here.settings, sync, Options()).fields.new == ("v.city", "v.n")
    here.run("people")
    here.table("m.t", "select 1 as id, 'a@ex.com' as email, {'city': true, 'n': 2, 'more': null} as v")
    plan = plan_sync(here.settings, sync, Options())
    assert plan.fields.new == ()
    assert plan.fields.conflicts == (("v.city", "string", "BOOLEAN"),)
    assert plan.warnings == ("the field v.city is of type string in Iterable, and BOOLEAN is sent",)


def test_a_preview_shows_one_row_whether_it_changed_or_not(planning: Callable[..., Planning]) -> None:
    here = planning()
    sync = here.sync("people", USER)
    here.table("m.t", rows((1, "a@ex.com", 1), (2, "bad", 1)))
    here.run(sync)
    shown = preview_pk(here.settings, sync, "1")
    assert shown.requests[0].body == {"users": [{"email": "a@ex.com", "dataFields": {"v": 1}}]}
    assert (shown.changes[0].fields, shown.issues) == ((), ())
    here.table("m.t", rows((1, "a@ex.com", 5), (2, "bad", 1)))
    assert preview_pk(here.settings, sync, "1").changes[0].fields == (("dataFields.v", 1, 5),)
    wrong = preview_pk(here.settings, sync, "2")
    assert (wrong.requests, [code for code, _, _ in wrong.issues]) == ((), ["invalid_email"])


def test_a_preview_of_a_row_that_is_not_there_says_so(planning: Callable[..., Planning]) -> None:
    here = planning()
    here.table("m.t", rows((1, "a@ex.com", 1)))
    with pytest.raises(ActivationRefused, match="no row whose id is 7"):
        preview_pk(here.settings, here.sync("people", USER), "7")


def test_b6_syncs_that_mix_bulk_and_single_requests_are_warned_of(planning: Callable[..., Planning]) -> None:
    here = planning()
    here.table("m.t", rows((1, "a@ex.com", 1)))
    here.sync("one_by_one", USER.replace("{v: v}", "{v: w}") + "delivery: single\n")
    (warning,) = here.plan(here.sync("people", USER)).warnings
    assert warning.startswith("one_by_one sends single requests and people bulk ones")


def test_nothing_published_yet_is_said(planning: Callable[..., Planning]) -> None:
    here = planning()
    with pytest.raises(NothingPublished, match=r"Nothing is imported yet.*\nNext: "):
        here.plan(here.sync("people", USER))


def test_a_disabled_sync_can_be_planned(planning: Callable[..., Planning]) -> None:
    here = planning()
    here.table("m.t", rows((1, "a@ex.com", 1)))
    assert here.plan(here.sync("people", USER + "enabled: false\n")).counts == {"add": 1}
