"""Rows that are gone, wrong or doubled for a while: nobody is told to leave for that, or forgotten when he is back."""

import json
from collections.abc import Callable
from uuid import uuid4

import pytest

from iterable_pipelines.activation.merge import merge
from iterable_pipelines.activation.options import Options
from iterable_pipelines.activation.plan import make_plan
from iterable_pipelines.activation.project import Project
from iterable_pipelines.activation.run import reset_sync
from iterable_pipelines.activation.state import open_workspace
from iterable_pipelines.activation.written_down import write_down
from iterable_pipelines_tests.activation.plan.conftest import Planning
from iterable_pipelines_tests.activation.plan.test_diff import USER, rows

LIST = (
    "object: list\nsource: m.t\nprimary_key: id\nmatch: {column: email, field: email}\nmode: mirror\nlist: {id: 7}\n"
    "guards: {allow_empty: true}\n"
)
MATCHED = "source: m.t\nprimary_key: id\nmatch: {column: email, field: email}\nfirst_run: from_now\n"
LEAVING = {
    "user": f"object: user\n{MATCHED}fields: {{v: v}}\nmode: mirror\non_leave: delete\n",
    "cart": f"object: cart\n{MATCHED}items: v\non_leave: clear\n",
    "device": f"object: device\n{MATCHED}token: v\nplatform: p\napplication_name: {{constant: x}}\non_leave: disable\n",
}
ANA, BO = (1, "a@ex.com", 1), (2, "b@ex.com", 1)


def test_who_was_removed_alone_and_is_back_as_before_enters_again(planning: Callable[..., Planning]) -> None:
    here = planning()
    sync = here.sync("vips", LIST)
    here.table("m.t", rows(ANA, BO))
    here.run(sync)
    here.table("m.t", rows(BO))
    assert here.run(sync, only_pks=("1",)).ops == {"email:a@ex.com": "remove"}
    here.table("m.t", rows(ANA, BO))
    assert here.run(sync).ops == {"email:a@ex.com": "add"}


def test_s7_who_was_removed_by_a_run_that_died_enters_again_by_either_of_his_rows(
    planning: Callable[..., Planning],
) -> None:
    here = planning()
    sync = here.sync("vips", LIST)
    here.table("m.t", rows(ANA, (2, "a@ex.com", 1)))
    here.run(sync)
    here.table("m.t", rows())
    with open_workspace(here.settings, sync.name, write=True) as workspace:
        plan = make_plan(workspace, Project.of(here.settings, sync), sync, Options(), None)
        run_id = uuid4().hex
        write_down(workspace, run_id, sync, plan, Options())
        workspace.con.execute(
            "insert into state.outcomes by name select run_id, number, 'acked' as kind, '' as code, "
            "timestamp '2026-11-01' as noted_at from state.changes where run_id = ?",
            [run_id],
        )
        # what the next run does for it
        merge(workspace, run_id)
    here.table("m.t", rows((2, "a@ex.com", 1)))
    assert here.run(sync).ops == {"email:a@ex.com": "add"}


def test_p5_a_member_whose_row_is_wrong_does_not_leave_however_often_it_is_looked_at(
    planning: Callable[..., Planning],
) -> None:
    here = planning()
    sync = here.sync("vips", LIST)
    here.table("m.t", rows(ANA, BO))
    here.run(sync)
    here.table("m.t", rows((1, "no address", 1), BO))
    assert [here.run(sync).ops for _ in range(3)] == [{}, {}, {}]
    here.table("m.t", rows(BO))
    assert here.run(sync).ops == {"email:a@ex.com": "remove"}


def test_a_primary_key_that_is_unique_again_is_no_issue_any_more(planning: Callable[..., Planning]) -> None:
    here = planning()
    sync = here.sync("people", USER)
    here.table("m.t", rows(ANA, BO))
    here.run(sync)
    here.table("m.t", rows(ANA, BO, (1, "a@ex.com", 2)))
    assert here.run(sync).plan.invalid == {"duplicate_primary_key": 2}
    here.table("m.t", rows(ANA, BO))
    here.run(sync)
    assert here.state(sync, "from state.issues") == []


def test_rows_without_a_key_are_nothing_to_a_run_of_one_row(planning: Callable[..., Planning]) -> None:
    here = planning()
    sync = here.sync("people", USER)
    here.table("m.t", rows(ANA, (None, "b@ex.com", 1)))
    assert here.run(sync, only_pks=("1",)).plan.invalid == {}
    assert here.run(sync).plan.invalid == {"null_primary_key": 1}


