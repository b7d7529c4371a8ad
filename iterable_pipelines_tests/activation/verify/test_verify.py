"""What was acknowledged and is not there is named, and nothing else is."""

import random
import time
from typing import Any

import pytest

from iterable_pipelines_tests.activation.verify.conftest import Prove

NOW = int(time.time())


def users(count: int) -> list[dict[str, Any]]:
    return [
        {"email": f"user{nth}@example.com", "dataFields": {"firstName": f"U{nth}", "points": nth, "vip": nth % 2 == 0}}
        for nth in range(count)
    ]


def test_r20_a_full_verification_names_exactly_the_users_that_were_accepted_and_lost(prove: Prove) -> None:
    proof = prove()
    lost = set(random.Random(1).sample(range(300), 3))

    proof.send("users", users(300), lost=lost)
    verified = proof.verify()

    assert {int(pk) for pk in proof.wrong()} == lost
    assert (verified.verified, verified.missing, verified.lookups) == (297, 3, 300)
    assert {each.pk for each in verified.wrong} == {f"{nth:04d}" for nth in lost}


@pytest.mark.parametrize("ids_are_shown", [True, False])
def test_r20_a_full_verification_names_exactly_the_events_that_were_accepted_and_lost(
    prove: Prove, ids_are_shown: bool
) -> None:
    proof = prove(event_ids=ids_are_shown)
    proof.write("users", users(20))
    # the same name in the same second, ten times for every user: only the id and the content tell them apart
    events = [
        {
            "email": f"user{nth % 20}@example.com",
            "eventName": "Ping",
            "id": f"e{nth}",
            "createdAt": NOW - 60,
            "dataFields": {"n": nth},
        }
        for nth in range(200)
    ]

    proof.send("events", events, lost={17, 90})
    verified = proof.verify()

    assert proof.wrong() == {"0017": ("missing", None), "0090": ("missing", None)}
    assert (verified.verified, verified.missing, verified.lookups) == (198, 2, 20)


def test_a_full_verification_of_a_list_tells_who_is_missing_and_counts_who_is_foreign(prove: Prove) -> None:
    proof = prove(project_type="email")
    members = [{"email": f"user{nth}@example.com"} for nth in range(200)]
    flags = {"listId": proof.sandbox.world.objects.lists[0]["id"]}
    proof.write("users", members)
    proof.write("subscribe", [{"email": "stranger@example.com"}], flags)

    proof.send("subscribe", members, flags, lost={4, 44})
    verified = proof.verify()

    assert proof.wrong() == {"0004": ("missing", None), "0044": ("missing", None)}
    (counted,) = verified.lists
    assert (counted.size, counted.acknowledged, counted.foreign) == (199, 200, 1)
    # the list is one request, and only those whom it lacks are asked for
    assert verified.lookups == 2
    assert "stranger@example.com" in {email for email, _ in proof.sandbox.world.members(flags["listId"]) or []}


@pytest.mark.parametrize("missing_user", ["empty", "400", "500"])
def test_a_missing_user_is_one_however_iterable_says_so(prove: Prove, missing_user: str) -> None:
    proof = prove(missing_user=missing_user)
    proof.send("users", users(3), lost={1})
    proof.verify()
    assert proof.wrong() == {"0001": ("missing", None)}
