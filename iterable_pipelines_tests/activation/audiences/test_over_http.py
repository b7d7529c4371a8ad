"""Audiences and lists from a table to the sandbox, run after run (outbound.md section 3)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from iterable_pipelines_tests.activation.conftest import Activation

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
AUDIENCE = """
object: audience
audience_name: Win Back 90 Days
source: warehouse.members
primary_key: id
match: {column: email, field: email}
as: [identify, track, list]
guards: {allow_empty: true}
"""
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
    assert set(project.sandbox.world.members(made)) == {"bo@x.example", "cy@x.example", "di@x.example"}
