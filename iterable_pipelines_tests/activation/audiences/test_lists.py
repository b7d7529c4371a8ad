"""The list of a sync is found, or made once, whatever becomes of the answer (outbound.md P3, S8, S9)."""

from collections.abc import Iterator
from typing import Any

import pytest

from iterable_pipelines.activation.errors import ActivationFailed, ActivationRefused, InDoubt
from iterable_pipelines.activation.lists import find_list, settle_list, wanted_list
from iterable_pipelines.activation.state import Workspace, open_workspace
from iterable_pipelines.api import Broken, Iterable, Ledger, Patience
from iterable_pipelines.sandbox import World, running_sandbox
from iterable_pipelines.sandbox.server import Sandbox
from iterable_pipelines.settings import Settings
from iterable_pipelines_tests.activation.audiences.syncs import VIPS, WIN_BACK, sync_of


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with running_sandbox(world=World(users=0), relaxed=True) as sandbox:
        yield sandbox


@pytest.fixture
def client(sandbox: Sandbox, project: Settings) -> Iterable:
    ledger = Ledger(project.ledger_path, relaxed=True)
    return Iterable(sandbox.key, sandbox.url, ledger, patience=Patience(attempts=1))


@pytest.fixture
def workspace(project: Settings) -> Iterator[Workspace]:
    with open_workspace(project, "win_back", write=True) as workspace:
        workspace.con.execute("create table scratch.changes (endpoint text, flags json)")
        yield workspace


def settle(workspace: Workspace, client: Iterable, text: str = WIN_BACK, **changes: Any) -> int | None:
    return settle_list(workspace, sync_of(text, **changes), client, lambda text: None)


def named(sandbox: Sandbox, name: str) -> list[int]:
    return [int(each["id"]) for each in sandbox.world.objects.lists if each["name"] == name]


def make(sandbox: Sandbox, name: str, kind: str = "Standard") -> int:
    lists = sandbox.world.objects.lists
    lists.append({"id": 500 + len(lists), "name": name, "createdAt": 1, "listType": kind})
    return 499 + len(lists)


def test_p3_an_audience_makes_its_list_once_and_keeps_its_id(
    sandbox: Sandbox, client: Iterable, workspace: Workspace
) -> None:
    made = settle(workspace, client)
    assert named(sandbox, "win_back_90_days") == [made]
    asked = len(sandbox.requests())
    assert settle(workspace, client) == made
    assert len(sandbox.requests()) == asked


def test_p3_the_id_is_written_into_what_is_planned(client: Iterable, workspace: Workspace) -> None:
    workspace.con.execute(
        "insert into scratch.changes values ('subscribe', '{}'), "
        """('unsubscribe', '{"channelUnsubscribe": false}'), ('users', null), ('subscribe', null)"""
    )
    settle(workspace, client, VIPS, list={"id": 77})
    found = workspace.con.execute("select endpoint, flags::varchar from scratch.changes").fetchall()
    assert sorted(found, key=str) == sorted(
        [
            ("subscribe", '{"listId":77}'),
            ("subscribe", '{"listId":77}'),
            ("unsubscribe", '{"channelUnsubscribe":false,"listId":77}'),
            ("users", None),
        ],
        key=str,
    )


def test_p3_a_list_is_found_by_its_exact_name_among_static_ones(
    sandbox: Sandbox, client: Iterable, workspace: Workspace
) -> None:
    make(sandbox, "VIPS")
    make(sandbox, "vips", "Dynamic")
    with pytest.raises(ActivationRefused, match="list_not_found"):
        settle(workspace, client, VIPS, list={"name": "vips"})
    standard = make(sandbox, "vips")
    assert settle(workspace, client, VIPS, list={"name": "vips"}) == standard
    assert sandbox.requests("/api/lists")[-1].method == "GET"


def test_p3_of_two_lists_of_one_name_neither_is_taken(sandbox: Sandbox, client: Iterable, workspace: Workspace) -> None:
    first, second = make(sandbox, "vips"), make(sandbox, "vips")
    with pytest.raises(ActivationRefused, match=f"2 lists are called vips: {first}, {second}"):
        settle(workspace, client, VIPS, list={"name": "vips", "create": True})


def test_another_list_than_the_one_with_the_members_is_refused(
    sandbox: Sandbox, client: Iterable, workspace: Workspace
) -> None:
    settle(workspace, client, VIPS, list={"id": 7})
    make(sandbox, "vips")
    for elsewhere in ({"id": 8}, {"name": "vips"}):
        with pytest.raises(ActivationRefused, match="list_changed"):
            settle(workspace, client, VIPS, list=elsewhere)
    assert settle(workspace, client, VIPS, list={"id": 7}) == 7


def test_a_plan_says_that_a_list_is_to_be_made_and_makes_none(
    sandbox: Sandbox, client: Iterable, workspace: Workspace
) -> None:
    wanted = wanted_list(sync_of(WIN_BACK))
    assert wanted and wanted.name == "win_back_90_days"
    assert find_list(workspace, wanted, client) is None
    assert named(sandbox, "win_back_90_days") == []
    assert wanted_list(sync_of(WIN_BACK, **{"as": ["track"]})) is None


def test_s9_a_list_whose_answer_is_lost_is_looked_for_and_not_made_again(
    sandbox: Sandbox, client: Iterable, workspace: Workspace
) -> None:
    sandbox.fault("lost_answer", "/api/lists", after=1)
    made = settle(workspace, client)
    assert named(sandbox, "win_back_90_days") == [made]


def test_s9_after_a_network_that_went_away_the_list_is_found_and_not_made_again(
    sandbox: Sandbox, client: Iterable, workspace: Workspace
) -> None:
    sandbox.fault("lost_answer", "/api/lists", after=1, times=2)
    with pytest.raises(Broken):
        settle(workspace, client)
    (made,) = named(sandbox, "win_back_90_days")
    assert settle(workspace, client) == made
    assert named(sandbox, "win_back_90_days") == [made]


def test_s9_a_list_that_never_came_to_be_is_made_after_a_while(
    sandbox: Sandbox, client: Iterable, workspace: Workspace
) -> None:
    sandbox.fault("status", "/api/lists", after=1, status=500)
    for _ in range(2):
        # it may yet appear among those that Iterable names
        with pytest.raises(InDoubt, match="not known whether the list win_back_90_days was made"):
            settle(workspace, client)
    assert len([each for each in sandbox.requests("/api/lists") if each.method == "POST"]) == 1
    workspace.con.execute("update state.lists set noted_at = noted_at - interval 11 minutes")
    assert named(sandbox, "win_back_90_days") == []
    made = settle(workspace, client)
    assert named(sandbox, "win_back_90_days") == [made]


def test_a_list_that_iterable_will_not_make_is_said_so(
    sandbox: Sandbox, client: Iterable, workspace: Workspace
) -> None:
    sandbox.fault("status", "/api/lists", after=1, status=403)
    with pytest.raises(ActivationFailed, match="did not make the list win_back_90_days: 403"):
        settle(workspace, client)
    assert settle(workspace, client) in named(sandbox, "win_back_90_days")
