"""Syncs and the forgotten: nothing of them is planned, and what is on its way loses them alone (S7, X17)."""

import json
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from iterable_pipelines.activation.endpoints import ENDPOINTS
from iterable_pipelines.activation.requests import Change, Request
from iterable_pipelines.activation.state import open_workspace, state_path
from iterable_pipelines.erasure.sync_states import SyncStates
from iterable_pipelines_tests.activation.conftest import QUICK, Activation, empty_project
from iterable_pipelines_tests.erasure.everywhere import MEMBERS, PEOPLE, USERS, quiet
from iterable_pipelines_tests.erasure.planted import ADA, ADA_ID, BOB, bury, naming, persons

FORGET = (
    "object: user_action\naction: forget\nmode: insert\nsource: m.people\nprimary_key: id\n"
    "match: {column: email, field: email}\n"
)


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Activation]:
    with empty_project(tmp_path, "hybrid", pace=QUICK) as (settings, sandbox):
        found = Activation(settings, sandbox)
        found.table("m.people", PEOPLE)
        yield found


def test_a_row_of_hers_is_skipped_and_her_key_is_not_kept(here: Activation) -> None:
    bury(here.settings)
    here.sync("members", MEMBERS)
    report = here.run("members")
    assert report.status == "succeeded" and report.codes == {"user_forgotten": 1}
    assert ADA not in json.dumps(here.requests())
    assert naming(here.settings.data_dir / "activation") == set()
    assert here.published("select count(*), sum(acknowledged), sum(skipped) from activation.sync_runs") == [(1, 2, 1)]


def test_whoever_leaves_and_is_forgotten_is_not_told_to_leave(here: Activation) -> None:
    here.sync("members", MEMBERS)
    here.run("members")
    here.sandbox.log.clear()
    # before the erasure itself reached the state
    bury(here.settings)
    here.table("m.people", f"{PEOPLE} where email = '{BOB}'")
    here.run("members", approve=("mass_exit",))
    told = json.dumps(here.requests())
    assert "cy@example.com" in told and ADA not in told


def test_iterable_is_still_told_to_forget_her(here: Activation) -> None:
    bury(here.settings)
    here.sync("forget", FORGET)
    here.run("forget", approve=("delete",))
    assert {"email": ADA} in here.requests("/api/users/forget")


def test_s7_a_request_in_doubt_goes_again_with_the_others_alone(here: Activation, tmp_path: Path) -> None:
    here.sync("users", USERS)
    changes = [
        Change(number, str(number), "event", ENDPOINTS["events"], "{}", "email", who, payload)
        for number, who, payload in (
            (1, ADA, json.dumps({"email": ADA, "eventName": "e", "id": "1"})),
            (2, BOB, json.dumps({"email": BOB, "eventName": "e", "id": "2", "dataFields": {"of": ADA}})),
        )
    ]
    hers = Change(3, "3", "event", ENDPOINTS["event"], "{}", "email", ADA, json.dumps({"userId": ADA_ID, "id": "3"}))
    with open_workspace(here.settings, "users", write=True) as workspace:
        for request, these in (("two", changes), ("hers", [hers])):
            body = Request(these).body
            workspace.con.execute(
                "insert into state.outbox by name select ? as request_id, 'run' as run_id, 'sending' as state, "
                "? as endpoint, ?::blob as body",
                [request, these[0].endpoint.name, body],
            )
            for place, each in enumerate(these):
                workspace.con.execute(
                    "insert into state.changes by name select 'run' as run_id, ? as number, 'add' as op, ? as key, "
                    "? as pk, 'event' as output, ? as endpoint, '{}' as flags, 'email' as identity_kind, "
                    "? as identity, ? as payload, '' as payload_hash, 1 as mapping_version, true as member, 0 as seq",
                    [each.number, each.pk, each.pk, each.endpoint.name, each.identity, each.payload],
                )
                workspace.con.execute("insert into state.outbox_rows values (?, ?, ?)", [request, place, each.number])
    (done,) = SyncStates().erase(here.settings, persons(tmp_path / "who"), quiet)
    assert done.rows == 2
    with duckdb.connect(state_path(here.settings, "users"), read_only=True) as con:
        assert con.execute("select request_id from outbox").fetchall() == [("two",)]
        (body,) = con.execute("select body from outbox").fetchone() or (b"",)
        (payload,) = con.execute("select payload::varchar from changes").fetchone() or ("",)
    assert json.loads(body) == {"events": [json.loads(payload)]}
    assert json.loads(payload) == {"email": BOB, "eventName": "e", "id": "2", "dataFields": {"of": "erased"}}
    assert naming(here.settings.data_dir / "activation") == set()
