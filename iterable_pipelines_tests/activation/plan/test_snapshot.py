"""Which rows of the source take part, and what happens when it cannot be read."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from iterable_pipelines.activation.errors import ActivationRefused
from iterable_pipelines_tests.activation.plan.conftest import Planning

USER = "object: user\nsource: m.t\nprimary_key: id\nmatch: {column: email, field: email}\nfields: {v: v}\n"


def test_rows_that_share_a_primary_key_are_all_invalid(planning: Callable[..., Planning]) -> None:
    here = planning()
    here.table("m.t", "from (values (1, 'a@ex.com', 1), (1, 'b@ex.com', 2), (2, 'c@ex.com', 3)) t (id, email, v)")
    ran = here.run(here.sync("people", USER))
    assert ran.ops == {"2": "add"}
    assert ran.plan.invalid == {"duplicate_primary_key": 2}


def test_rows_without_a_primary_key_are_invalid(planning: Callable[..., Planning]) -> None:
    here = planning()
    here.table("m.t", "from (values (null, 'a@ex.com', 1), (null, 'b@ex.com', 2), (2, 'c@ex.com', 3)) t (id, email, v)")
    ran = here.run(here.sync("people", USER))
    assert ran.ops == {"2": "add"}
    assert ran.plan.invalid == {"null_primary_key": 2}
    assert ran.plan.rows == 3


def test_a_primary_key_of_several_columns_is_joined(planning: Callable[..., Planning]) -> None:
    here = planning()
    here.table("m.t", "from (values (1, 'x', 'a@ex.com', 1), (1, 'y', 'b@ex.com', 2)) t (id, part, email, v)")
    ran = here.run(here.sync("people", USER.replace("primary_key: id", "primary_key: [id, part]")))
    assert sorted(ran.ops) == ["1|x", "1|y"]


def test_limit_takes_the_first_rows_by_the_value_of_the_key_and_leaves_the_others(
    planning: Callable[..., Planning],
) -> None:
    here = planning()
    here.table("m.t", "select i as id, 'u' || i || '@ex.com' as email, i as v from range(9, 12) r (i)")
    sync = here.sync("people", USER + "mode: mirror\non_leave: null_fields\nguards: {remove_at_least: 1000}\n")
    assert [each["pk"] for each in here.run(sync, limit=2).changes] == ["9", "10"]
    # who is beyond the limit has not left
    assert here.run(sync, limit=1).changes == []
    assert [each["pk"] for each in here.run(sync).changes] == ["11"]


def test_only_pks_touches_no_other_row(planning: Callable[..., Planning]) -> None:
    here = planning()
    here.table("m.t", "select i as id, 'u' || i || '@ex.com' as email, 1 as v from range(4) r (i)")
    sync = here.sync("people", USER + "mode: mirror\non_leave: null_fields\nguards: {remove_at_least: 1000}\n")
    here.run(sync)
    here.table("m.t", "select i as id, 'u' || i || '@ex.com' as email, 2 as v from range(2) r (i)")
    assert here.run(sync, only_pks=("1", "3")).ops == {"1": "change", "3": "remove"}
    assert here.run(sync).ops == {"0": "change", "2": "remove"}


def test_s13_rows_older_than_the_keys_that_are_kept_are_no_rows(planning: Callable[..., Planning]) -> None:
    here = planning()
    here.table(
        "m.t",
        "from (values (1, 'a@ex.com', 1, timestamp '2025-09-01'), (2, 'b@ex.com', 1, timestamp '2026-10-31')) "
        "t (id, email, v, seen)",
    )
    sync = here.sync("people", USER + "watermark: seen\nkey_retention_days: 10\n")
    assert here.run(sync, as_of=datetime(2026, 11, 2, tzinfo=UTC)).ops == {"2": "add"}


def test_only_mapped_columns_cause_traffic(planning: Callable[..., Planning]) -> None:
    here = planning()
    here.table("m.t", "select 1 as id, 'a@ex.com' as email, 1 as v, 1 as unmapped")
    sync = here.sync("people", USER)
    here.run(sync)
    here.table("m.t", "select 1 as id, 'a@ex.com' as email, 1 as v, 2 as unmapped")
    assert here.run(sync).changes == []


def test_r19_a_query_that_fails_half_way_leaves_the_state_as_it_was(planning: Callable[..., Planning]) -> None:
    here = planning()
    here.table("m.t", "select i as id, 'u' || i || '@ex.com' as email, 1 as v from range(5000) r (i)")
    query = "select * replace (if(id = {0}, error('secret'), v) as v) from m.t"
    sync = here.sync("people", USER.replace("source: m.t", "source: {sql: 'from m.t'}"))
    here.run(sync)
    before = here.state(sync, "select count(*), min(run_id), max(last_acked_at) from state.acked")
    broken = here.sync("people", USER.replace("source: m.t", f'source: {{sql: "{query.format(4999)}"}}'))
    with pytest.raises(ActivationRefused, match=r"cannot be read.*\nNothing was sent") as failed:
        here.run(broken)
    # what a query stumbles over may be of a person
    assert "secret" not in str(failed.value)
    assert here.state(sync, "select count(*), min(run_id), max(last_acked_at) from state.acked") == before
    assert here.state(sync, "select count(*) from state.runs") == [(1,)]
    assert here.run(sync).changes == []


def test_a_table_that_is_not_there_is_named(planning: Callable[..., Planning]) -> None:
    here = planning()
    here.table("m.other", "select 1 as x")
    with pytest.raises(
        ActivationRefused, match=r"Table with name t.*\nNothing was sent\.\nNext: correct syncs/people.yml"
    ):
        here.run(here.sync("people", USER))
