"""What is sent is the difference between the source and what was acknowledged (S4, S5), and nothing else."""

import json
import shutil
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iterable_pipelines_tests.activation.plan.conftest import Answer, Planning

USER = "object: user\nsource: m.t\nprimary_key: id\nmatch: {column: email, field: email}\nfields: {v: v}\n"
MIRROR = USER + "mode: mirror\non_leave: null_fields\nguards: {remove_at_least: 1000000, allow_empty: true}\n"
MEMBERS = (
    "object: audience\naudience_name: Loyal\nsource: m.t\nprimary_key: id\nmatch: {column: email, field: email}\n"
    "as: [identify, track]\nguards: {remove_at_least: 1000000, allow_empty: true}\n"
)


def rows(*found: tuple[Any, ...], columns: str = "id, email, v") -> str:
    """A query of rows, of which there may be none."""
    if not found:
        return "select 1 as id, '' as email, 1 as v where false"
    values = ", ".join("(" + ", ".join("null" if each is None else repr(each) for each in row) + ")" for row in found)
    return f"from (values {values}) t ({columns})"


def rejected(code: str, kind: str = "rejected") -> Answer:
    return lambda change: (kind, code)


def answering(kinds: Sequence[str | None]) -> Answer:
    """One kind of outcome after the other; None is no answer at all."""

    def answer(change: dict[str, Any]) -> tuple[str, str] | None:
        kind = kinds[change["number"] % len(kinds)]
        return (kind, "") if kind else None

    return answer


def test_s4_new_changed_and_equal_rows(planning: Callable[..., Planning]) -> None:
    here = planning()
    sync = here.sync("people", USER)
    here.table("m.t", rows((1, "a@ex.com", 1), (2, "b@ex.com", 1)))
    assert here.run(sync).ops == {"1": "add", "2": "add"}
    here.table("m.t", rows((1, "a@ex.com", 1), (2, "b@ex.com", 2), (3, "c@ex.com", 3)))
    assert here.run(sync).ops == {"2": "change", "3": "add"}
    assert here.run(sync).changes == []


def test_s4_numbers_that_are_equal_are_no_change(planning: Callable[..., Planning]) -> None:
    here = planning()
    sync = here.sync("people", USER)
    here.table("m.t", "select 1 as id, 'a@ex.com' as email, 1.10::decimal(9, 2) as v")
    here.run(sync)
    here.table("m.t", "select 1 as id, 'a@ex.com' as email, 1.1::double as v")
    assert here.run(sync).changes == []


def test_s5_a_rejected_row_keeps_what_iterable_has_and_waits_until_it_changes(
    planning: Callable[..., Planning],
) -> None:
    here = planning()
    sync = here.sync("people", USER)
    here.table("m.t", rows((1, "a@ex.com", 1)))
    here.run(sync)
    here.table("m.t", rows((1, "a@ex.com", 2)))
    assert here.run(sync, rejected("field_type_mismatch")).ops == {"1": "change"}
    assert json.loads(here.state(sync, "select payload from state.acked")[0][0])["dataFields"] == {"v": 1}
    assert here.run(sync).changes == []
    # back to what Iterable has: nothing is wanted, and nothing is wrong any more
    here.table("m.t", rows((1, "a@ex.com", 1)))
    assert here.run(sync).changes == []
    assert here.state(sync, "from state.issues") == []
    here.table("m.t", rows((1, "a@ex.com", 3)))
    assert here.run(sync).ops == {"1": "change"}


def test_a_rejection_that_may_be_mended_is_tried_in_every_run_for_fourteen_days(
    planning: Callable[..., Planning],
) -> None:
    here = planning()
    sync = here.sync("people", USER)
    here.table("m.t", rows((1, "a@ex.com", 1)))
    here.run(sync, rejected("user_not_found"))
    assert here.run(sync, rejected("user_not_found")).ops == {"1": "retry"}
    here.state(sync, "update state.issues set first_seen = first_seen - interval 15 days")
    assert here.run(sync).changes == []
    here.table("m.t", rows((1, "a@ex.com", 2)))
    assert here.run(sync).ops == {"1": "add"}


