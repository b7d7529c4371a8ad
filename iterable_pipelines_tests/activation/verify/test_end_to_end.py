"""R20: a sync runs, Iterable says yes to everything and drops some; a full verification names exactly those rows."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from iterable_pipelines.activation.objects import load_syncs
from iterable_pipelines.activation.verify import Verified, people, verify_sync
from iterable_pipelines.hours import now
from iterable_pipelines_tests.activation.conftest import Activation, quick_client

ROWS = 300
TABLE = (
    f"select n as id, 'user' || n || '@example.com' as email, 'N' || n as name, {{moment}} as at, "
    f"n % 7 as points from range({ROWS}) as t(n)"
)
USERS = """
object: user
source: marts.people
primary_key: id
match: {column: email, field: email}
fields: {name: firstName, points: points}
verify_after_seconds: 0
"""
EVENTS = """
object: event
source: marts.people
primary_key: id
match: {column: email, field: email}
event_name: {constant: Ping}
created_at: at
first_run: backfill
fields: {points: points}
verify_after_seconds: 0
"""
MEMBERS = """
object: list
source: marts.people
primary_key: id
match: {{column: email, field: email}}
mode: mirror
on_leave: unsubscribe
list: {{id: {list_id}}}
verify_after_seconds: 0
"""


@pytest.fixture
def project(activation_project: Callable[..., Activation], monkeypatch: pytest.MonkeyPatch) -> Activation:
    """A project with a table of people, and an Iterable that began an hour ago."""
    monkeypatch.setattr(people, "A_SECOND", 1000.0)
    made = activation_project(start=now() - timedelta(hours=1), activity=0.0)
    moment = f"timestamp '{now() - timedelta(minutes=10):%Y-%m-%d %H:%M:%S}'"
    made.table("marts.people", TABLE.format(moment=moment))
    return made


def verify(project: Activation, name: str) -> Verified:
    (sync,) = [each for each in load_syncs(project.settings) if each.name == name]
    connect = partial(quick_client, project.settings, project.said.append)
    return verify_sync(project.settings, sync, full=True, log=project.said.append, connect=connect)


def wrong(project: Activation, name: str) -> set[str]:
    return {pk for (pk,) in project.state("select pk from state.mismatches where verdict = 'missing'", name)}


def rows_of(names: list[str]) -> set[str]:
    """The primary keys of addresses."""
    return {name.removeprefix("user").partition("@")[0] for name in names}


def test_r20_users(project: Activation) -> None:
    project.sync("people", USERS)
    project.sandbox.fault("lie", "/api/users/bulkUpdate", times=None, share=0.01)

    report = project.run("people")
    verified = verify(project, "people")

    assert report.status == "succeeded"
    dropped = rows_of([each.name for each in project.sandbox.dropped])
    assert dropped
    assert wrong(project, "people") == dropped
    assert (verified.verified, verified.missing) == (ROWS - len(dropped), len(dropped))
    unverified = "select pk from activation.sync_rows where verified_at is null"
    assert {pk for (pk,) in project.published(unverified)} == dropped


def test_r20_events(project: Activation) -> None:
    project.sync("people", USERS)
    project.sync("pings", EVENTS)
    project.run("people")
    project.sandbox.fault("lie", "/api/events/trackBulk", times=None, share=0.01)

    project.run("pings")
    verified = verify(project, "pings")

    dropped = {str(each.id).removeprefix("wh:pings:") for each in project.sandbox.dropped}
    assert dropped
    assert wrong(project, "pings") == dropped
    assert verified.verified == ROWS - len(dropped)


def test_r20_members_of_a_list(project: Activation) -> None:
    project.sync("people", USERS)
    project.sync("vips", MEMBERS.format(list_id=project.sandbox.world.objects.lists[0]["id"]))
    project.run("people")
    project.sandbox.fault("lie", "/api/lists/subscribe", times=None, share=0.01)

    project.run("vips")
    verified = verify(project, "vips")

    dropped = rows_of([each.name for each in project.sandbox.dropped])
    assert dropped
    assert wrong(project, "vips") == dropped
    (counted,) = verified.lists
    assert (counted.size, counted.acknowledged, counted.foreign) == (ROWS - len(dropped), ROWS, 0)


def test_drift_correct_sends_again_exactly_what_was_dropped(project: Activation) -> None:
    project.sync("people", USERS + "drift: correct\n")
    project.sandbox.fault("lie", "/api/users/bulkUpdate", times=1, share=0.01)
    project.run("people")
    verify(project, "people")
    dropped = {each.name for each in project.sandbox.dropped}
    project.sandbox.log.clear()

    project.run("people")

    bodies: list[dict[str, Any]] = project.requests("/api/users/bulkUpdate")
    assert {user["email"] for body in bodies for user in body["users"]} == dropped
    assert verify(project, "people").verified == ROWS
    assert wrong(project, "people") == set()
