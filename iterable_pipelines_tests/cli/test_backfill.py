"""`backfill`, from the command line to the tables, against the sandbox."""

import shutil
import signal
import time
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from iterable_pipelines.data_types import DATA_TYPE
from iterable_pipelines.hours import Window, parse_hour
from iterable_pipelines.sandbox.server import Sandbox
from iterable_pipelines_tests.cli.command import CHECKOUT, Command, CommandHere

PUSH, RCS = "iterable_push_activity", "iterable_rcs_activity"
ONLY = ("--stream", PUSH, "--stream", RCS)
EXPORT = "/api/export/data.json"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One project for all: every test has hours of its own, and the models are parsed once."""
    return tmp_path_factory.mktemp("project")


@pytest.fixture
def command(
    root: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], only_models: None
) -> CommandHere:
    """The command line of that project on the sandbox."""
    return CommandHere(
        root,
        monkeypatch,
        capfd,
        api_key=sandbox.key,
        base_url=sandbox.url,
        requests_relaxed="true",
        start_date="2026-11-01",
    )


def prepare_home(command: Command) -> Path:
    """Dagster's home of the project, as `backfill` makes it."""
    home = command.root / "data" / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "dagster.yaml").exists():
        shutil.copyfile(CHECKOUT / "dagster.yaml", home / "dagster.yaml")
    return home


def span(start: str, end: str) -> tuple[str, ...]:
    return ("--from", start, "--to", end)


def exports(sandbox: Sandbox) -> int:
    return len(sandbox.requests(EXPORT))


def rows(command: Command, sql: str) -> list[tuple]:  # type: ignore[type-arg]
    """What readers see."""
    with duckdb.connect(command.root / "data" / "iterable.read.duckdb", read_only=True) as con:
        return con.execute(sql).fetchall()


def loaded(command: Command, data_type: str, start: str, end: str) -> int:
    stream = DATA_TYPE[data_type].stream
    where = f"data_type = '{data_type}' and _hour >= '{start}:00' and _hour < '{end}:00'"
    return int(rows(command, f"select count(*) from streams.{stream} where {where}")[0][0])


def records(sandbox: Sandbox, data_type: str, start: str, end: str) -> int:
    return sum(1 for _ in sandbox.world.records(data_type, Window(parse_hour(start), parse_hour(end))))


def imports(command: Command, start: str) -> list[dg.DagsterRun]:
    """The import runs whose first hour is `start`, the newest first."""
    with dg.DagsterInstance.from_config(str(command.root / "data" / "dagster")) as instance:
        tags = {"dagster/asset_partition_range_start": start}
        return list(instance.get_runs(dg.RunsFilter(job_name="hourly_import", tags=tags)))


def planned(command: Command, run: dg.DagsterRun) -> set[str]:
    """The assets that a run set out to make."""
    with dg.DagsterInstance.from_config(str(command.root / "data" / "dagster")) as instance:
        events = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED)
        return {each.get_dagster_event().asset_key.to_user_string() for each in events}


def test_hours_arrive_and_the_ui_knows(command: Command, sandbox: Sandbox) -> None:
    hours = ("2026-11-01T00", "2026-11-01T03")
    said = command("backfill", *span(*hours), *ONLY)
    assert said.code == 0, said.err
    assert "Complete: 2026-11-01T00 to 2026-11-01T03 UTC, 2 stream(s)" in said.out
    for data_type in ("pushSend", "pushOpen", "rcsSend"):
        assert loaded(command, data_type, *hours) == records(sandbox, data_type, *hours)
    assert rows(command, "select count(*) > 0 from profiles.user_profiles") == [(True,)]
    assert rows(command, "select count(*) > 0 from objects.campaigns") == [(True,)]

    with dg.DagsterInstance.from_config(str(command.root / "data" / "dagster")) as instance:
        expected = {"2026-11-01T00", "2026-11-01T01", "2026-11-01T02"}
        for key in (["landing", PUSH], ["streams", PUSH], ["landing", RCS], ["streams", RCS]):
            assert instance.get_materialized_partitions(dg.AssetKey(key)) >= expected
        for key in (["objects", "campaigns"], ["profiles", "user_profiles"]):
            assert instance.get_latest_materialization_event(dg.AssetKey(key))
    assert [run.status for run in imports(command, "2026-11-01T00")] == [dg.DagsterRunStatus.SUCCESS]

    # these hours are settled: there is nothing to ask for, unless somebody wants it
    before = exports(sandbox)
    assert command("backfill", *span(*hours), *ONLY).code == 0
    assert exports(sandbox) == before
    assert command("backfill", *span(*hours), "--stream", RCS, "--refetch").code == 0
    assert exports(sandbox) == before + 2


