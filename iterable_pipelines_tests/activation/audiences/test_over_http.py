"""Audiences and lists from a table to the sandbox, run after run (outbound.md section 3)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from iterable_pipelines.activation.errors import ActivationRefused
from iterable_pipelines.activation.keys import orphans
from iterable_pipelines.activation.objects import load_syncs
from iterable_pipelines.activation.options import Options
from iterable_pipelines.activation.plan import plan_sync, preview_pk
from iterable_pipelines.activation.retire import retire_sync
from iterable_pipelines_tests.activation.audiences.syncs import WIN_BACK
from iterable_pipelines_tests.activation.conftest import AT_ONCE, Activation

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
AUDIENCE = WIN_BACK + "guards: {allow_empty: true}\n"
USERS, EVENTS = "/api/users/bulkUpdate", "/api/events/trackBulk"
ON, OFF = "/api/lists/subscribe", "/api/lists/unsubscribe"


@pytest.fixture
def project(activation_project: Callable[..., Activation]) -> Activation:
    project = activation_project()
    project.sync("win_back", AUDIENCE)
    return project


def members(project: Activation, *names: str) -> None:
    rows = ", ".join(f"('{name}', '{name}@x.example')" for name in names)
    project.table(
        "warehouse.members", f"select * from (values {rows or '(null, null)'}) t(id, email) where id is not null"
    )


def run(project: Activation, name: str = "win_back", hour: int = 0, **options: Any) -> Any:
    project.sandbox.log.clear()
    return project.run(name, as_of=NOON + timedelta(hours=hour), **options)


def sent(project: Activation, path: str, envelope: str) -> list[dict[str, Any]]:
    return [each for body in project.requests(path) for each in body[envelope]]


def who(records: list[dict[str, Any]]) -> set[str]:
    return {each["email"].partition("@")[0] for each in records}


def on_list(project: Activation, list_id: Any) -> set[str]:
    return {str(email).partition("@")[0] for email, _ in project.sandbox.world.members(list_id) or ()}


@pytest.mark.parametrize("mapped", [False, True])
def test_p13_who_belonged_before_it_was_known_enters_now_unless_the_time_is_mapped(
    activation_project: Callable[..., Activation], mapped: bool
) -> None:
    project = activation_project()
    project.sync("win_back", AUDIENCE + ("changed_at: since\n" if mapped else ""))
    since = NOON - timedelta(days=3)
    rows = [f"select '{name}' as id, '{name}@x.example' as email, {_at(since)} as since" for name in ("ana", "late")]
    project.table("warehouse.members", rows[0])
    run(project)
    project.table("warehouse.members", " union all ".join(rows))
    run(project, hour=5)
    (entered,) = sent(project, EVENTS, "events")
    assert who([entered]) == {"late"}
    assert entered["createdAt"] == int((since if mapped else NOON + timedelta(hours=5)).timestamp())


def _at(moment: datetime) -> str:
    return f"timestamp '{moment.replace(tzinfo=None)}'"


def test_p4_the_first_sync_sends_every_member_and_later_ones_only_the_difference(project: Activation) -> None:
    members(project, "ana", "bo", "cy")
    assert run(project).status == "succeeded"
    field = {"win_back_90_days": True}
    assert sorted(sent(project, USERS, "users"), key=str) == [
        {"email": f"{name}@x.example", "dataFields": field} for name in ("ana", "bo", "cy")
    ]
    entered = sent(project, EVENTS, "events")
    assert who(entered) == {"ana", "bo", "cy"}
    assert {each["eventName"] for each in entered} == {"Audience Entered"}
    assert {each["createdAt"] for each in entered} == {int(NOON.timestamp())}
    (subscribed,) = project.requests(ON)
    assert who(subscribed["subscribers"]) == {"ana", "bo", "cy"}
    (made,) = [each["id"] for each in project.sandbox.world.objects.lists if each["name"] == "win_back_90_days"]
    assert subscribed["listId"] == made

    run(project, hour=1)
    assert project.requests() == []

    members(project, "bo", "cy", "di")
    run(project, hour=2)
    assert sorted(sent(project, USERS, "users"), key=str) == [
        {"email": "ana@x.example", "dataFields": {"win_back_90_days": False}},
        {"email": "di@x.example", "dataFields": {"win_back_90_days": True}},
    ]
    assert {(each["email"], each["eventName"]) for each in sent(project, EVENTS, "events")} == {
        ("ana@x.example", "Audience Exited"),
        ("di@x.example", "Audience Entered"),
    }
    assert project.requests(ON) == [{"listId": made, "subscribers": [{"email": "di@x.example"}]}]
    assert project.requests(OFF) == [
        {"listId": made, "subscribers": [{"email": "ana@x.example"}], "channelUnsubscribe": False}
    ]
    assert on_list(project, made) == {"bo", "cy", "di"}


def test_p3_a_list_that_fails_repeats_neither_events_nor_fields(project: Activation) -> None:
    members(project, "ana")
    run(project)
    lists = project.sandbox.world.objects.lists
    (made,) = [each for each in lists if each["name"] == "win_back_90_days"]
    lists.remove(made)
    members(project, "ana", "bo")
    assert "list_not_found" in run(project, hour=1).codes
    assert who(sent(project, EVENTS, "events")) == {"bo"}
    lists.append(made)
    assert run(project, hour=2).status == "succeeded"
    assert project.requests() == [{"listId": made["id"], "subscribers": [{"email": "bo@x.example"}]}]
    assert on_list(project, made["id"]) == {"ana", "bo"}


def test_p5_an_identity_of_two_rows_leaves_with_the_last_of_them(project: Activation) -> None:
    rows = "select * from (values ('1', 'ana@x.example'), ('2', 'Ana@X.example'), ('3', 'bo@x.example')) t(id, email)"
    project.table("warehouse.members", rows)
    assert run(project).status == "succeeded"
    assert len(sent(project, EVENTS, "events")) == 2
    project.table("warehouse.members", f"{rows} where id <> '1'")
    run(project, hour=1)
    assert project.requests() == []
    project.table("warehouse.members", f"{rows} where id = '3'")
    run(project, hour=2)
    assert [(each["email"], each["eventName"]) for each in sent(project, EVENTS, "events")] == [
        ("ana@x.example", "Audience Exited")
    ]


def test_p6_leaving_and_entering_again_is_told_once_for_each_time(project: Activation) -> None:
    for hour, present in enumerate(([], ["ana"], [], ["ana"], ["ana"], [])):
        members(project, "bo", *present)
        run(project, hour=hour)
    told = [
        (each["eventName"], each["id"].split(":")[-2:], each["createdAt"])
        for each in project.sandbox.world.written_events("customEvent")
        if each["email"] == "ana@x.example"
    ]
    assert [name for name, _, _ in told] == ["Audience Entered", "Audience Exited"] * 2
    assert [spelled for _, spelled, _ in told] == [["0", "in"], ["0", "out"], ["1", "in"], ["1", "out"]]


def test_p6_leaving_and_entering_between_two_runs_is_not_seen(project: Activation) -> None:
    members(project, "ana", "bo")
    run(project)
    members(project, "bo")
    members(project, "ana", "bo")
    run(project, hour=1)
    assert project.requests() == []


def test_p7_rows_that_name_nobody_are_skipped_and_said_so(project: Activation) -> None:
    rows = "select * from (values ('1', 'ana@x.example'), ('2', null), ('3', ' '), ('4', 'nobody')) t(id, email)"
    project.table("warehouse.members", rows)
    report = run(project)
    assert report.codes == {"no_identifier": 2, "invalid_email": 1}
    assert who(sent(project, USERS, "users")) == {"ana"}


ADDRESSES = """
object: audience
audience_name: Owners
source: warehouse.owners
primary_key: id
match: {column: id, field: userId}
emails_column: emails
as: [identify]
guards: {allow_empty: true}
"""


def owners(project: Activation, *emails: str, extra: str = "", gone: bool = False) -> list[tuple[str, bool]]:
    """Run with one owner of these addresses; what was sent."""
    project.sync("owners", ADDRESSES + extra)
    spelled = ", ".join(f"'{each}@x.example'" for each in emails)
    project.table(
        "warehouse.owners", f"select 'o1' as id, [{spelled}]::varchar[] as emails {'where false' if gone else ''}"
    )
    run(project, "owners")
    return sorted(
        (each.get("userId") or each["email"].partition("@")[0], each["dataFields"]["owners"])
        for each in sent(project, USERS, "users")
    )


def test_p8_every_address_is_a_user_and_whoever_entered_leaves(project: Activation) -> None:
    assert owners(project, "a", "b", "c") == [("a", True), ("b", True), ("c", True)]
    assert owners(project, "a", "b", "d") == [("c", False), ("d", True)]
    # whatever the strategy says now, all that were ever told to be members are told to leave
    assert owners(project, "a", "b", "d", extra="emails: last") == [("a", False), ("b", False)]
    assert owners(project, gone=True, extra="emails: last") == [("d", False)]


def test_p8_an_address_that_was_removed_stays_a_member_until_its_owner_leaves(project: Activation) -> None:
    keep = "on_identity_removed: keep"
    assert owners(project, "a", "b", extra=keep) == [("a", True), ("b", True)]
    assert owners(project, "b", extra=keep) == []
    assert owners(project, gone=True, extra=keep) == [("a", False), ("b", False)]


def test_p8_an_owner_without_addresses_is_known_by_the_user_id(project: Activation) -> None:
    assert owners(project) == [("o1", True)]


def test_p4_without_history_the_members_of_the_first_look_are_told_of_when_they_leave(project: Activation) -> None:
    project.sync("win_back", AUDIENCE + "include_history: false")
    members(project, "ana", "bo")
    run(project)
    assert [each for each in project.requests() if "name" not in each] == []
    members(project, "bo", "cy")
    run(project, hour=1)
    assert {(each["email"], each["eventName"]) for each in sent(project, EVENTS, "events")} == {
        ("ana@x.example", "Audience Exited"),
        ("cy@x.example", "Audience Entered"),
    }


ORDERS = """
object: audience
audience_name: order_completed_last_30days
source:
  sql: >-
    select user_id, max(bought_at) as bought_at from warehouse.orders
    where bought_at >= {{ window_start }} and bought_at < {{ as_of }} group by user_id