@pytest.mark.parametrize("kind", ["deferred", "aborted", "unknown", None])
def test_what_is_pending_is_sent_by_the_next_run_with_fresh_values(
    planning: Callable[..., Planning], kind: str | None
) -> None:
    here = planning()
    sync = here.sync("people", USER)
    here.table("m.t", rows((1, "a@ex.com", 1)))
    here.run(sync, lambda change: (kind, "") if kind else None)
    here.table("m.t", rows((1, "a@ex.com", 2)))
    (change,) = here.run(sync).changes
    assert json.loads(change["payload"])["dataFields"] == {"v": 2}
    assert here.run(sync).changes == []


def test_s7_what_is_in_doubt_is_sent_even_if_it_equals_what_was_acknowledged(
    planning: Callable[..., Planning],
) -> None:
    here = planning()
    sync = here.sync("people", MIRROR)
    here.table("m.t", rows((1, "a@ex.com", 1), (2, "b@ex.com", 1)))
    here.run(sync)
    here.state(sync, "update state.acked set in_doubt = true")
    here.table("m.t", rows((1, "a@ex.com", 1)))
    assert here.run(sync).ops == {"1": "retry", "2": "remove"}
    assert here.run(sync).changes == []


def test_leaving_and_coming_back(planning: Callable[..., Planning]) -> None:
    here = planning()
    sync = here.sync("people", MIRROR)
    here.table("m.t", rows((1, "a@ex.com", 1), (2, "b@ex.com", 1)))
    here.run(sync)
    here.table("m.t", rows((1, "a@ex.com", 1)))
    (gone,) = here.run(sync).changes
    assert (gone["op"], json.loads(gone["payload"])) == ("remove", {"email": "b@ex.com", "dataFields": {"v": None}})
    assert here.run(sync).changes == []
    here.table("m.t", rows((1, "a@ex.com", 1), (2, "b@ex.com", 1)))
    assert here.run(sync).ops == {"2": "add"}


def test_a_row_with_something_wrong_has_not_left(planning: Callable[..., Planning]) -> None:
    here = planning()
    sync = here.sync("people", MIRROR)
    here.table("m.t", rows((1, "a@ex.com", 1), (2, "b@ex.com", 1)))
    here.run(sync)
    here.table("m.t", rows((1, "a@ex.com", 1), (2, "no address", 1)))
    ran = here.run(sync)
    assert (ran.changes, ran.plan.invalid) == ([], {"invalid_email": 1})


def test_p5_an_identity_is_a_member_as_long_as_any_row_carries_it(planning: Callable[..., Planning]) -> None:
    here = planning()
    sync = here.sync("loyal", MEMBERS)
    here.table("m.t", rows((1, "a@ex.com", 1), (2, "A@ex.com ", 1), (3, "b@ex.com", 1)))
    first = here.run(sync)
    assert sorted((each["key"], each["output"]) for each in first.changes) == [
        ("email:a@ex.com", "identify"),
        ("email:a@ex.com", "track"),
        ("email:b@ex.com", "identify"),
        ("email:b@ex.com", "track"),
    ]
    here.table("m.t", rows((2, "A@ex.com ", 1), (3, "b@ex.com", 1)))
    assert here.run(sync).changes == []
    here.table("m.t", rows((3, "b@ex.com", 1)))
    assert {(each["key"], each["op"]) for each in here.run(sync).changes} == {("email:a@ex.com", "remove")}


