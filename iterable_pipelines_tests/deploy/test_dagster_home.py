"""Dagster's history in PostgreSQL: recorded there, with no password on the disk, and shared by several machines."""

import socket
import subprocess
import sys

import dagster as dg
import psycopg
from dagster._core.events import EngineEventData

from iterable_pipelines.dagster_home import make_storage, prepare_home
from iterable_pipelines.ghosts import HOST, ghost_runs
from iterable_pipelines.settings import Settings
from iterable_pipelines_tests.postgres_server import PASSWORD


@dg.asset(pool="warehouse")
def stored() -> None:
    """Something to run."""


def test_runs_stand_there_and_the_password_nowhere(on_postgres: Settings, dagster_postgres: str) -> None:
    home = prepare_home(on_postgres)
    make_storage(home)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        done = dg.materialize([stored], instance=instance)
        assert done.success
        assert {each.name: each.limit for each in instance.event_log_storage.get_pool_limits()} == {
            "iterable": 4,
            "warehouse": 1,
        }
        # what somebody has changed stays
        instance.event_log_storage.set_concurrency_slots("iterable", 2)
        # what is handed to other processes names the variable
        reference = repr(instance.get_ref())
    make_storage(home)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert {each.name: each.limit for each in instance.event_log_storage.get_pool_limits()}["iterable"] == 2
    with psycopg.connect(dagster_postgres) as con:
        assert con.execute("select run_id, status from runs").fetchall() == [(done.run_id, "SUCCESS")]
    written = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    for secret in (PASSWORD, dagster_postgres.split(":")[2].partition("@")[0]):
        assert secret.encode() not in written
        assert secret not in reference
    assert not list(home.rglob("*.db"))


def test_without_it_the_home_is_as_it_was(project: Settings) -> None:
    home = prepare_home(project)
    assert (home / "dagster.yaml").read_bytes() == (project.checkout / "dagster.yaml").read_bytes()
    make_storage(home)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert instance.event_log_storage.get_pool_limits() == []


def test_runs_of_other_machines_are_no_ghosts(on_postgres: Settings) -> None:
    """Their processes are not here, and live."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()

    @dg.job
    def empty() -> None: ...

    with dg.DagsterInstance.from_config(str(prepare_home(on_postgres))) as instance:

        def started(tags: dict[str, str]) -> str:
            run = instance.create_run_for_job(empty, status=dg.DagsterRunStatus.STARTED, tags=tags)
            data = EngineEventData(metadata={"pid": dg.MetadataValue.text(str(gone.pid))})
            instance.report_engine_event("Started process for run", run, data)
            return run.run_id

        here, elsewhere, by_daemon = started({HOST: socket.gethostname()}), started({HOST: "other"}), started({})
        assert {run.run_id for run in ghost_runs(instance)} == {here}
        assert {run.run_id for run in ghost_runs(instance, beside_code_server=True)} == {here, by_daemon}
        assert elsewhere not in {run.run_id for run in ghost_runs(instance, beside_code_server=True)}
