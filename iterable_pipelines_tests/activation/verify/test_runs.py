"""How a verification goes: what it looks at, what it leaves noted, and what becomes of what is wrong."""

from typing import Any

import pytest

from iterable_pipelines.activation.errors import ActivationRefused, AlreadyRunning
from iterable_pipelines.activation.state import open_workspace, state_path
from iterable_pipelines.api import Refused
from iterable_pipelines_tests.activation.verify.conftest import Prove


def users(count: int, tier: str = "gold") -> list[dict[str, Any]]:
    return [{"email": f"user{nth}@example.com", "dataFields": {"tier": tier}} for nth in range(count)]


def test_what_is_younger_than_the_settle_time_is_pending(prove: Prove) -> None:
    proof = prove()
    proof.send("users", users(3))
    proof.acknowledge("users", users(1), seconds_ago=59, output="young")
    proof.acknowledge("users", users(1), seconds_ago=61, output="old")
    proof.acknowledge("events", [{"email": "a@b.cd", "eventName": "E", "id": "1"}], seconds_ago=599)
    proof.declare("# the usual times\n")
    (path,) = (proof.settings.project_root / "syncs").glob("*.yml")
    path.write_text(path.read_text().replace("verify_after_seconds: 0\n", ""))

    verified = proof.verify()

    assert (verified.verified, verified.pending) == (1, 5)
    assert {output for (output,) in proof.state("select output from state.acked where verdict is not null")} == {"old"}


def test_a_sample_is_fifty_of_each_output_and_the_next_one_looks_at_others(prove: Prove) -> None:
    proof = prove()
    proof.send("users", users(120))

    looked_at = []
    for _ in range(3):
        assert proof.verify(full=False).lookups == 50
        looked_at.append({key for (key,) in proof.state("select key from state.acked where verdict = 'verified'")})

    assert [len(each) for each in looked_at] == [50, 100, 120]


def test_the_sample_of_a_state_is_always_the_same(prove: Prove) -> None:
    asked = []
    proof = prove()
    for _ in range(2):
        state_path(proof.settings, "people").unlink(missing_ok=True)
        proof.send("users", users(120))
        proof.sandbox.log.clear()
        proof.verify(full=False)
        asked.append(sorted(each.params for each in proof.sandbox.requests("/api/users/getByEmail")))
    assert asked[0] == asked[1]


def test_what_was_verified_stays_noted_when_iterable_stops_answering(prove: Prove) -> None:
    proof = prove()
    proof.send("users", users(200))
    proof.sandbox.fault("status", "/api/users/getByEmail", times=None, after=100, status=401)

    with pytest.raises(Refused):
        proof.verify()

    ((noted,),) = proof.state("select count(*) from state.acked where verdict = 'verified'")
    assert 50 <= noted <= 100
    proof.sandbox.faults.clear()
    # the rest comes first
    assert proof.verify(full=False).lookups == 50
    ((then,),) = proof.state("select count(*) from state.acked where verdict = 'verified'")
    assert then == noted + 50


def test_too_many_requests_are_waited_for(prove: Prove) -> None:
    proof = prove()
    proof.send("users", users(20))
    proof.sandbox.fault("429", "/api/users/getByEmail", times=2, after=5, retry_after=0.1)
    assert proof.verify().verified == 20


def test_drift_is_reported_and_left_alone(prove: Prove) -> None:
    proof = prove()
    proof.send("users", users(2))
    proof.verify()
    proof.write("users", users(1, "tin"))

    verified = proof.verify()

    assert (verified.verified, verified.drifted, verified.ratio) == (1, 1, 0.5)
    assert proof.state("select key, in_doubt, verdict from state.acked order by key") == [
        ("0000", False, "drifted"),
        ("0001", False, "verified"),
    ]


def test_drift_correct_has_the_next_plan_send_it_again(prove: Prove) -> None:
    proof = prove(text="drift: correct\n")
    proof.send("users", users(3), lost={1})
    proof.verify()
    assert proof.state("select key from state.acked where in_doubt") == [("0001",)]
    # what is to be sent again is not looked for until it was
    assert proof.verify().verified == 2


def test_what_is_right_again_is_no_longer_wrong(prove: Prove) -> None:
    proof = prove()
    proof.send("users", users(1), lost={0})
    proof.verify()
    assert proof.wrong() == {"0000": ("missing", None)}
    proof.write("users", users(1))
    proof.verify()
    assert proof.wrong() == {}


def test_a_sample_looks_again_at_what_was_wrong(prove: Prove) -> None:
    proof = prove()
    proof.send("users", users(120), lost={3, 4})
    proof.verify()
    proof.write("users", users(4))
    assert proof.verify(full=False).lookups == 52
    assert proof.wrong() == {"0004": ("missing", None)}


def test_what_is_to_be_sent_again_stays_so_whatever_is_found(prove: Prove) -> None:
    proof = prove()
    proof.send("users", users(1))
    again = iter([True])

    def connect() -> Any:
        if next(again, False):
            with open_workspace(proof.settings, "people", write=True) as state:
                state.con.execute("update state.acked set in_doubt = true")
        return proof.client()

    proof.verify(connect=connect)
    assert proof.state("select in_doubt, verdict from state.acked") == [(True, "verified")]


def test_values_stand_in_the_state_only_where_payloads_are_logged(prove: Prove) -> None:
    proof = prove()
    proof.send("users", users(1))
    proof.write("users", users(1, "tin"))
    proof.verify()
    assert proof.state("select fields, found from state.mismatches") == [("tier", None)]
    proof.declare("log_payloads: true\n")
    proof.verify()
    assert proof.state("select fields, found from state.mismatches") == [("tier", '{"tier": "tin"}')]


def test_a_finding_about_what_was_acknowledged_anew_meanwhile_does_not_count(prove: Prove) -> None:
    proof = prove()
    proof.send("users", users(1), lost={0})
    again = iter([True])

    def connect() -> Any:
        if next(again, False):
            proof.acknowledge("users", users(1), seconds_ago=0.5)
        return proof.client()

    proof.verify(connect=connect)
    assert proof.state("select verdict from state.acked") == [(None,)]
    assert proof.wrong() == {}


def test_nothing_is_verified_while_a_run_of_the_sync_has_its_state(prove: Prove) -> None:
    proof = prove()
    proof.send("users", users(1))
    with open_workspace(proof.settings, "people", write=True), pytest.raises(AlreadyRunning):
        proof.verify()


def test_s10_the_state_of_another_project_is_refused(prove: Prove) -> None:
    proof = prove()
    proof.send("users", users(1))
    proof.verify()
    proof.settings = proof.settings.model_copy(update={"base_url": "http://127.0.0.1:9"})
    with pytest.raises(ActivationRefused, match="state_project_mismatch"):
        proof.verify()


def test_a_sync_that_never_ran_has_nothing_to_verify_and_gets_no_state(prove: Prove) -> None:
    proof = prove()
    verified = proof.verify()
    assert (verified.checked, verified.ratio) == (0, 1.0)
    assert not state_path(proof.settings, "people").exists()