def test_p6_a_re_entry_is_another_event_and_a_retry_the_same(planning: Callable[..., Planning]) -> None:
    here = planning()
    sync = here.sync("loyal", MEMBERS.replace("identify, ", ""))

    def event_id(*found: tuple[Any, ...], says: str = "acked") -> list[str]:
        here.table("m.t", rows(*found))
        changes = here.run(sync, rejected("user_not_found" if says == "rejected" else "", says)).changes
        return [json.loads(each["payload"])["id"].split(":", 3)[3] for each in changes]

    member = (1, "a@ex.com", 1)
    assert event_id(member, says="deferred") == ["0:in"]
    assert event_id(member) == ["0:in"]
    assert event_id(says="deferred") == ["0:out"]
    assert event_id() == ["0:out"]
    assert event_id(member, says="rejected") == ["1:in"]
    assert event_id(member) == ["1:in"]
    assert event_id(member) == []
    assert event_id() == ["1:out"]


def test_p8_addresses_of_one_row_come_and_go_one_by_one(planning: Callable[..., Planning]) -> None:
    here = planning()
    sync = here.sync("loyal", MEMBERS.replace(", track", "") + "emails_column: emails\n")

    def ops(emails: list[str]) -> dict[str, str]:
        here.table("m.t", f"select 1 as id, null::text as email, {emails} as emails")
        return here.run(sync).ops

    assert ops(["a@ex.com", "b@ex.com"]) == {"email:a@ex.com": "add", "email:b@ex.com": "add"}
    assert ops(["b@ex.com", "c@ex.com"]) == {"email:c@ex.com": "add", "email:a@ex.com": "remove"}
    here.table("m.t", "select 1 as id, null::text as email, ['x'] as emails where false")
    assert here.run(sync).ops == {"email:b@ex.com": "remove", "email:c@ex.com": "remove"}


def test_p8_an_address_may_stay_until_its_row_leaves(planning: Callable[..., Planning]) -> None:
    here = planning()
    sync = here.sync("loyal", MEMBERS.replace(", track", "") + "on_identity_removed: keep\n")
    here.table("m.t", rows((1, "a@ex.com", 1)))
    here.run(sync)
    here.table("m.t", rows((1, "b@ex.com", 1)))
    assert here.run(sync).ops == {"email:b@ex.com": "add"}
    here.table("m.t", rows())
    assert here.run(sync).ops == {"email:a@ex.com": "remove", "email:b@ex.com": "remove"}


PEOPLE = st.dictionaries(st.integers(1, 4), st.tuples(st.sampled_from("ab"), st.integers(0, 2)), max_size=4)
ANSWERS = st.lists(st.sampled_from(["acked", "noop", "deferred", "unknown", None]), min_size=1, max_size=5)
QUIETLY = settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@pytest.mark.parametrize("text", [MIRROR, MEMBERS.replace(", track", "")], ids=["rows", "identities"])
@QUIETLY
@given(st.lists(st.tuples(PEOPLE, ANSWERS), min_size=1, max_size=3), st.randoms())
def test_whatever_happened_before_one_good_run_is_enough_and_the_next_has_nothing_to_do(
    planning: Callable[..., Planning],
    text: str,
    history: list[tuple[dict[int, Any], Sequence[str | None]]],
    random: Any,
) -> None:
    here = planning()
    # each example begins anew
    shutil.rmtree(here.settings.data_dir / "activation", ignore_errors=True)
    sync = here.sync("people", text)
    for people, answers in history:
        found = [(pk, f"{name}{pk % 3}@ex.com", v) for pk, (name, v) in people.items()]
        # the order of the rows does not matter
        random.shuffle(found)
        here.table("m.t", rows(*found))
        here.run(sync, answering(answers))
    here.run(sync)
    random.shuffle(found)
    here.table("m.t", rows(*found))
    assert here.run(sync).changes == []
    held = here.state(sync, "select key, identity, payload from state.acked where member order by key")
    if text == MIRROR:
        there, users = {str(pk): v for pk, _, v in found}, {email for _, email, _ in found}
        # a user of another row that is here is not cleared for one that is gone
        assert {
            key: json.loads(payload)["dataFields"]["v"]
            for key, user, payload in held
            if key in there or user not in users
        } == there
    else:
        assert {key for key, _, _ in held} == {f"email:{email}" for _, email, _ in found}