@pytest.mark.parametrize(("kind", "told"), [("user", {"1": "remove"}), ("cart", {"1": "remove"}), ("device", {})])
def test_who_was_there_before_the_first_run_may_leave(
    planning: Callable[..., Planning], kind: str, told: dict[str, str]
) -> None:
    here = planning()
    sync = here.sync("these", LEAVING[kind])
    item = '[{"id": "1", "name": "A", "price": 1, "quantity": 1}]'
    found = [(pk, email, item, "ios") for pk, email, _ in (ANA, BO)]
    here.table("m.t", rows(*found, columns="id, email, v, p"))
    assert here.run(sync).ops == {}
    here.table("m.t", rows(*found[1:], columns="id, email, v, p"))
    assert here.run(sync, approve=("delete",)).ops == told


def test_s11_who_has_left_is_not_told_so_again_when_all_are_sent_again(planning: Callable[..., Planning]) -> None:
    here = planning()
    sync = here.sync("vips", LIST)
    here.table("m.t", rows(ANA, BO))
    here.run(sync)
    here.table("m.t", rows(BO))
    here.run(sync)
    assert reset_sync(here.settings, sync, "resend") == 1
    assert here.run(sync).ops == {"email:b@ex.com": "retry"}


def test_p5_who_is_in_doubt_goes_again_also_by_the_row_that_took_over(planning: Callable[..., Planning]) -> None:
    here = planning()
    sync = here.sync("vips", LIST)
    here.table("m.t", rows(ANA, (2, "a@ex.com", 1)))
    here.run(sync)
    here.table("m.t", rows((2, "a@ex.com", 1)))
    assert here.run(sync).ops == {}
    here.state(sync, "update state.acked set in_doubt = true")
    assert here.run(sync).ops == {"email:a@ex.com": "retry"}


@pytest.mark.parametrize("on_leave", ["delete", "null_fields"])
def test_x44_a_user_of_two_rows_stays_as_long_as_one_of_them_is_there(
    planning: Callable[..., Planning], on_leave: str
) -> None:
    here = planning()
    sync = here.sync("people", USER + f"mode: mirror\non_leave: {on_leave}\nguards: {{allow_empty: true}}\n")
    here.table("m.t", rows(ANA, (2, "A@ex.com", 1), (3, "b@ex.com", 1)))
    here.run(sync)
    here.table("m.t", rows((2, "A@ex.com", 1)))
    assert here.run(sync, approve=("delete",)).ops == {"3": "remove"}
    here.table("m.t", rows())
    assert here.run(sync, approve=("delete",)).ops == {"1": "remove", "2": "remove"}


def test_what_was_refused_of_a_row_that_is_gone_is_no_issue_any_more(planning: Callable[..., Planning]) -> None:
    here = planning()
    sync = here.sync("people", USER)
    here.table("m.t", rows(ANA, BO))
    here.run(sync, lambda change: ("rejected", "invalid_data"))
    here.table("m.t", rows(BO))
    here.run(sync)
    assert here.state(sync, "select pk, code from state.issues") == [("2", "invalid_data")]


def test_on_leave_clears_what_is_nested_deeper_and_nothing_beside_it(planning: Callable[..., Planning]) -> None:
    here = planning()
    text = USER.replace("{v: v}", "{v: a.b.c}") + "mode: mirror\non_leave: null_fields\nguards: {allow_empty: true}\n"
    sync = here.sync("people", text)
    here.table("m.t", rows(ANA))
    here.run(sync)
    here.table("m.t", rows())
    (change,) = here.run(sync).changes
    assert json.loads(change["payload"])["dataFields"] == {"a": {"b": {"c": None}}}


def test_x44_rows_of_one_user_may_be_refused_until_one_is_left(planning: Callable[..., Planning]) -> None:
    here = planning()
    sync = here.sync("people", USER + "on_duplicate_identity: error\n")
    here.table("m.t", rows(ANA, (2, "A@ex.com", 1), (3, "b@ex.com", 1)))
    ran = here.run(sync)
    assert (ran.ops, ran.plan.invalid) == ({"3": "add"}, {"duplicate_identity": 2})
    here.table("m.t", rows(ANA, (3, "b@ex.com", 1), (4, "b@ex.com", 2)))
    # what was sent before stays as it is
    ran = here.run(sync)
    assert (ran.ops, ran.plan.invalid) == ({"1": "add"}, {"duplicate_identity": 1})
    here.table("m.t", rows(ANA, (4, "b@ex.com", 2)))
    assert here.run(sync).ops == {"4": "add"}
    assert here.state(sync, "from state.issues") == []
