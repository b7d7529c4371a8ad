"""What a list sync sends (outbound.md P3, P7, I8)."""

import re
from typing import Any, cast

import pytest
from pydantic import ValidationError

from iterable_pipelines.activation.compile.list import ListCompiler
from iterable_pipelines.activation.compile.rows import Settled
from iterable_pipelines.activation.memberships import ListSync
from iterable_pipelines_tests.activation.audiences.syncs import AS_OF, VIPS, WIN_BACK, acknowledged, sync_of


def compiler(**changes: Any) -> ListCompiler:
    return ListCompiler(Settled(cast(ListSync, sync_of(VIPS, "vips", **changes)), "hybrid", AS_OF))


def test_a_row_is_put_on_the_list_and_taken_off_when_it_is_gone() -> None:
    vips = compiler(list={"id": 7, "update_existing_users_only": False})
    (added,) = vips.compile("1", {"email": "Ana@x.example"}).records
    assert (added.endpoint, added.payload, added.flags) == (
        "subscribe",
        {"email": "ana@x.example"},
        {"updateExistingUsersOnly": False},
    )
    gone = vips.leave(acknowledged(added))
    assert gone and (gone.endpoint, gone.payload, gone.key) == ("unsubscribe", added.payload, added.key)
    # true would unsubscribe them from everything
    assert gone.flags == {"channelUnsubscribe": False}


def test_mode_insert_takes_nobody_off() -> None:
    adding = compiler(mode="insert")
    (added,) = adding.compile("1", {"email": "ana@x.example"}).records
    assert added.endpoint == "subscribe"
    assert adding.leave(acknowledged(added)) is None


def test_mode_remove_takes_rows_off_and_puts_nobody_on() -> None:
    removing = compiler(mode="remove")
    (removed,) = removing.compile("1", {"email": "ana@x.example"}).records
    assert (removed.endpoint, removed.flags) == ("unsubscribe", {"channelUnsubscribe": False})
    assert removing.leave(acknowledged(removed)) is None


def test_i8_a_placeholder_is_put_on_no_list() -> None:
    row = {"email": "u9@placeholder.email"}
    assert compiler().compile("1", row).records
    refused = compiler(reject_placeholder=True).compile("1", row)
    assert (refused.records, [issue.code for issue in refused.issues]) == ((), ["placeholder_address"])


def test_p7_who_cannot_be_named_is_skipped() -> None:
    assert compiler().compile("1", {"email": ""}).skipped == "no_identifier"


@pytest.mark.parametrize(
    ("text", "changes", "said"),
    [
        (VIPS, {"list": {}}, "write `list: {id: …}`"),
        (VIPS, {"list": {"id": 7, "name": "vips"}}, "either the `id` of a list, or a `name`"),
        (VIPS, {"mode": "insert", "on_leave": "unsubscribe"}, "`on_leave: unsubscribe` needs `mode: mirror`"),
        (WIN_BACK, {"as": ["track"], "list": {"id": 7}}, "`list` has no effect"),
        (WIN_BACK, {"emails": "first"}, "`emails` has no effect"),
    ],
)
def test_what_a_file_must_not_say_of_lists_and_addresses(text: str, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(said)):
        sync_of(text, **changes)
