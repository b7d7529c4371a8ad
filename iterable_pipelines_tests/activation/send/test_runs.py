"""A run as a whole: what it refuses, what it notes and publishes, and what may be done to a state by hand."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import duckdb
import pytest
from pydantic import SecretStr

from iterable_pipelines.activation.errors import ActivationRefused, AlreadyRunning, InDoubt
from iterable_pipelines.activation.objects import load_syncs
from iterable_pipelines.activation.options import Options
from iterable_pipelines.activation.plan import plan_sync, preview_pk
from iterable_pipelines.activation.run import reset_sync, resolve, send_pk
from iterable_pipelines.activation.standing import standing_of
from iterable_pipelines.activation.state import open_workspace
from iterable_pipelines_tests.activation.conftest import AT_ONCE, Activation, quick_client

PEOPLE = """
object: user
source: marts.people
primary_key: id
match: {column: email, field: email}
fields: {city: city}
"""
VISITS = """
object: event
source: marts.visits
primary_key: id
match: {column: user_id, field: userId}
event_name: {constant: Visit}
created_at: at
fields: {page: page}
first_run: backfill
mode: upsert
"""
Make = Callable[..., Activation]


def people(project: Activation, *rows: str) -> None:
    project.table("marts.people", f"from (values {', '.join(rows)}) t(id, email, city)")


@pytest.fixture
def town(activation_project: Make) -> Activation:
    project = activation_project("email")
    project.sync("people", PEOPLE)
    people(project, "(1, 'a@ex.com', 'Oslo')", "(2, 'b@ex.com', 'Bergen')", "(3, 'nobody', 'Oslo')")
    return project


def test_g9_a_disabled_sync_is_skipped_and_its_state_untouched(town: Activation) -> None:
    town.run("people")
    before = town.state("from state.runs")
    town.sync("people", PEOPLE + "enabled: false\n")
    assert town.run("people").status == "skipped"
    assert town.state("from state.runs") == before


def test_s1_a_second_run_at_the_same_time_is_refused(town: Activation) -> None:
    with open_workspace(town.settings, "people", write=True), pytest.raises(AlreadyRunning, match="Nothing was sent"):
        town.run("people")


def test_a_run_that_was_killed_is_no_run_at_work(town: Activation) -> None:
    town.run("people")
    with open_workspace(town.settings, "people", write=True) as workspace:
        assert standing_of(town.settings, "people").status == "at work"
        begun = "now()::timestamp + interval 1 hour as started_at"
        workspace.con.execute(f"insert into state.runs by name select 'killed' as run_id, 'running' as status, {begun}")
    assert standing_of(town.settings, "people").status == "interrupted"


def test_s10_the_state_of_one_project_is_not_used_for_another(town: Activation) -> None:
    town.run("people")
    town.settings = town.settings.model_copy(update={"api_key": SecretStr("another")})
    with pytest.raises(ActivationRefused, match="state_project_mismatch"):
        town.run("people")
    (sync,) = load_syncs(town.settings)
    with pytest.raises(ActivationRefused, match="state_project_mismatch"):
        plan_sync(town.settings, sync, Options(offline=True))
    with pytest.raises(ActivationRefused, match="state_project_mismatch"):
        preview_pk(town.settings, sync, "1")


def test_s14_too_many_refusals_fail_the_run(town: Activation) -> None:
    report = town.run("people")
    assert (report.status, report.counts) == ("failed", {"add": {"acked": 2, "invalid": 1}})
    assert report.codes == {"invalid_email": 1}
    assert report.failure("people") == (
        "people: 1 of 3 records were refused, more than 5%. What was acknowledged is noted and safe.\n"
        "Next: iterable-pipelines sync errors people"
    )
    town.sync("people", PEOPLE + "max_failure_ratio: 0.5\n")
    town.table("marts.people", "from (values (1, 'a@ex.com', 'Rome'), (3, 'nobody', 'x')) t(id, email, city)")
    assert town.run("people").status == "succeeded"


def test_6_5_every_row_of_a_run_is_in_the_warehouse_and_nobody_can_be_read_there(town: Activation) -> None:
    report = town.run("people")
    rows = town.published(
        "select pk, op, outcome, standing, code, identity_hash, payload, http_status "
        "from activation.sync_rows order by pk"
    )
    ((salt,),) = town.state("select value from state.meta where name = 'salt'")
    hashed = [hashlib.sha256(f"{salt}email{who}".encode()).hexdigest()[:16] for who in ("a@ex.com", "b@ex.com")]
    assert rows == [
        ("1", "add", "acked", "acknowledged", "", hashed[0], None, 200),
        ("2", "add", "acked", "acknowledged", "", hashed[1], None, 200),
        ("3", "add", "invalid", "rejected", "invalid_email", None, None, None),
    ]
    ((run_id, status, rows_, acknowledged, rejected, skipped, pending, requests),) = town.published(
        "select run_id, status, rows, acknowledged, rejected, skipped, pending, requests from activation.sync_runs"
    )
    assert (run_id, status, rows_, requests) == (report.run_id, report.status, 3, 1)
    assert (acknowledged, rejected, skipped, pending) == (2, 1, 0, 0)
    assert town.published("select pk, code from activation.sync_errors") == [("3", "invalid_email")]
    assert town.published("select endpoint, state, attempts from activation.sync_requests") == [("users", "done", 1)]
    for table in ("sync_runs", "sync_rows", "sync_errors", "sync_requests"):
        assert "ex.com" not in str(town.published(f"from activation.{table}"))
    # what is published need not stand here too
    assert town.state("select count(*) from state.changes") == [(0,)]


def test_6_5_every_table_and_column_is_described(town: Activation) -> None:
    town.run("people")
    tables = "select table_name from duckdb_tables() where schema_name = 'activation' and comment"
    assert len(town.published(f"{tables} is not null")) == 6
    assert town.published(f"{tables} is null") == []
    columns = "select table_name, column_name from duckdb_columns() where schema_name = 'activation' and comment"
    assert town.published(f"{columns} is null") == []


def test_rows_that_are_asked_for_and_not_there_are_named(town: Activation) -> None:
    assert town.run("people", only_pks=("1", "77")).counts == {"add": {"acked": 1}}
    assert "people: the source has no row with the primary key 77" in town.said


def test_6_5_payloads_are_published_where_the_sync_says_so(town: Activation) -> None:
    town.sync("people", PEOPLE + "log_payloads: true\n")
    town.run("people")
    assert town.published("select payload->>'$.email' from activation.sync_rows where pk = '1'") == [("a@ex.com",)]


def test_6_5_what_could_not_be_published_is_published_by_the_next_run(
    town: Activation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("iterable_pipelines.activation.publish.WAIT_SECONDS", 0.1)
    with duckdb.connect(town.settings.warehouse_path):
        first = town.run("people")
    assert first.counts["add"]["acked"] == 2
    assert town.state("select published from state.runs") == [(False,)]
    second = town.run("people")
    assert {run for (run,) in town.published("select run_id from activation.sync_runs")} == {
        first.run_id,
        second.run_id,
    }
    assert town.published("select count(*) from activation.sync_rows")[0][0] >= 3


def test_6_5_runs_of_more_than_ninety_days_ago_are_forgotten(town: Activation) -> None:
    first = town.run("people")
    from iterable_pipelines.streams import Warehouse

    with Warehouse.of(town.settings).transaction() as con:
        con.execute("update activation.sync_runs set started_at = started_at - interval 91 days")
    people(town, "(1, 'a@ex.com', 'Rome')")
    second = town.run("people")
    assert town.published("select run_id from activation.sync_runs") == [(second.run_id,)]
    assert town.published("select distinct run_id from activation.sync_rows") == [(second.run_id,)]
    assert first.run_id != second.run_id


def test_0_17_of_whom_iterable_has_forgotten_only_the_hash_is_kept(town: Activation) -> None:
    town.sync("people", PEOPLE + "log_payloads: true\n")
    people(town, "(1, 'a@ex.com', 'Oslo')")
    town.run("people")
    people(town, "(1, 'a@ex.com', 'Rome')")
    town.sandbox.fault(
        "status",
        "/api/users/bulkUpdate",
        status=200,
        body={"successCount": 0, "failCount": 1, "failedUpdates": {"forgottenEmails": ["a@ex.com"]}},
    )
    report = town.run("people")
    # that is no failure of the run
    assert (report.codes, report.status) == ({"user_forgotten": 1}, "succeeded")
    assert "a@ex.com" not in str(town.state("from state.acked")) + str(town.state("from state.issues"))
    (hashed, payload) = town.published(
        "select identity_hash, payload from activation.sync_rows where code = 'user_forgotten'"
    )[0]
    assert hashed and payload is None
    # and that is that, until the row changes
    assert town.run("people").requests == 0


def test_s11_resend_sends_every_row_again(town: Activation) -> None:
    town.run("people")
    (sync,) = load_syncs(town.settings)
    assert reset_sync(town.settings, sync, "resend", log=print) == 2
    assert town.run("people").counts["retry"] == {"noop": 2}
    assert town.run("people").requests == 0


def test_s11_rebaseline_takes_rows_for_acknowledged_and_sends_nothing(town: Activation) -> None:
    (sync,) = load_syncs(town.settings)
    reset_sync(town.settings, sync, "rebaseline", log=print)
    assert town.requests() == []
    assert town.run("people").requests == 0
    people(town, "(1, 'a@ex.com', 'Rome')", "(2, 'b@ex.com', 'Bergen')")
    assert town.run("people").counts == {"change": {"acked": 1}}


def test_s11_single_rows_can_be_sent_again(town: Activation) -> None:
    town.run("people")
    (sync,) = load_syncs(town.settings)
    reset_sync(town.settings, sync, "pk", ("2",), print)
    town.run("people")
    assert [each["email"] for each in town.requests()[1]["users"]] == ["b@ex.com"]


def test_send_pk_sends_one_row_and_says_what_was_answered(town: Activation) -> None:
    (sync,) = load_syncs(town.settings)
    clients = partial(quick_client, town.settings, print)
    report = send_pk(town.settings, sync, "2", print, clients, AT_ONCE)
    assert [each["email"] for each in town.requests()[0]["users"]] == ["b@ex.com"]
    assert report.answer == "add: acked"
    report = send_pk(town.settings, sync, "2", print, clients, AT_ONCE)
    assert report.answer == "retry: noop"


ADDRESSES = """
object: user
source: marts.people
primary_key: id
match: {column: email, field: email}
new_email: new_email
fields: {city: city}
"""


@pytest.mark.parametrize("how", ["resend", "drop"])
def test_s7_what_must_not_happen_twice_waits_for_a_person(activation_project: Make, how: str) -> None:
    project = activation_project("email")
    project.sync("people", ADDRESSES)
    project.table("marts.people", "from (values (1, 'a@ex.com', 'n@ex.com', 'Oslo')) t(id, email, new_email, city)")
    project.sandbox.fault("lost_answer", "/api/users/updateEmail")
    report = project.run("people")
    assert report.status == "failed"
    # the user record needs the change of address, so it was not sent
    assert report.counts == {"add": {"deferred": 1, "unknown": 1}}
    assert (len(project.requests("/api/users/updateEmail")), project.requests("/api/users/bulkUpdate")) == (1, [])

    with pytest.raises(InDoubt, match="sync resolve people"):
        project.run("people")

    (sync,) = load_syncs(project.settings)
    assert resolve(project.settings, sync, how, print) == 1
    project.run("people")
    changes = project.requests("/api/users/updateEmail")
    assert len(changes) == (2 if how == "resend" else 1)
    if how == "drop":
        assert len(project.requests("/api/users/bulkUpdate")) == 1


def test_b7_what_needs_another_record_waits_until_iterable_has_taken_it_in(activation_project: Make) -> None:
    project = activation_project("email")
    project.sync("people", ADDRESSES)
    project.table("marts.people", "from (values (1, 'a@ex.com', 'n@ex.com', 'Oslo')) t(id, email, new_email, city)")
    project.sandbox.fault("status", "/api/users/updateEmail", status=200, body={"msg": "", "code": "Success"})
    project.pace = replace(AT_ONCE, settle=0.3)
    assert project.run("people").status == "succeeded"
    first, second = [each for each in project.sandbox.requests("/api/users/") if each.method == "POST"]
    assert second.monotonic - first.monotonic >= 0.3


def test_s7_events_that_did_not_arrive_go_first_and_as_they_were(activation_project: Make) -> None:
    project = activation_project("userid", unknown_users="created")
    project.sync("visits", VISITS)
    rows = "select {0} as id, 'u1' as user_id, timestamp '2026-11-01' as at, '{1}' as page"
    project.table("marts.visits", rows.format(1, "old"))
    project.sandbox.fault("status", "/api/events/trackBulk", status=503, times=8)
    assert project.run("visits").status == "partial"
    # meanwhile the row has changed, and Iterable is still not there
    project.table("marts.visits", rows.format(1, "new"))
    project.sandbox.fault("status", "/api/events/trackBulk", status=503, times=8)
    assert project.run("visits").status == "partial"
    assert project.run("visits").status == "succeeded"
    bodies = [each.body for each in project.sandbox.requests("/api/events/trackBulk")]
    assert len(set(bodies[:17])) == 1 and "new" in bodies[17]
    assert len(bodies) == 18
    (event,) = project.sandbox.world.snapshot_of_writes()["events"].values()
    assert "new" in str(event) and "old" not in str(event)


def test_s11_what_was_said_by_hand_outlasts_answers_that_come_late(activation_project: Make) -> None:
    """A run is merged again once its last request is answered; what it was answered before is no news then."""
    project = activation_project("userid", unknown_users="created")
    project.sync("visits", VISITS + "delivery: single\n")
    rows = ", ".join(f"({nth}, 'u{nth}', timestamp '2026-11-0{nth}', 'page')" for nth in (1, 2))
    project.table("marts.visits", f'from (values {rows}) t(id, user_id, "at", page)')
    project.sandbox.fault("lost_answer", "/api/events/track", match={"userId": "u2"}, times=None)
    project.run("visits")
    project.sandbox.faults.clear()
    (sync,) = load_syncs(project.settings)
    reset_sync(project.settings, sync, "resend")
    project.sandbox.log.clear()
    project.run("visits")
    assert {each["id"] for each in project.requests()} == {"wh:visits:1", "wh:visits:2"}