window: 30d
primary_key: user_id
match: {column: user_id, field: userId}
as: [identify, track]
guards: {allow_empty: true}
"""


def test_p11_an_audience_of_thirty_days_moves_with_the_hours_alone(project: Activation) -> None:
    project.sync("orders", ORDERS)
    project.table(
        "warehouse.orders",
        "select * from (values ('u1', timestamp '2026-10-02 11:59:59'), ('u2', timestamp '2026-10-02 12:00:00'), "
        "('u3', timestamp '2026-11-01 11:59:59'), ('u4', timestamp '2026-11-01 12:00:00')) t(user_id, bought_at)",
    )
    run(project, "orders")
    field = "order_completed_last_30days"
    users = [{"userId": name, "dataFields": {field: True}} for name in ("u2", "u3")]
    assert sorted(sent(project, USERS, "users"), key=str) == users
    (first, _) = sorted(sent(project, EVENTS, "events"), key=lambda each: str(each["userId"]))
    assert first == {
        "userId": "u2",
        "eventName": "Audience Entered",
        "id": first["id"],
        "createdAt": int(NOON.timestamp()),
        "dataFields": {"audience_key": field, field: True},
    }
    # the same tick gives the same members
    run(project, "orders")
    assert project.requests() == []
    run(project, "orders", hour=1)
    assert sorted(sent(project, USERS, "users"), key=str) == [
        {"userId": "u2", "dataFields": {field: False}},
        {"userId": "u4", "dataFields": {field: True}},
    ]


def test_p12_an_audience_without_members_at_first_sends_nothing(project: Activation) -> None:
    project.sync("win_back", AUDIENCE.replace("guards: {allow_empty: true}", ""))
    members(project)
    assert run(project).status == "succeeded"
    assert [each for each in project.requests() if "name" not in each] == []


def test_p1_the_key_stays_when_the_audience_is_called_something_else(project: Activation) -> None:
    members(project, "ana")
    run(project)
    project.sync("win_back", AUDIENCE.replace("Win Back 90 Days", "Come Back"))
    members(project, "bo")
    run(project, hour=1)
    assert {key for each in sent(project, USERS, "users") for key in each["dataFields"]} == {"win_back_90_days"}
    project.sync("another", AUDIENCE)
    with pytest.raises(ActivationRefused, match="audience_key_reused"):
        run(project, "another", hour=1)
    assert project.requests() == []


def test_a_plan_says_which_list_is_to_be_made_and_a_preview_names_the_one_there_is(project: Activation) -> None:
    members(project, "ana")
    (sync,) = load_syncs(project.settings)
    assert plan_sync(project.settings, sync, Options(), project.said.append).lists == ("win_back_90_days",)
    assert project.requests() == []
    run(project)
    made = project.requests(ON)[0]["listId"]
    assert plan_sync(project.settings, sync, Options(), project.said.append).lists == ()
    shown = preview_pk(project.settings, sync, "ana", project.said.append).requests
    assert {each.path: each.body for each in shown if each.path == ON} == {
        ON: {"listId": made, "subscribers": [{"email": "ana@x.example"}]}
    }


def test_p9_a_deleted_audience_is_left_as_it_is_or_told_to_leave(project: Activation) -> None:
    project.sync("kept", AUDIENCE.replace("Win Back 90 Days", "Kept"))
    path = project.sync("win_back", AUDIENCE + "on_delete: exit_members")
    members(project, "ana", "bo")
    for name in ("kept", "win_back"):
        run(project, name)
        with pytest.raises(ActivationRefused, match="yml is there"):
            retire_sync(project.settings, name)
        path.with_name(f"{name}.yml").unlink()
    project.sandbox.log.clear()
    assert {each.key for each in orphans(project.settings, set())} == {"kept", "win_back_90_days"}
    assert retire_sync(project.settings, "kept", log=project.said.append).status == "succeeded"
    with pytest.raises(ActivationRefused, match="--approve delete"):
        retire_sync(project.settings, "win_back")
    assert project.requests() == []
    project.table("warehouse.members", "select 1 as something_else")
    assert retire_sync(project.settings, "win_back", ["delete"], project.said.append, AT_ONCE).status == "succeeded"
    assert {(each["email"], each["eventName"]) for each in sent(project, EVENTS, "events")} == {
        ("ana@x.example", "Audience Exited"),
        ("bo@x.example", "Audience Exited"),
    }
    assert {each["dataFields"]["win_back_90_days"] for each in sent(project, USERS, "users")} == {False}
    assert len(project.requests(OFF)) == 1
    assert orphans(project.settings, set()) == []


def test_g10_the_second_run_takes_the_kept_key_for_no_other_mapping(project: Activation) -> None:
    project.sync("win_back", AUDIENCE + "on_mapping_change: backfill\n")
    members(project, "ana", "bo")
    run(project)
    report = run(project, hour=1)
    assert (report.mapping_version, report.requests) == (1, 0)


def test_p8_whoever_has_a_new_address_leaves_by_the_old_one_first(project: Activation) -> None:
    project.table("warehouse.members", "select 1 as id, 'new@x.example' as email")
    run(project)
    project.table("warehouse.members", "select 1 as id, 'old@x.example' as email")
    run(project, hour=1)
    told = [(each["email"], each["dataFields"]["win_back_90_days"]) for each in sent(project, USERS, "users")]
    assert told == [("new@x.example", False), ("old@x.example", True)]
    project.table("warehouse.members", "select 1 as id, 'new@x.example' as email")
    run(project, hour=2)
    told = [(each["email"], each["dataFields"]["win_back_90_days"]) for each in sent(project, USERS, "users")]
    assert told == [("old@x.example", False), ("new@x.example", True)]
