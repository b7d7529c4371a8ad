"""`backfill` and `rebuild`, from the command line to the tables, against the sandbox."""

from pathlib import Path

import dagster as dg
import duckdb
import pytest

from iterable_pipelines.hours import Window, parse_hour
from iterable_pipelines.sandbox.server import Sandbox
from iterable_pipelines_tests.cli.command import Command

SPAN = ("--from", "2026-11-01T00", "--to", "2026-11-01T03")
PUSH, RCS = "iterable_push_activity", "iterable_rcs_activity"
ONLY = ("--stream", PUSH, "--stream", RCS)
EXPORT = "/api/export/data.json"


@pytest.fixture(autouse=True)
def no_faults_left(sandbox: Sandbox) -> None:
    sandbox.faults.clear()


def exports(sandbox: Sandbox) -> int:
    return len(sandbox.requests(EXPORT))


def rows(command: Command, sql: str) -> list[tuple]:  # type: ignore[type-arg]
    """What readers see."""
    with duckdb.connect(command.root / "data" / "iterable.read.duckdb", read_only=True) as con:
        return con.execute(sql).fetchall()


def records(sandbox: Sandbox, data_type: str) -> int:
    window = Window(parse_hour("2026-11-01T00"), parse_hour("2026-11-01T03"))
    return sum(1 for _ in sandbox.world.records(data_type, window))


def test_hours_arrive_and_the_ui_knows(command: Command, sandbox: Sandbox) -> None:
    said = command("backfill", *SPAN, *ONLY)
    assert said.code == 0, said.err
    assert "Complete: 2026-11-01T00 to 2026-11-01T03 UTC, 2 stream(s)" in said.out
    for data_type in ("pushSend", "pushOpen", "rcsSend"):
        stream = RCS if data_type == "rcsSend" else PUSH
        found = rows(command, f"select count(*) from streams.{stream} where data_type = '{data_type}'")
        assert found == [(records(sandbox, data_type),)]
    assert rows(command, "select count(*) from profiles.user_profiles")[0][0] > 0
    assert rows(command, "select count(*) from objects.campaigns")[0][0] > 0

    with dg.DagsterInstance.from_config(str(command.root / "data" / "dagster")) as instance:
        hours = {"2026-11-01T00", "2026-11-01T01", "2026-11-01T02"}
        for key in (["landing", PUSH], ["streams", PUSH], ["landing", RCS], ["streams", RCS]):
            assert instance.get_materialized_partitions(dg.AssetKey(key)) == hours
        for key in (["objects", "campaigns"], ["profiles", "user_profiles"]):
            assert instance.get_latest_materialization_event(dg.AssetKey(key))
        runs = instance.get_runs()
        assert [run.job_name for run in runs] == ["profiles_build", "objects_refresh", "hourly_import"]
        assert {run.status for run in runs} == {dg.DagsterRunStatus.SUCCESS}

    # these hours are settled: there is nothing to ask for, unless somebody wants it
    before = exports(sandbox)
    assert command("backfill", *SPAN, *ONLY).code == 0
    assert exports(sandbox) == before
    assert command("backfill", *SPAN, "--stream", RCS, "--refetch").code == 0
    assert exports(sandbox) == before + 2


def test_what_is_broken_is_tried_again_alone(command: Command, sandbox: Sandbox) -> None:
    # the client gives up after five attempts, and one hour is not asked for in halves
    sandbox.fault("status", EXPORT, match={"dataTypeName": "rcsSend"}, times=5, status=500)
    said = command("backfill", "--from", "2026-11-01T00", "--to", "2026-11-01T01", *ONLY)
    assert said.code == 0, said.err
    with dg.DagsterInstance.from_config(str(command.root / "data" / "dagster")) as instance:
        imports = instance.get_runs(dg.RunsFilter(job_name="hourly_import"))
        retry, first = imports
        assert retry.tags["dagster/parent_run_id"] == retry.tags["dagster/root_run_id"] == first.run_id
        assert {key.to_user_string() for key in retry.asset_selection or ()} == {f"landing/{RCS}", f"streams/{RCS}"}


def test_what_stayed_behind_is_named(command: Command, sandbox: Sandbox) -> None:
    sandbox.fault("status", EXPORT, match={"dataTypeName": "pushOpen"}, times=None, status=400)
    said = command("backfill", *SPAN, *ONLY)
    assert said.code == 1
    assert "The backfill is not complete. What did arrive is stored and safe." in said.err
    assert f"{PUSH}, not landed, 2026-11-01T00 to 2026-11-01T03: pushOpen" in said.err
    assert said.err.count("Next: ") == 1
    assert "Next: iterable-pipelines backfill --from 2026-11-01T00 --to 2026-11-01T03" in said.err
    # the other stream is all there
    assert rows(command, f"select count(*) from streams.{RCS}")[0][0] == sum(
        records(sandbox, name) for name in ("rcsSend", "rcsSendSkip")
    )
    sandbox.faults.clear()
    before = exports(sandbox)
    assert command("backfill", *SPAN, *ONLY).code == 0
    assert exports(sandbox) == before + 1
    assert rows(command, f"select count(*) from streams.{PUSH} where data_type = 'pushOpen'") == [
        (records(sandbox, "pushOpen"),)
    ]


def test_hours_before_the_project_began(command: Command) -> None:
    said = command("backfill", "--from", "2026-10-30T22", "--to", "2026-10-31T01", "--stream", RCS)
    assert said.code == 0, said.err
    assert "ITERABLE_START_DATE=2026-10-30T22" in said.out
    assert rows(command, "select count(distinct hour) from streams.loads") == [(3,)]


def test_rebuild_needs_no_network_and_gives_the_same(command: Command, sandbox: Sandbox) -> None:
    assert command("backfill", *SPAN, "--stream", PUSH, "--stream", "iterable_users").code == 0
    events = f"select * exclude (_loaded_at, _load_id) from streams.{PUSH} order by all"
    users = "select * exclude (_loaded_at, _load_id) from streams.iterable_users order by all"
    before = rows(command, events), rows(command, users), rows(command, _PROFILES)
    asked = len(sandbox.requests())
    said = command("rebuild", base_url="http://127.0.0.1:9")
    assert said.code == 0, said.err
    assert "Rebuilt from landing" in said.out
    assert len(sandbox.requests()) == asked
    assert (rows(command, events), rows(command, users), rows(command, _PROFILES)) == before


def test_the_key_is_nowhere(command: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    # "sandbox" stands in every address, so a key of its own is what can be looked for
    key = "f00dfeedf00dfeedf00dfeedf00dfeed"
    said = command("backfill", *SPAN, "--stream", RCS, api_key=key)
    assert said.code == 1
    assert key not in said.out + said.err
    for file in (tmp_path / "data").rglob("*"):
        if file.is_file():
            assert key.encode() not in file.read_bytes(), file


_PROFILES = "select * from profiles.user_profiles order by user_key"
