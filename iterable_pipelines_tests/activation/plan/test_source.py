"""What a sync reads, and what is refused before anything is read."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from iterable_pipelines.activation.errors import ActivationRefused
from iterable_pipelines.activation.source import source_query, tables_read, window_start
from iterable_pipelines_tests.activation.plan.conftest import Planning

AS_OF = datetime(2026, 11, 2, 5, tzinfo=UTC)
USER = "object: user\nprimary_key: id\nmatch: {column: email, field: email}\n"


def test_a_model_is_read_in_the_schema_of_its_folder(planning: Callable[..., Planning]) -> None:
    sync = planning().sync("people", USER + "source: ref('iterable__users')\n")
    assert source_query(planning().settings, sync, AS_OF) == 'from "marts"."iterable__users"'
    assert tables_read(planning().settings, sync) == [("marts", "iterable__users")]


def test_a_model_that_is_not_there_is_refused_with_the_one_that_was_meant(planning: Callable[..., Planning]) -> None:
    sync = planning().sync("people", USER + "source: ref('iterable_users')\n")
    with pytest.raises(ActivationRefused, match="no dbt model iterable_users, did you mean iterable__users"):
        source_query(planning().settings, sync, AS_OF)


def test_p11_moments_are_put_into_sql_as_timestamps(planning: Callable[..., Planning]) -> None:
    sync = planning().sync(
        "people",
        USER + "window: 2d\nsource:\n  sql: select * from m.t where seen >= {{ window_start }} and seen < {{as_of}};\n",
    )
    assert source_query(planning().settings, sync, AS_OF) == (
        "select * from m.t where seen >= timestamp '2026-10-31 05:00:00' and seen < timestamp '2026-11-02 05:00:00'"
    )
    assert tables_read(planning().settings, sync) == [("m", "t")]
    assert window_start(sync, AS_OF) == datetime(2026, 10, 31, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("select {{ window_start }}", "there is no `window`"),
        ("select {{ today }}", r"not \{\{ today \}\}"),
        ("delete from m.t", "DELETE is no query"),
        ("select 1; select 2", "one query is needed"),
    ],
)
def test_sql_that_is_more_than_a_query_is_refused(planning: Callable[..., Planning], sql: str, said: str) -> None:
    sync = planning().sync("people", USER + f"source: {{sql: '{sql}'}}\n")
    with pytest.raises(ActivationRefused, match=said):
        source_query(planning().settings, sync, AS_OF)


def test_a_source_without_a_schema_is_refused(planning: Callable[..., Planning]) -> None:
    sync = planning().sync("people", USER + "source: people\n")
    with pytest.raises(ActivationRefused, match=r"schema\.table"):
        source_query(planning().settings, sync, AS_OF)


def test_names_that_need_quotes_cannot_break_out(planning: Callable[..., Planning]) -> None:
    sync = planning().sync("people", USER + "source: 'm.t\"; drop table x; --'\n")
    assert source_query(planning().settings, sync, AS_OF) == 'from "m"."t""; drop table x; --"'
