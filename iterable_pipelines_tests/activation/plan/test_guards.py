"""What stops a run before anything is sent, with its figures, and what to type if it is meant (P12, R11, R13)."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from iterable_pipelines.activation.errors import ActivationRefused
from iterable_pipelines.activation.state import state_path
from iterable_pipelines_tests.activation.conftest import Activation
from iterable_pipelines_tests.activation.plan.conftest import Planning
from iterable_pipelines_tests.activation.plan.test_diff import rows

USER = "object: user\nsource: m.t\nprimary_key: id\nmatch: {column: email, field: email}\nfields: {v: v}\n"
MANY = "select i as id, 'u' || i || '@ex.com' as email, 1 as v from range({0}) r (i)"
MIRROR = USER + "mode: mirror\non_leave: null_fields\n"


def test_p12_nobody_at_all_is_no_error_the_first_time(planning: Callable[..., Planning]) -> None:
    here = planning()
    here.table("m.t", MANY.format(0))
    assert here.run(here.sync("people", MIRROR)).changes == []


def test_p12_a_source_that_became_empty_stops_the_run(planning: Callable[..., Planning]) -> None:
    here = planning()
    sync = here.sync("people", MIRROR)
    here.table("m.t", MANY.format(3))
    here.run(sync)
    here.table("m.t", MANY.format(0))
    assert here.plan(sync).exit_code == 4
    with pytest.raises(ActivationRefused) as stopped:
        here.run(sync)
    assert str(stopped.value) == (
        "people: stopped before anything was sent; what was acknowledged is safe.\n"
        "  empty_source: the source has no row, and 3 were acknowledged before\n"
        "Next: iterable-pipelines sync plan people shows it; if it is meant, "
        "iterable-pipelines sync run people --approve empty_source"
    )
    assert here.state(sync, "select count(*) from state.runs") == [(1,)]
    assert len(here.run(sync, approve=("empty_source",)).changes) == 3


@pytest.mark.parametrize("lost", ["id", "email"])
def test_p12_rows_of_nobody_are_as_good_as_none(planning: Callable[..., Planning], lost: str) -> None:
    here = planning()
    sync = here.sync(
        "vips",
        "object: list\nsource: m.t\nprimary_key: id\nmatch: {column: email, field: email}\nmode: mirror\n"
        "list: {id: 7}\n",
    )
    here.table("m.t", MANY.format(3))
    here.run(sync)
    here.table("m.t", f"select * replace (null as {lost}) from ({MANY.format(3)})")
    with pytest.raises(ActivationRefused, match="empty_source: no row of the source names anybody"):
        here.run(sync)
    here.table("m.t", MANY.format(1))
    assert len(here.run(sync).changes) == 2


def test_p12_a_source_may_be_empty_if_its_file_says_so(planning: Callable[..., Planning]) -> None:
    here = planning()
    sync = here.sync("people", MIRROR + "guards: {allow_empty: true}\n")
    here.table("m.t", MANY.format(3))
    here.run(sync)
    here.table("m.t", MANY.format(0))
    assert len(here.run(sync).changes) == 3


@pytest.mark.parametrize(
    ("guards", "left", "stops"), [("{}", 99, True), ("{}", 101, False), ("{max_remove_ratio: 0.6}", 99, False)]
)
def test_p12_many_who_leave_at_once_stop_the_run(
    planning: Callable[..., Planning], guards: str, left: int, stops: bool
) -> None:
    here = planning()
    sync = here.sync("people", MIRROR + f"guards: {guards}\n")
    here.table("m.t", MANY.format(200))
    here.run(sync)
    here.table("m.t", MANY.format(left))
    plan = here.plan(sync)
    assert [each.name for each in plan.guards] == (["mass_exit"] if stops else [])
    assert plan.counts["remove"] == 200 - left
    if stops:
        assert plan.guards[0].message == "101 of 200 would leave, and `guards.max_remove_ratio` allows 50%"
        assert here.run(sync, approve=("mass_exit",)).plan.counts["remove"] == 101


def test_few_who_leave_are_no_matter(planning: Callable[..., Planning]) -> None:
    here = planning()
    sync = here.sync("people", MIRROR)
    here.table("m.t", MANY.format(100))
    here.run(sync)
    here.table("m.t", MANY.format(1))
    assert len(here.run(sync).changes) == 99


def test_deleting_users_needs_approval_each_time(planning: Callable[..., Planning]) -> None:
    here = planning()
    sync = here.sync("people", USER + "mode: mirror\non_leave: delete\n")
    here.table("m.t", MANY.format(3))
    here.run(sync)
    here.table("m.t", MANY.format(2))
    with pytest.raises(ActivationRefused, match="delete: 1 users would be deleted in Iterable, with all their history"):
        here.run(sync)
    assert [each["endpoint"] for each in here.run(sync, approve=("delete",)).changes] == ["delete"]


def test_r13_a_state_that_is_lost_sends_nothing_by_itself(activation_project: Callable[..., Activation]) -> None:
    here = activation_project()
    here.table("m.t", MANY.format(3))
    here.sync("people", USER)
    here.run("people")
    # the copy for readers knows what was sent
    here.table("m.other", "select 1 as x")
    state_path(here.settings, "people").unlink()
    with pytest.raises(
        ActivationRefused, match=r"lost_state: .*people.duckdb\) is gone, .* 3 rows that were acknowledged"
    ):
        here.run("people")
    assert here.run("people", approve=("lost_state",)).counts == {"add": {"noop": 3}}


def test_r11_fields_that_would_be_made_are_counted_and_named(activation_project: Callable[..., Activation]) -> None:
    here = activation_project()
    columns = ", ".join(f"{each} as f{each}" for each in range(6))
    here.table("m.t", f"select 1 as id, 'a@ex.com' as email, {columns}")
    here.sync("people", USER.replace("{v: v}", "'*'"))
    with pytest.raises(
        ActivationRefused, match=r"new_fields: 6 fields .* \(f0, f1, f2, f3, f4, f5\), and `guards.max_new"
    ):
        here.run("people")
    assert here.requests() == []
    assert here.run("people", approve=("new_fields",)).created_fields == tuple(f"f{each}" for each in range(6))
    here.table("m.t", f"select 1 as id, 'a@ex.com' as email, {columns.replace('0 as', '9 as')}")
    # they are known now
    assert here.run("people").counts == {"change": {"acked": 1}}


def test_p2_a_trait_of_another_type_than_its_field_is_refused(activation_project: Callable[..., Activation]) -> None:
    here = activation_project()
    here.table("m.t", "select 1 as id, 'a@ex.com' as email, true as v")
    here.sync("people", USER)
    here.run("people")
    here.table("m.t", "select 1 as id, 'a@ex.com' as email, 'text' as value")
    head = USER.replace("fields: {v: v}\n", "").replace("object: user", "object: trait")
    (here.settings.project_root / "syncs" / "people.yml").unlink()
    here.sync("level", head + "trait_name: v\n")
    with pytest.raises(ActivationRefused, match="the field v is of type boolean in Iterable for ever"):
        here.run("level")


def test_windows_end_at_the_moment_that_is_asked_for(planning: Callable[..., Planning]) -> None:
    here = planning()
    early, late = "timestamp '2026-10-30 05:00'", "timestamp '2026-11-01 04:59'"
    here.table("m.t", f"from (values (1, 'a@ex.com', {early}), (2, 'b@ex.com', {late})) t (id, email, seen)")
    query = "select * from m.t where seen >= {{ window_start }} and seen < {{ as_of }}"
    head = (
        "object: audience\naudience_name: Loyal\nprimary_key: id\nmatch: {column: email, field: email}\nas: identify\n"
    )
    sync = here.sync("loyal", f"{head}window: 2d\nsource: {{sql: '{query}'}}\n")
    first = here.run(sync, as_of=datetime(2026, 11, 1, 5, tzinfo=UTC))
    assert first.ops == {"email:a@ex.com": "add", "email:b@ex.com": "add"}
    # time alone moves people out (P11)
    assert here.run(sync, as_of=datetime(2026, 11, 1, 6, tzinfo=UTC)).ops == {"email:a@ex.com": "remove"}


def test_a_guard_that_speaks_up_is_all_that_the_run_leaves(planning: Callable[..., Planning]) -> None:
    here = planning()
    sync = here.sync("people", MIRROR)
    here.table("m.t", rows((1, "a@ex.com", 1)))
    here.run(sync)
    before = here.state(sync, "from state.acked")
    here.table("m.t", MANY.format(0))
    with pytest.raises(ActivationRefused):
        here.run(sync)
    assert here.state(sync, "from state.acked") == before