def test_what_is_broken_is_tried_again_and_what_stayed_behind_is_named(command: Command, sandbox: Sandbox) -> None:
    hours = ("2026-11-01T10", "2026-11-01T11")
    # the client gives up after five attempts, and one hour is not asked for in halves
    sandbox.fault("status", EXPORT, match={"dataTypeName": "rcsSend"}, times=5, status=500)
    sandbox.fault("status", EXPORT, match={"dataTypeName": "pushOpen"}, times=None, status=400)
    said = command("backfill", *span(*hours), *ONLY)
    sandbox.faults.clear()

    assert said.code == 1
    assert "The backfill is not complete. What did arrive is stored and safe." in said.err
    assert f"{PUSH}, not landed, 2026-11-01T10: pushOpen" in said.err
    assert RCS not in said.err.partition("Next: ")[0]
    assert said.err.count("Next: ") == 1
    assert "Next: iterable-pipelines backfill --from 2026-11-01T10 --to 2026-11-01T11" in said.err

    # only what is broken was tried again, as a retry of the first run
    again, first = imports(command, "2026-11-01T10")
    assert again.tags["dagster/parent_run_id"] == again.tags["dagster/root_run_id"] == first.run_id
    assert planned(command, again) == {f"landing/{RCS}", f"streams/{RCS}"}
    assert loaded(command, "rcsSend", *hours) == records(sandbox, "rcsSend", *hours)

    before = exports(sandbox)
    assert command("backfill", *span(*hours), *ONLY).code == 0
    assert exports(sandbox) == before + 1
    assert loaded(command, "pushOpen", *hours) == records(sandbox, "pushOpen", *hours)


def test_a_killed_backfill_does_not_stand_in_the_way(command: Command, sandbox: Sandbox) -> None:
    hours = ("2026-11-01T15", "2026-11-01T16")
    with dg.DagsterInstance.from_config(str(prepare_home(command))) as instance:
        # what the daemon does as soon as the UI has run once: now a killed run keeps its place in the pool
        instance.event_log_storage.set_concurrency_slots("iterable", 1)
    killed = command("backfill", *span(*hours), "--stream", RCS, crash_at="downloaded")
    assert killed.code == -signal.SIGKILL
    assert command("backfill", *span(*hours), "--stream", RCS).code == 0
    assert loaded(command, "rcsSend", *hours) == records(sandbox, "rcsSend", *hours)
    done, failed = imports(command, "2026-11-01T15")
    assert (done.status, failed.status) == (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE)


def test_ctrl_c_ends_it_at_once(command: Command, sandbox: Sandbox) -> None:
    sandbox.fault("status", EXPORT, match={"dataTypeName": "rcsSendSkip"}, times=None, status=500)
    before = exports(sandbox)
    hours = ("2026-11-01T18", "2026-11-01T19")
    with command.start("backfill", *span(*hours), "--stream", RCS) as process:
        while exports(sandbox) < before + 2 and process.poll() is None:
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    sandbox.faults.clear()
    assert process.returncode == 130
    assert "What is stored is safe" in err
    assert "Traceback" not in err


def test_a_line_that_cannot_be_read_holds_up_its_data_type_until_the_loss_is_accepted(
    command: Command, sandbox: Sandbox
) -> None:
    hours = ("2026-11-01T06", "2026-11-01T07")
    whole = records(sandbox, "pushSend", *hours)
    sandbox.fault("bad_json", EXPORT, match={"dataTypeName": "pushSend"}, times=None)
    said = command("backfill", *span(*hours), "--stream", PUSH)
    sandbox.faults.clear()
    assert said.code == 1
    assert "iterable-pipelines accept pushSend 2026-11-01T06" in said.err
    assert "In quarantine: pushSend 2026-11-01T06, line" in command("status").out
    assert loaded(command, "pushSend", *hours) == 0
    assert loaded(command, "pushOpen", *hours) == records(sandbox, "pushOpen", *hours) > 0
    said = command("accept", "pushSend", "2026-11-01T06")
    assert said.code == 0, said.err
    assert "1 lines are lost" in said.out
    assert loaded(command, "pushSend", *hours) == whole - 1 > 0
    said = command("accept", "pushSend", "2026-11-01T06")
    assert said.code == 1 and "Nothing of pushSend 2026-11-01T06 waits in quarantine" in said.err


def test_hours_before_the_project_began(command: Command) -> None:
    said = command("backfill", *span("2026-10-30T22", "2026-10-31T01"), "--stream", RCS)
    assert said.code == 0, said.err
    assert "ITERABLE_START_DATE=2026-10-30T22" in said.out
    assert rows(command, "select count(distinct hour) from streams.loads where hour < '2026-11-01'") == [(3,)]
