"""Computed traits from a table to the sandbox (outbound.md P1, P2)."""

from collections.abc import Callable
from typing import Any

import pytest

from iterable_pipelines_tests.activation.conftest import Activation

TRAIT = """
object: trait
trait_name: Best Hour v1.0
source: warehouse.hours
primary_key: id
match: {column: email, field: email}
value: best
"""
EXAMPLES = {"ana": 9, "bo": 20, "cy": None}


@pytest.fixture
def project(activation_project: Callable[..., Activation]) -> Activation:
    project = activation_project()
    project.sync("best_hour", TRAIT)
    return project


def run(project: Activation, hours: dict[str, int | None]) -> dict[str, Any]:
    rows = ", ".join(
        f"('{name}', '{name}@x.example', {'null' if best is None else best})" for name, best in hours.items()
    )
    project.table("warehouse.hours", f"select id, email, best::bigint as best from (values {rows}) t(id, email, best)")
    project.sandbox.log.clear()
    assert project.run("best_hour").status == "succeeded"
    return {
        each["email"].partition("@")[0]: each["dataFields"]
        for body in project.requests("/api/users/bulkUpdate")
        for each in body["users"]
    }


def test_p2_a_trait_is_a_field_called_like_its_key_and_only_changes_are_sent(project: Activation) -> None:
    assert run(project, EXAMPLES) == {name: {"best_hour_v1_0": best} for name, best in EXAMPLES.items()}
    assert run(project, EXAMPLES) == {}
    assert run(project, EXAMPLES | {"bo": 21}) == {"bo": {"best_hour_v1_0": 21}}


def test_p2_a_trait_that_is_null_is_cleared_and_a_user_who_is_gone_keeps_it(project: Activation) -> None:
    run(project, EXAMPLES)
    assert run(project, EXAMPLES | {"ana": None}) == {"ana": {"best_hour_v1_0": None}}
    assert run(project, {"cy": None}) == {}
    found = project.sandbox.world.find_user("bo@x.example")
    assert found and found["best_hour_v1_0"] == 20


def test_p2_a_user_who_is_gone_loses_it_where_on_leave_says_so(project: Activation) -> None:
    project.sync("best_hour", TRAIT + "on_leave: null_fields")
    run(project, EXAMPLES)
    assert run(project, {"ana": 9, "cy": None}) == {"bo": {"best_hour_v1_0": None}}


def test_p1_a_trait_keeps_its_key_when_it_is_called_something_else(project: Activation) -> None:
    run(project, EXAMPLES)
    project.sync("best_hour", TRAIT.replace("Best Hour v1.0", "Send Hour"))
    assert run(project, EXAMPLES) == {}
    assert run(project, EXAMPLES | {"bo": 3}) == {"bo": {"best_hour_v1_0": 3}}
