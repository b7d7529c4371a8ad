"""Lists are counted, and read where that is asked for; by the names by which their members go."""

import pytest

from iterable_pipelines.objects.list_members.read import NotWhole
from iterable_pipelines_tests.activation.verify.conftest import Proof, Prove

COUNT = 30


def members(kind: str) -> list[dict[str, str]]:
    value = "user{}@example.com" if kind == "email" else "c-{}"
    return [{kind: value.format(nth)} for nth in range(COUNT)]


def list_of(proof: Proof) -> dict[str, int]:
    """The flags of requests that write to a list nobody is on."""
    return {"listId": proof.sandbox.world.objects.lists[0]["id"]}


@pytest.mark.parametrize(
    ("project_type", "kind"), [("email", "email"), ("userid", "userId"), ("hybrid", "email"), ("hybrid", "userId")]
)
def test_members_are_found_by_the_name_by_which_they_were_sent(prove: Prove, project_type: str, kind: str) -> None:
    proof = prove(project_type=project_type)
    # in a hybrid project they have an address too, by which a list usually names them
    people = members(kind)
    fields = {"dataFields": {"email": "x{}@example.com"}} if project_type == "hybrid" and kind == "userId" else {}
    proof.write("users", [each | {k: {"email": v["email"].format(n)} for k, v in fields.items()}
                          for n, each in enumerate(people)])  # fmt: skip
    proof.write("subscribe", [{kind: "stranger@example.com" if kind == "email" else "stranger"}], list_of(proof))

    proof.send("subscribe", people, list_of(proof), lost={5})
    verified = proof.verify()

    assert proof.wrong() == {"0005": ("missing", None)}
    assert (verified.verified, verified.lookups) == (COUNT - 1, 1)
    (counted,) = verified.lists
    assert (counted.size, counted.acknowledged, counted.foreign) == (COUNT, COUNT, 1)


def test_who_was_to_leave_and_is_still_there_is_named(prove: Prove) -> None:
    proof = prove(project_type="email")
    proof.write("subscribe", members("email"), list_of(proof))
    proof.send("unsubscribe", members("email"), list_of(proof), lost={7})
    verified = proof.verify()
    assert proof.wrong() == {"0007": ("mismatch", "listId")}
    assert verified.verified == COUNT - 1


def test_a_sample_of_a_list_is_looked_up_by_profile_and_the_list_only_counted(prove: Prove) -> None:
    proof = prove(project_type="email")
    proof.send("subscribe", members("email"), list_of(proof), lost={5})
    verified = proof.verify(full=False)
    assert (verified.verified, verified.missing, verified.lookups) == (COUNT - 1, 1, COUNT)
    assert [(each.size, each.foreign) for each in verified.lists] == [(COUNT - 1, None)]
    assert proof.sandbox.requests("/api/lists/getUsers") == []


def test_of_a_list_that_is_gone_everybody_is_missing(prove: Prove) -> None:
    proof = prove(project_type="email")
    proof.write("users", members("email"))
    proof.acknowledge("subscribe", members("email"), {"listId": 4711})
    verified = proof.verify()
    assert (verified.missing, verified.lists[0].size) == (COUNT, None)


def test_a_list_that_comes_cut_names_nobody_and_keeps_what_was_found_before(prove: Prove) -> None:
    proof = prove(project_type="email")
    proof.write("users", members("email"))
    proof.send("subscribe", members("email"), list_of(proof))
    proof.sandbox.fault("drop_tail", "/api/lists/getUsers", times=None, share=0.5)
    with pytest.raises(NotWhole):
        proof.verify()
    assert proof.wrong() == {}
