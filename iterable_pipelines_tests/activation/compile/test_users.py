"""Profiles: changes of an address, traits, and what is told of rows that are gone (1.3, I8, P1, P2)."""

from typing import Any

import pytest

from iterable_pipelines.activation.compile.compiler import Acknowledged, Compiler
from iterable_pipelines.activation.memberships import key_of
from iterable_pipelines.activation.objects import TraitSync
from iterable_pipelines.activation.project import ProjectType
from iterable_pipelines.activation.records import Record
from iterable_pipelines_tests.activation.compile.made import BY_EMAIL, BY_USER_ID, codes, compiler, payload

PLACEHOLDER = {"email": "u9@placeholder.email", "userId": "u9"}
CHANGE = {"currentEmail": "u9@placeholder.email", "newEmail": "kim@ex.com"}


def acknowledged(record: Record) -> Acknowledged:
    return Acknowledged(record.key, "1", record.output, record.identity, record.payload, 0)


def placeholders() -> Compiler:
    return compiler("user", "user_id email", "email", **BY_USER_ID, fields={"email": "email"}, placeholder_email=True)


def test_x15_placeholder_then_real_address() -> None:
    made = placeholders()
    assert made.needs_before
    (first,) = made.compile("1", {"user_id": "u9", "email": None}).records
    assert first.payload == PLACEHOLDER
    change, user = made.compile("1", {"user_id": "u9", "email": "kim@ex.com"}, 0, acknowledged(first)).records
    assert (change.endpoint, change.payload) == ("email_change", CHANGE)
    assert (user.payload, user.needs) == ({"email": "kim@ex.com", "userId": "u9"}, "email_change")
    (later,) = made.compile("1", {"user_id": "u9", "email": "kim@ex.com"}, 0, acknowledged(user)).records
    assert later.payload == user.payload and not later.needs


def test_i8_a_placeholder_that_stays_and_an_address_without_one_before_change_nothing() -> None:
    made = placeholders()
    (first,) = made.compile("1", {"user_id": "u9", "email": None}).records
    assert len(made.compile("1", {"user_id": "u9", "email": None}, 0, acknowledged(first)).records) == 1
    assert len(made.compile("1", {"user_id": "u9", "email": "kim@ex.com"}).records) == 1
    # a source's own placeholder is an address like any other
    assert payload(made, {"user_id": "u1", "email": "x@Placeholder.email"})["email"] == "x@placeholder.email"
    assert codes(made, {"user_id": "a@ex.com", "email": None}) == ["invalid_email"]


@pytest.mark.parametrize(
    ("match", "row", "change", "user"),
    [
        (BY_EMAIL, {"email": "old@ex.com"}, {"currentEmail": "old@ex.com"}, {"email": "new@ex.com"}),
        (BY_USER_ID, {"user_id": "u9"}, {"currentUserId": "u9"}, {"userId": "u9", "preferUserId": True}),
    ],
)
def test_a_new_address_in_an_email_project_comes_first(match: Any, row: Any, change: Any, user: Any) -> None:
    made = compiler("user", "email user_id new", "email", **match, new_email="new")
    first, second = made.compile("1", {**row, "new": "New@ex.com"}).records
    assert first.payload == {**change, "newEmail": "new@ex.com"}
    assert (second.payload, second.needs) == (user, "email_change")


@pytest.mark.parametrize("new", [None, "", "OLD@ex.com"])
def test_no_new_address(new: str | None) -> None:
    made = compiler("user", "email new", "email", **BY_EMAIL, new_email="new")
    assert payload(made, {"email": "old@ex.com", "new": new}) == {"email": "old@ex.com"}


def test_a_new_address_that_is_none() -> None:
    made = compiler("user", "user_id new", "hybrid", **BY_USER_ID, new_email="new")
    assert codes(made, {"user_id": "u9", "new": "call me"}) == ["invalid_email"]


