"""Whole lists: made by name once, deleted by id, and what is in doubt settled by reading (outbound.md 4.1, S9)."""

from collections.abc import Callable

import pytest

from iterable_pipelines.activation.errors import ActivationRefused
from iterable_pipelines.api.content_reads import lists_named
from iterable_pipelines_tests.activation.content.conftest import Content

SYNC = """
object: whole_list
source: marts.lists
primary_key: id
mode: insert
list_name: title
list_description: about
verify_after_seconds: 0
max_failure_ratio: 1
"""
ROWS = "select * from (values (1, 'Skiers', 'who ski'), (2, 'Everybody', null), (3, '', null)) t(id, title, about)"
APPROVED = ("delete", "empty_source")
Make = Callable[..., Content]


@pytest.fixture
def made(content: Make) -> Content:
    found = content()
    found.project.table("marts.lists", ROWS)
    found.project.sync("lists", SYNC)
    return found


def test_a_list_is_made_once_and_never_beside_one_of_its_name(made: Content) -> None:
    made.project.run("lists")
    assert made.outcomes("lists") == {
        "1": ("acked", ""),
        "2": ("skipped", "already_exists"),
        "3": ("invalid", "missing_list_name"),
    }
    assert made.project.requests("/api/lists") == [{"name": "Skiers", "description": "who ski"}]
    made.project.run("lists")
    assert len(made.project.requests("/api/lists")) == 1
    (there,) = lists_named(made.client, "Skiers")
    assert made.project.published("select result->>'$.listId' from activation.sync_rows where outcome = 'acked'") == [
        (str(there["id"]),)
    ]
    assert made.verify("lists").verified == 1


def test_a_second_list_of_a_name_is_made_only_where_that_is_allowed(made: Content) -> None:
    made.project.sync("lists", SYNC + "allow_duplicate_name: true\n")
    made.project.run("lists")
    assert made.outcomes("lists")["2"] == ("acked", "")
    assert len(lists_named(made.client, "Everybody")) == 2


def test_a_row_that_leaves_deletes_its_list_once_that_is_approved(made: Content) -> None:
    made.project.sync("lists", SYNC + "on_leave: delete\n")
    made.project.run("lists")
    made.project.table("marts.lists", f"{ROWS} where id > 1")
    with pytest.raises(ActivationRefused, match="delete: 1 lists, with all who are on them, would be deleted"):
        made.project.run("lists")
    made.project.sandbox.fault("status", "/api/lists", status=409, body={"msg": "in use", "code": "BadParams"})
    made.project.run("lists", approve=APPROVED)
    assert made.outcomes("lists")["1"] == ("rejected", "list_in_use")
    made.project.run("lists", approve=APPROVED)
    assert lists_named(made.client, "Skiers") == []
    # one that somebody else made is not this sync's to delete
    assert len(lists_named(made.client, "Everybody")) == 1


def test_lists_are_deleted_by_id_and_one_that_is_gone_is_gone(made: Content) -> None:
    made.client.write("POST", "/api/lists", b'{"name": "Old"}')
    (old,) = lists_named(made.client, "Old")
    made.project.table("marts.lists", f"select {old['id']} as id union all select 987654321 union all select null")
    made.project.sync("lists", "object: whole_list\nsource: marts.lists\nprimary_key: id\nmode: remove\nlist_id: id\n")
    made.project.run("lists", approve=("delete",))
    assert lists_named(made.client, "Old") == []
    assert made.outcomes("lists") == {
        str(old["id"]): ("acked", ""),
        "987654321": ("noop", "already_gone"),
        "": ("invalid", "null_primary_key"),
    }


def test_a_lost_answer_is_settled_by_the_list_that_is_there(made: Content) -> None:
    made.project.sandbox.fault("lost_answer", "/api/lists", holds="Skiers")
    assert made.project.run("lists").status == "failed"
    made.project.run("lists")
    assert len(made.project.requests("/api/lists")) == 1
    (there,) = lists_named(made.client, "Skiers")
    assert made.project.state("select result from state.acked where pk = '1'") == [(f'{{"listId": {there["id"]}}}',)]
