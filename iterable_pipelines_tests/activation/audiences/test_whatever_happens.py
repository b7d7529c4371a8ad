"""Any sequence of memberships, failures and runs again ends with Iterable holding exactly the members (P5, S7, S8)."""

from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Any

import pytest

from iterable_pipelines.activation.errors import ActivationFailed
from iterable_pipelines.activation.report import RunReport
from iterable_pipelines.activation.state import open_workspace
from iterable_pipelines.api import IterableError
from iterable_pipelines_tests.activation.audiences.test_over_http import AUDIENCE, members, on_list
from iterable_pipelines_tests.activation.conftest import Activation

PEOPLE = [f"p{number}" for number in range(12)]
PATHS = ("/api/users/bulkUpdate", "/api/events/trackBulk", "/api/lists")
FAULTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("lost_answer", {}),
    ("reset", {}),
    ("429", {"retry_after": 0}),
    ("status", {"status": 500}),
    ("status", {"status": 403}),
    ("not_json", {}),
)


def run(project: Activation) -> RunReport | None:
    with suppress(ActivationFailed, IterableError):
        return project.run("win_back", approve=("mass_exit",))
    return None


def test_s7_what_an_attempt_may_have_done_stays_in_doubt_whatever_the_next_one_is_answered(
    activation_project: Callable[..., Activation],
) -> None:
    project = activation_project()
    project.sync("win_back", AUDIENCE)
    members(project, "ana", "bo")
    run(project)
    members(project, "bo")
    # ana is off the list, and nobody knows
    project.sandbox.fault("lost_answer", "/api/lists/unsubscribe")
    project.sandbox.fault("status", "/api/lists/unsubscribe", status=403)
    report = run(project)
    assert report and report.status == "failed"
    members(project, "ana", "bo")
    run(project)
    (made,) = [int(each["id"]) for each in project.sandbox.world.objects.lists if each["name"] == "win_back_90_days"]
    assert on_list(project, made) == {"ana", "bo"}


@pytest.mark.parametrize("seed", [22, 29])
def test_p5_iterable_ends_with_exactly_the_members(activation_project: Callable[..., Activation], seed: int) -> None:
    project, chance = activation_project(), Random(seed)
    project.sync("win_back", AUDIENCE)
    present: list[str] = []
    for _ in range(6):
        present = chance.sample(PEOPLE, chance.randrange(len(PEOPLE)))
        members(project, *present)
        for _ in range(chance.randrange(3)):
            kind, options = chance.choice(FAULTS)
            project.sandbox.fault(
                kind, chance.choice(PATHS), after=chance.randrange(2), times=chance.randrange(1, 4), **options
            )
        run(project)
    project.sandbox.faults.clear()
    with open_workspace(project.settings, "win_back", write=True) as workspace:
        # a list of which nobody knows whether it was made is made after a while
        workspace.con.execute("update state.lists set noted_at = noted_at - interval 1 hour")
    run(project)
    project.sandbox.log.clear()
    run(project)
    assert project.requests() == []
    world = project.sandbox.world
    made = [int(each["id"]) for each in world.objects.lists if each["name"] == "win_back_90_days"]
    assert len(made) == 1
    assert on_list(project, made[0]) == set(present)
    fields = {name: (world.find_user(f"{name}@x.example") or {}).get("win_back_90_days") for name in PEOPLE}
    assert {name for name, value in fields.items() if value} == set(present)

    told = defaultdict(list)
    for each in world.written_events("customEvent"):
        told[each["email"].partition("@")[0]].append(each["eventName"].rpartition(" ")[2])
    for name, events in told.items():
        # each entry once, each exit once, in turn
        assert events == (["Entered", "Exited"] * len(events))[: len(events)], name
    assert {name for name, events in told.items() if events[-1] == "Entered"} == set(present)