def test_a_new_address_wins_over_the_old_one_among_the_data() -> None:
    said: dict[str, Any] = {**BY_USER_ID, "fields": {"email": "email"}, "new_email": "new"}
    row = {"user_id": "u9", "email": "old@ex.com", "new": "new@ex.com"}
    for more in ({"identify_by": "userId"}, {"identify_by": "userId", "keep_identifiers_in_data_fields": True}):
        made = compiler("user", "user_id email new", "hybrid", **said, **more)
        assert payload(made, row)["dataFields"]["email"] == "new@ex.com"


def test_g2_the_gated_flag_of_updates() -> None:
    made = compiler("user", "email", **BY_EMAIL, mode="update", update_only_flag=True, create_new_fields=True)
    (record,) = made.compile("1", {"email": "a@ex.com"}).records
    assert dict(record.flags) == {"createNewFields": True, "updateOnly": True}


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Orders Last 30 Days", "orders_last_30_days"),
        (" VIP.Gold\tPlus ", "vip_gold_plus"),
        ("order_completed_last_30days", "order_completed_last_30days"),
    ],
)
def test_p1_keys(name: str, key: str) -> None:
    assert key_of(name) == key
    made = compiler("trait", "email value", **BY_EMAIL, trait_name=name)
    assert payload(made, {"email": "a@ex.com", "value": 7}) == {"email": "a@ex.com", "dataFields": {key: 7}}


def test_p1_p2_a_key_of_ones_own_and_null_clears_a_trait() -> None:
    made = compiler("trait", "email ltv", **BY_EMAIL, trait_name="Lifetime Value", key="ltv_eur", value="ltv")
    assert payload(made, {"email": "a@ex.com", "ltv": None})["dataFields"] == {"ltv_eur": None}
    assert isinstance(compiler("trait", "email value", **BY_EMAIL, trait_name="t").mapping["sync"]["trait_name"], str)
    assert (
        TraitSync.model_validate(
            {"name": "t", "object": "trait", "source": "a.b", "primary_key": "pk", "trait_name": "T T", **BY_EMAIL}
        ).field
        == "t_t"
    )


def left(project: ProjectType, row: dict[str, Any], **said: Any) -> Record | None:
    made = compiler(
        "user", "email user_id a city", project, **(BY_EMAIL | {"fields": {"a": "a", "city": "address.city"}} | said)
    )
    (record,) = made.compile("1", row).records
    return made.leave(acknowledged(record))


def test_g5_who_leaves_keeps_what_iterable_has() -> None:
    row = {"email": "a@ex.com", "a": 1}
    assert left("email", row) is None
    assert left("email", row, mode="update", on_leave="null_fields") is None
    assert left("email", row, mode="insert", on_leave="null_fields") is None


def test_on_leave_null_fields_clears_what_was_sent() -> None:
    record = left("hybrid", {"email": "a@ex.com", "a": 1, "city": "Lyon"}, on_leave="null_fields")
    assert record is not None and (record.endpoint, record.key) == ("users", "1")
    assert record.payload == {
        "email": "a@ex.com",
        "mergeNestedObjects": True,
        "dataFields": {"a": None, "address": {"city": None}},
    }
    assert left("hybrid", {"email": "a@ex.com"}, on_leave="null_fields", fields={}) is None


def test_on_leave_null_fields_creates_nobody_and_keeps_the_address() -> None:
    record = left("email", {"user_id": "u1", "a": 1}, **BY_USER_ID, on_leave="null_fields", fields={"a": "a"})
    assert record is not None
    assert record.payload == {"userId": "u1", "preferUserId": False, "dataFields": {"a": None}}
    both = {"fields": {"a": "a", "email": "email"}, "on_leave": "null_fields"}
    kept = left("userid", {"user_id": "u1", "email": "a@ex.com", "a": 1}, **BY_USER_ID, **both)
    assert kept is not None and kept.payload["dataFields"] == {"a": None}


def test_on_leave_delete_names_one_identifier() -> None:
    record = left("email", {"email": "a@ex.com", "a": 1}, mode="mirror", on_leave="delete")
    assert record is not None and (record.endpoint, record.payload) == ("delete", {"email": "a@ex.com"})
