"""List syncs from a table to the sandbox, mode by mode (outbound.md P3, P5, P7, R6)."""

from collections.abc import Callable
from typing import Any

import pytest

from iterable_pipelines.activation.by_hand import reset_sync
from iterable_pipelines.activation.errors import ActivationRefused
from iterable_pipelines.activation.objects import load_syncs
from iterable_pipelines_tests.activation.conftest import Activation

LIST = """
object: list
source: warehouse.vips
primary_key: id
match: {column: email, field: email}
list: {name: VIPs, create: true}
guards: {allow_empty: true}
"""
ON, OFF = "/api/lists/subscribe", "/api/lists/unsubscribe"


@pytest.fixture
def project(activation_project: Callable[..., Activation]) -> Activation:
    return activation_project()


def run(project: Activation, mode: str, *names: str) -> Any:
    rows = ", ".join(f"('{name}', '{name}@x.example')" for name in names)
    project.table(
        "warehouse.vips", f"select * from (values {rows or '(null, null)'}) t(id, email) where id is not null"
    )
    project.sync("vips", f"{LIST}mode: {mode}")
    project.sandbox.log.clear()
    return project.run("vips")


def members(project: Activation) -> set[str]:
    (found,) = [each["id"] for each in project.sandbox.world.objects.lists if each["name"] == "VIPs"]
    return {str(email).partition("@")[0] for email, _ in project.sandbox.world.members(int(found)) or ()}


def test_a_mirror_holds_exactly_the_rows(project: Activation) -> None:
    run(project, "mirror", "ana", "bo")
    assert members(project) == {"ana", "bo"}
    run(project, "mirror", "bo", "cy")
    assert members(project) == {"bo", "cy"}
    assert [len(each["subscribers"]) for path in (ON, OFF) for each in project.requests(path)] == [1, 1]
    # true would unsubscribe them from everything
    assert [each["channelUnsubscribe"] for each in project.requests(OFF)] == [False]
    run(project, "mirror", "bo", "cy")
    assert project.requests() == []


def test_insert_puts_on_the_list_and_takes_nobody_off(project: Activation) -> None:
    run(project, "insert", "ana", "bo")
    run(project, "insert", "cy")
    assert members(project) == {"ana", "bo", "cy"}
    assert project.requests(OFF) == []


def test_r6_remove_takes_off_the_list_and_who_is_not_on_it_is_no_failure(project: Activation) -> None:
    run(project, "insert", "ana", "bo", "cy")
    project.sync("leavers", f"{LIST}mode: remove".replace("warehouse.vips", "warehouse.leavers"))
    project.table(
        "warehouse.leavers", "select * from (values (1, 'bo@x.example'), (2, 'stranger@x.example')) t(id, email)"
    )
    report = project.run("leavers")
    assert report.status == "succeeded"
    assert report.counts == {"add": {"acked": 1, "noop": 1}}
    assert members(project) == {"ana", "cy"}


def test_existing_users_only(project: Activation) -> None:
    project.sync(
        "vips", LIST.replace("create: true", "create: true, update_existing_users_only: true") + "mode: mirror"
    )
    project.table("warehouse.vips", "select 1 as id, 'stranger@x.example' as email")
    report = project.run("vips")
    assert project.requests(ON)[0]["updateExistingUsersOnly"] is True
    assert report.codes == {"user_not_found": 1}
    assert members(project) == set()


def test_all_members_go_to_another_list_after_a_reset(project: Activation) -> None:
    run(project, "mirror", "ana", "bo")
    lists = project.sandbox.world.objects.lists
    lists.append({"id": 77, "name": "Others", "createdAt": 1, "listType": "Standard"})
    project.sync("vips", LIST.replace("{name: VIPs, create: true}", "{id: 77}") + "mode: mirror")
    with pytest.raises(ActivationRefused, match="sync reset vips --how resend"):
        project.run("vips")
    (sync,) = load_syncs(project.settings)
    assert reset_sync(project.settings, sync, "resend") == 2
    project.run("vips")
    assert {email for email, _ in project.sandbox.world.members(77) or ()} == {"ana@x.example", "bo@x.example"}
    # nobody is taken off the list that the sync does not write to any more
    assert members(project) == {"ana", "bo"}
