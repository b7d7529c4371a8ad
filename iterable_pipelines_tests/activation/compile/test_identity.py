"""Whom a record is of (I1–I8)."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iterable_pipelines.activation.compile.identity import Identifying, Who, email_of, user_id_of
from iterable_pipelines.activation.project import ProjectType
from iterable_pipelines.activation.records import Issue
from iterable_pipelines_tests.activation.compile.made import BY_EMAIL, BY_USER_ID, codes, compiler, payload

BOTH = {"type": "identify", "userId": "u1", "traits": {"email": "a@ex.com"}}


def who(project: ProjectType, email: Any, user_id: Any, **rules: Any) -> tuple[Who | None, list[Issue]]:
    issues: list[Issue] = []
    return Identifying(project, **rules).who(email, user_id, issues), issues


@pytest.mark.parametrize(
    ("call", "email", "user_id"),
    [
        ({"traits": {"email": "t@ex.com"}, "context": {"traits": {"email": "c@ex.com"}}}, "t@ex.com", None),
        ({"context": {"traits": {"email": "c@ex.com"}}}, "c@ex.com", None),
        ({"traits": {"customer_email": "x@ex.com", "mail": "x@ex.com", "Email": "x@ex.com"}}, None, None),
        ({"userId": "top", "traits": {"userId": "t", "id": "i"}}, None, "top"),
        ({"userId": " ", "traits": {"userId": "t", "id": "i"}}, None, "t"),
        ({"traits": {"id": "i"}, "context": {"traits": {"userId": "c"}}}, None, "i"),
        ({"context": {"traits": {"userId": "c", "id": "ci"}}}, None, "c"),
        ({"context": {"traits": {"id": "ci"}}, "anonymousId": "anon"}, None, "ci"),
        ({"anonymousId": "anon"}, None, None),
        ({"traits": {"email": None}, "email": "col@ex.com"}, "col@ex.com", None),
    ],
)
def test_i1_the_first_identifier_there_is(call: dict[str, Any], email: str | None, user_id: str | None) -> None:
    types = "type userId anonymousId email traits context"
    made = compiler("calls", types)
    row = {"type": "identify", **call}
    if email is None and user_id is None:
        assert codes(made, row) == ["missing_identifier"]
    else:
        found = payload(made, row)
        assert (found.get("email"), found.get("userId")) == (email, user_id)


def test_i1_an_anonymous_id_stands_for_a_user_id_only_when_asked() -> None:
    made = compiler("calls", "type anonymousId", anonymous_id_as_user_id=True)
    assert payload(made, {"type": "identify", "anonymousId": "anon"}) == {"userId": "anon"}


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("u1", "u1"),
        (7, "7"),
        (2**62 + 1, str(2**62 + 1)),
        (123.0, "123"),
        (Decimal("123.00"), "123"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ("", None),
        ("  ", None),
        (None, None),
        ("A-Case", "A-Case"),
    ],
)
def test_i2_user_ids_become_text(given: Any, text: str | None) -> None:
    issues: list[Issue] = []
    assert user_id_of(given, issues) == text and not issues


@pytest.mark.parametrize("given", [1.5, float("nan"), True, {"a": 1}, ["u"], Decimal("1.5"), b"u"])
def test_i2_what_is_no_user_id(given: Any) -> None:
    assert who("hybrid", None, given) == (
        None,
        [Issue("invalid_user_id", who("hybrid", None, "ü")[1][0].message, "userId")],
    )


@given(st.text(max_size=30))
def test_i2_normalising_an_address_twice_is_normalising_it_once(text: str) -> None:
    issues: list[Issue] = []
    once = email_of(f"{text}@ex.com", issues)
    assert (once is None) == bool(issues)
    if once is not None:
        assert email_of(once, issues) == once and once == once.strip().lower()


@pytest.mark.parametrize(
    ("project", "top", "spare"),
    [
        ("email", {"email": "a@ex.com", "userId": "u1"}, {}),
        ("userid", {"userId": "u1"}, {"email": "a@ex.com"}),
        ("hybrid", {"email": "a@ex.com", "userId": "u1"}, {}),
    ],
)
def test_i3_both_identifiers(project: ProjectType, top: dict[str, str], spare: dict[str, str]) -> None:
    found, _ = who(project, "a@ex.com", "u1")
    assert found is not None and (found.top, found.spare) == (top, spare)
    event = {
        "type": "track",
        "event": "Ping",
        "userId": "u1",
        "timestamp": 1772366400,
        "properties": {"email": "a@ex.com"},
    }
    sent = payload(compiler("calls", "type event userId timestamp properties", project), event)
    # data of an event are no profile: there the address is dropped
    assert {name: sent.get(name) for name in ("email", "userId", "dataFields")} == {
        "email": None,
        "userId": None,
        "dataFields": None,
        **top,
    }


@pytest.mark.parametrize(
    ("by", "top", "data"),
    [
        ("email", {"email": "a@ex.com"}, {"userId": "u1"}),
        ("userId", {"userId": "u1"}, {"email": "a@ex.com"}),
    ],
)
def test_i3_a_hybrid_project_may_keep_one(by: str, top: dict[str, str], data: dict[str, str]) -> None:
    made = compiler("calls", "type userId traits", "hybrid", identify_by=by)
    assert payload(made, BOTH) == {**top, "dataFields": data}


def test_i4_nobody() -> None:
    assert who("hybrid", " ", None)[1] == [Issue("missing_identifier", "email or userId is required")]
    message = "userId is required (project type: userid)"
    assert who("userid", "a@ex.com", None)[1] == [Issue("missing_identifier", message)]


@pytest.mark.parametrize(
    "email",
    ["bad@@x.com", "a b@ex.com", "a@ex", "@ex.com", f"{'a' * 250}@ex.com", f"{'ü' * 130}@ex.com", 7, "a@ex.com\n.x"],
)
def test_i5_no_address(email: Any) -> None:
    assert [each.code for each in who("hybrid", email, None)[1]] == ["invalid_email"]


@pytest.mark.parametrize("user_id", ["u" * 53, " u", "u ", "ü", "a\tb", "a\nb"])
def test_i5_no_user_id(user_id: str) -> None:
    assert [each.code for each in who("hybrid", None, user_id)[1]] == ["invalid_user_id"]


def test_i5_the_length_of_a_user_id_can_be_set() -> None:
    made = compiler("user", "user_id", **BY_USER_ID, longest_user_id=60)
    assert payload(made, {"user_id": "u" * 60}) == {"userId": "u" * 60}
    assert codes(made, {"user_id": "u" * 61}) == ["invalid_user_id"]


@pytest.mark.parametrize(("email", "user_id"), [("bad", "u1"), ("a@ex.com", 1.5)])
def test_i5_with_one_of_two_wrong_the_row_fails(project: ProjectType, email: Any, user_id: Any) -> None:
    assert who(project, email, user_id)[0] is None


@pytest.mark.parametrize(("mode", "creates"), [("insert", True), ("upsert", True), ("mirror", True), ("update", False)])
def test_i6_prefer_user_id_only_in_email_projects(project: ProjectType, mode: str, creates: bool) -> None:
    made = compiler("user", "user_id", project, **BY_USER_ID, mode=mode)
    expected = {"userId": "u1", "preferUserId": creates} if project == "email" else {"userId": "u1"}
    assert payload(made, {"user_id": "u1"}) == expected
    by_email = compiler("user", "email", project, **BY_EMAIL, mode=mode)
    if project != "userid":
        assert payload(by_email, {"email": "a@ex.com"}) == {"email": "a@ex.com"}


def test_i6_the_user_of_an_order_and_a_device_have_it_events_and_subscriptions_do_not() -> None:
    order = compiler(
        "purchase", "user_id at items total", "email", **BY_USER_ID, items="items", total="total", created_at="at"
    )
    items = [{"id": 1, "name": "A", "price": 1, "quantity": 1}]
    row = {"user_id": "u1", "at": 1772366400, "items": items, "total": 1}
    assert payload(order, row)["user"] == {"userId": "u1", "preferUserId": True}
    device = compiler(
        "device",
        "user_id token os",
        "email",
        **BY_USER_ID,
        token="token",
        platform="os",
        application_name={"constant": "a"},
    )
    assert payload(device, {"user_id": "u1", "token": "t", "os": "ios"})["preferUserId"] is True
    event = compiler("event", "user_id at", "email", **BY_USER_ID, created_at="at", event_name={"constant": "Ping"})
    assert "preferUserId" not in payload(event, {"user_id": "u1", "at": 1772366400})
    lists = compiler("subscription", "user_id ids", "email", **BY_USER_ID, email_list_ids="ids")
    assert payload(lists, {"user_id": "u1", "ids": [2, 1]}) == {"userId": "u1", "emailListIds": [1, 2]}


def test_i7_identifiers_are_not_data() -> None:
    traits = {"email": "a@ex.com", "userId": "u1", "id": 7, "plan": "pro"}
    made = compiler("calls", "type traits")
    assert payload(made, {"type": "identify", "traits": traits})["dataFields"] == {"plan": "pro"}
    kept = compiler("calls", "type traits", keep_identifiers_in_data_fields=True)
    found = payload(kept, {"type": "identify", "traits": traits})["dataFields"]
    assert found == {"plan": "pro", "email": "a@ex.com", "userId": "u1"}
    star = compiler("user", "email userId id plan", **BY_EMAIL, fields="*")
    row = {"email": "a@ex.com", "userId": "u1", "id": "7", "plan": "pro"}
    assert payload(star, row) == {"email": "a@ex.com", "userId": "u1", "dataFields": {"plan": "pro"}}


def test_i8_placeholders_only_when_asked_and_only_in_email_projects(project: ProjectType) -> None:
    row = {"user_id": "U9"}
    found = payload(compiler("user", "user_id", project, **BY_USER_ID, placeholder_email=True), row)
    if project == "email":
        assert found == {"email": "u9@placeholder.email", "userId": "U9"}
    else:
        assert found == row.__class__(userId="U9")


def test_i9_one_identity_goes_by_the_address_where_there_is_one() -> None:
    made = compiler("calls", "type userId traits")
    (record,) = made.compile("1", BOTH).records
    assert record.identity is not None and (record.identity.kind, record.identity.value) == ("email", "a@ex.com")
