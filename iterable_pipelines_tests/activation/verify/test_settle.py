"""S9: whether what must not be repeated has happened is read at Iterable."""

import json
from datetime import timedelta
from typing import Any

import pytest

from iterable_pipelines.activation.state import open_workspace
from iterable_pipelines.activation.verify.settle import settle
from iterable_pipelines.hours import now
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
        return settle(state, proof.client(), "r")


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
    with open_workspace(proof.settings, "people", write=True) as state, pytest.raises(KeyError):
        settle(state, proof.client(), "no such request")
