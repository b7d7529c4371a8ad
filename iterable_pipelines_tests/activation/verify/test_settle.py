"""S9: whether what must not be repeated has happened is read at Iterable."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import duckdb
import pytest

from iterable_pipelines.activation.errors import InDoubt
from iterable_pipelines.activation.state import open_workspace, state_path
from iterable_pipelines.activation.verify.settle import settle
from iterable_pipelines.hours import now
from iterable_pipelines_tests.activation.conftest import Activation
from iterable_pipelines_tests.activation.verify.conftest import Proof, Prove

OLD, NEW = {"email": "old@ex.com"}, {"email": "new@ex.com"}
CHANGE = {"currentEmail": "old@ex.com", "newEmail": "New@ex.com"}
CHANGE_BY_ID = {"currentUserId": "u-1", "newEmail": "new@ex.com"}
MERGE = {"sourceEmail": "old@ex.com", "destinationEmail": "new@ex.com"}


def asked(proof: Proof, endpoint: str, body: dict[str, Any], seconds_ago: float = 61) -> str:
    """What `settle` says of a request that was sent so long ago."""
    sent_at = (now() - timedelta(seconds=seconds_ago)).replace(tzinfo=None)
    with open_workspace(proof.settings, "people", write=True) as state:
        state.con.execute(
            "insert into state.outbox by name select 'r' as request_id, ? as endpoint, ?::blob as body, ? as sent_at",
            [endpoint, json.dumps(body).encode(), sent_at],
        )
        return settle(state, proof.client(), "r").settled


@pytest.mark.parametrize(
    ("endpoint", "body", "users", "said"),
    [
        ("email_change", CHANGE, [NEW], "done"),
        ("email_change", CHANGE, [OLD], "not_done"),
        ("email_change", CHANGE, [OLD, NEW], "not_done"),
        ("email_change", CHANGE, [], "unknown"),
        ("email_change", CHANGE_BY_ID, [NEW | {"userId": "u-1"}], "done"),
        ("email_change", CHANGE_BY_ID, [OLD | {"userId": "u-1"}], "not_done"),
        ("email_change", CHANGE_BY_ID, [], "unknown"),
        ("merge", MERGE, [NEW], "done"),
        ("merge", MERGE, [OLD, NEW], "not_done"),
    ],
)
def test_s9_what_is_there_says_whether_it_happened(
    prove: Prove, endpoint: str, body: dict[str, Any], users: list[dict[str, Any]], said: str
) -> None:
    proof = prove(project_type="email")
    proof.write("users", users)
    assert asked(proof, endpoint, body) == said


def test_s9_what_is_not_there_yet_may_still_come_within_the_first_minute(prove: Prove) -> None:
    proof = prove(project_type="email")
    proof.write("users", [OLD])
    assert asked(proof, "email_change", CHANGE, seconds_ago=59) == "unknown"


def test_s9_a_request_that_is_not_kept_cannot_be_settled(prove: Prove) -> None:
    proof = prove()
    with open_workspace(proof.settings, "people", write=True) as state:
        assert settle(state, proof.client(), "no such request").settled == "unknown"


MOVED = """
object: user
source: marts.people
primary_key: id
match: {column: email, field: email}
new_email: new_email
fields: {name: firstName}
"""
CHANGES = "/api/users/updateEmail"


@pytest.fixture
def moving(activation_project: Callable[..., Activation]) -> Activation:
    """An address that is to change."""
    project = activation_project("email")
    project.sync("people", MOVED)
    project.table("marts.people", "select 1 as id, 'old@ex.com' as email, null::text as new_email, 'Ana' as name")
    assert project.run("people").status == "succeeded"
    project.table("marts.people", "select 1 as id, 'old@ex.com' as email, 'new@ex.com' as new_email, 'Ana' as name")
    return project


def test_s9_a_change_of_address_whose_answer_was_lost_is_read_back_and_not_repeated(moving: Activation) -> None:
    moving.sandbox.fault("lost_answer", CHANGES)
    assert moving.run("people").status == "failed"

    assert moving.run("people").status == "succeeded"

    assert len(moving.requests(CHANGES)) == 1
    assert moving.sandbox.world.find_user(email="new@ex.com")


def test_s9_a_change_that_did_not_happen_is_waited_for_and_then_sent_again(moving: Activation) -> None:
    # says nothing of whether anything was done; and nothing was
    moving.sandbox.fault("status", CHANGES, status=500)
    assert moving.run("people").status == "failed"
    # for a minute it may still show
    with pytest.raises(InDoubt):
        moving.run("people")
    assert len(moving.requests(CHANGES)) == 1

    with duckdb.connect(state_path(moving.settings, "people")) as con:
        con.execute("update outbox set sent_at = sent_at - interval 61 seconds where state = 'unknown'")

    assert moving.run("people").status == "succeeded"
    assert len(moving.requests(CHANGES)) == 2
    assert moving.sandbox.world.find_user(email="new@ex.com")
