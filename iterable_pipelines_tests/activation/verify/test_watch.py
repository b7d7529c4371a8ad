"""The questions about a sync that the checks ask, each with a good answer and a bad one."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from iterable_pipelines.activation.state import open_workspace
from iterable_pipelines.activation.verify.watch import QUESTIONS, Watched, watch
from iterable_pipelines_tests.activation.verify.conftest import Proof, Prove

AT = datetime(2026, 11, 20, 12, 45, tzinfo=UTC)
USERS = [{"email": f"user{nth}@example.com", "dataFields": {"tier": "gold"}} for nth in range(20)]


def note(proof: Proof, table: str, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows into the state."""
    with open_workspace(proof.settings, "people", write=True) as state:
        for row in rows:
            named = ", ".join(f"? as {name}" for name in row)
            state.con.execute(f"insert into state.{table} by name select {named}", list(row.values()))


def runs(proof: Proof, counts: Sequence[int], status: str = "succeeded", whole: bool = True) -> None:
    """A run an hour, the last one at 12:31, with so many rows each."""
    last = AT.replace(minute=31, tzinfo=None)
    hours = range(len(counts) - 1, -1, -1)
    note(
        proof,
        "runs",
        [
            {"run_id": f"{status}{whole}{hour}", "status": status, "rows": rows, "whole": whole}
            | {"started_at": last - timedelta(hours=hour, minutes=1), "finished_at": last - timedelta(hours=hour)}
            for hour, rows in zip(hours, counts, strict=True)
        ],
    )


def answer(proof: Proof, name: str, at: datetime = AT) -> Watched:
    (found,) = [each for each in watch(proof.settings, proof.sync, at) if each.name == name]
    return found


def test_a_sync_that_never_ran_is_not_found_fault_with(prove: Prove) -> None:
    proof = prove()
    assert [(each.name, each.passed) for each in watch(proof.settings, proof.sync)] == [
        (name, True) for name in QUESTIONS
    ]


def test_no_invalid_rows_names_the_codes(prove: Prove) -> None:
    proof = prove()
    issue = {"output": "", "severity": "error", "code": "invalid_email"}
    note(proof, "issues", [issue | {"key": "1", "pk": "1"}, issue | {"key": "2", "pk": "2"}])
    found = answer(proof, "no_invalid_rows")
    assert (found.passed, found.figures) == (False, {"rows": 2, "invalid_email": 2})
    assert "sync errors people" in found.text


@pytest.mark.parametrize(("refused", "passed"), [(1, True), (2, False)])
def test_s14_the_ratio_of_refused_records_is_held_against_what_the_file_allows(
    prove: Prove, refused: int, passed: bool
) -> None:
    proof = prove()
    proof.acknowledge("users", USERS)
    issue = {"output": "users", "severity": "error", "code": "invalid_data"}
    note(proof, "issues", [issue | {"key": f"x{nth}", "pk": f"x{nth}"} for nth in range(refused)])
    # 0.17: whom Iterable has forgotten is counted apart
    note(proof, "issues", [issue | {"key": f"y{nth}", "pk": f"y{nth}", "code": "user_forgotten"} for nth in range(9)])
    # 1 of 21 is below five per cent, 2 of 22 are not
    found = answer(proof, "reject_ratio")
    assert (found.passed, found.severity) == (passed, "ERROR")


@pytest.mark.parametrize(
    ("frequency", "at", "passed"),
    [
        ("hourly", AT, True),
        # the run of 13:30 may still be at work, or be late
        ("hourly", AT + timedelta(hours=1), True),
        ("hourly", AT + timedelta(hours=2, minutes=20), False),
        ("daily", AT + timedelta(hours=30), True),
        ("daily", AT + timedelta(days=3), False),
        ("manual", AT + timedelta(days=300), True),
    ],
)
def test_freshness_counts_the_runs_that_were_due(prove: Prove, frequency: str, at: datetime, passed: bool) -> None:
    proof = prove(text=f"frequency: {frequency}\n")
    runs(proof, [5])
    runs(proof, [5], status="failed")
    assert answer(proof, "freshness", at).passed is passed


@pytest.mark.parametrize(
    ("counts", "passed"),
    [
        ([100, 110, 90, 105], True),
        ([100, 110, 90, 160], False),
        ([100, 110, 90, 40], False),
        ([100, 110, 0], True),
        ([0, 0, 0, 0], True),
    ],
)
def test_d5_a_count_far_from_those_of_the_runs_before_is_told(prove: Prove, counts: list[int], passed: bool) -> None:
    proof = prove()
    runs(proof, counts)
    # what looked at a few rows only, or failed, says nothing of how many there are
    runs(proof, [1], whole=False)
    runs(proof, [1], status="failed")
    assert answer(proof, "count_deviation").passed is passed


def test_min_verified_is_held_against_what_was_read_back(prove: Prove) -> None:
    proof = prove()
    proof.send("users", USERS, lost={3})
    assert answer(proof, "verified").figures == {"verified": 0, "wrong": 0, "not_read_back": 20, "ratio": 1.0}
    proof.verify()
    found = answer(proof, "verified")
    assert (found.passed, found.figures["ratio"]) == (False, 0.95)
    proof.declare("min_verified: 0.9\n")
    assert answer(proof, "verified").passed


def test_a_list_that_has_lost_members_is_told(prove: Prove) -> None:
    proof = prove(project_type="email")
    flags = {"listId": proof.sandbox.world.objects.lists[0]["id"]}
    members = [{"email": each["email"]} for each in USERS]
    proof.send("subscribe", members, flags, lost={1})
    proof.verify(full=False)
    found = answer(proof, "list_size")
    assert not found.passed
    assert f"19 of 20 are on list {flags['listId']}" in found.text
    proof.write("subscribe", members, flags)
    proof.verify(full=False)
    assert answer(proof, "list_size").passed
