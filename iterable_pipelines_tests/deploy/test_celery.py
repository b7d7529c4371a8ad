"""A Celery worker and a Dagster instance in PostgreSQL do an hour of every stream, and give the rows of one process."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from dagster._core.definitions.reconstruct import ReconstructableRepository

from iterable_pipelines.celery_workers import app_of_workers, workers_at
from iterable_pipelines.cli.runs import Runs
from iterable_pipelines.dagster_home import make_storage, prepare_home
from iterable_pipelines.data_types import STREAMS
from iterable_pipelines.hours import parse_hour
from iterable_pipelines.sandbox import Sandbox, running_sandbox
from iterable_pipelines.settings import Settings, load_settings
from iterable_pipelines_tests.deploy.redis_server import running_redis
from iterable_pipelines_tests.postgres_server import Server

HOUR, START = "2026-11-02T10", "2026-11-02T08"
# of every stream; all of them would only take longer
DATA_TYPES = (
    "user,emailSend,emailOpen,pushSend,smsSend,inAppSend,webPushSend,embeddedSend,whatsAppSend,rcsSend,customEvent,"
    "purchase,journeyExit"
)
_PATIENCE_SECONDS = 120
# what differs from run to run: when a row was loaded or built, and by which load
_OF_THE_RUN = ("_loaded_at", "_load_id", "loaded_at", "finished_at", "made_at", "fetched_at", "run_id")
# it has a row for every hour that has passed, and one may pass between two runs
_GROWS_BY_ITSELF = {"streams.completeness": f"hour <= strptime('{HOUR}', '%Y-%m-%dT%H')"}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Few people, whose world stands still."""
    with running_sandbox(users=12, start=parse_hour("2026-11-01"), end=parse_hour("2026-11-03"), relaxed=True) as made:
        yield made


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    with running_redis() as url:
        yield url


def project(folder: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, **settings: str) -> Settings:
    """The settings of an empty project in `folder`, in the environment of this process and of those it starts."""
    given = {
        "project_root": str(folder),
        "api_key": sandbox.key,
        "base_url": sandbox.url,
        "requests_relaxed": "true",
        "start_date": START,
        "data_types": DATA_TYPES,
        "memory_limit": "500MB",
    }
    for name in [name for name in os.environ if name.startswith(("ITERABLE_", "DAGSTER_"))]:
        monkeypatch.delenv(name)
    folder.mkdir()
    for name, value in (given | settings).items():
        monkeypatch.setenv(f"ITERABLE_{name.upper()}", value)
    loaded = load_settings()
    monkeypatch.setenv("DAGSTER_HOME", str(loaded.dagster_home))
    return loaded


@pytest.fixture
def elsewhere(
    tmp_path: Path, sandbox: Sandbox, broker: str, postgres: Server, monkeypatch: pytest.MonkeyPatch, only_models: None
) -> Iterator[Settings]:
    """A project whose steps are for Celery workers, and whose history is in PostgreSQL."""
    with postgres.database("dagster_with_workers") as url:
        yield project(
            tmp_path / "elsewhere",
            sandbox,
            monkeypatch,
            executor="celery",
            celery_broker=broker,
            dagster_postgres=url,
        )


@contextmanager
def running_worker(elsewhere: Settings, broker: str) -> Iterator[None]:
    """A worker that does one step at a time."""
    command = [sys.executable, "-m", "iterable_pipelines.cli", "worker", "--concurrency", "1"]
    # it logs every event: a pipe that nobody reads would stop it
    with (elsewhere.project_root / "worker.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=elsewhere.project_root, stdout=log, stderr=log)
    try:
        app, deadline = app_of_workers(broker, broker), time.monotonic() + _PATIENCE_SECONDS
        while not workers_at(app):
            assert process.poll() is None and time.monotonic() < deadline, "no worker comes up"
        yield
    finally:
        process.terminate()
        process.wait(timeout=60)


def run(instance: dg.DagsterInstance, job: str, **tags: str) -> dg.DagsterRun:
    """A run as the daemon starts one, its own process being this one; as it stands in the storage when it has ended."""
    repository = ReconstructableRepository.for_module("iterable_pipelines.definitions", "defs")
    reconstructable = repository.get_reconstructable_job(job)
    with dg.execute_job(reconstructable, instance, tags={f"dagster/{name}": tag for name, tag in tags.items()}) as done:
        stored = instance.get_run_by_id(done.run_id)
    assert stored is not None
    return stored


def said(instance: dg.DagsterInstance, run: dg.DagsterRun, kind: dg.DagsterEventType) -> list[dg.EventLogEntry]:
    """What the run noted of one kind."""
    return list(instance.all_logs(run.run_id, of_type=kind))


def tables(settings: Settings) -> dict[str, set[tuple[object, ...]]]:
    """The rows of every table of the streams, profiles and marts."""
    with duckdb.connect(str(settings.warehouse_path), read_only=True) as con:
        found = con.execute(
            "select table_schema || '.' || table_name, "
            f"list('\"' || column_name || '\"') filter (column_name not in {_OF_THE_RUN}) "
            "from information_schema.columns where table_schema in ('streams', 'profiles', 'marts') group by 1"
        ).fetchall()
        return {
            table: set(
                con.execute(
                    f"select md5(({', '.join(sorted(columns))})::varchar), count(*) from {table} "
                    f"where {_GROWS_BY_ITSELF.get(table, 'true')} group by 1"
                ).fetchall()
            )
            for table, columns in found
            if columns
        }


def test_workers_give_the_rows_of_one_process(
    elsewhere: Settings, broker: str, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = prepare_home(elsewhere)
    make_storage(home)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        # it would wait for ever, and hear no signal
        refused = run(instance, "hourly_import", partition=HOUR)
        assert refused.status == dg.DagsterRunStatus.FAILURE
        (failed,) = said(instance, refused, dg.DagsterEventType.RUN_FAILURE)
        assert "No Celery worker takes steps" in str(failed.dagster_event)
        assert said(instance, refused, dg.DagsterEventType.STEP_START) == []
        with running_worker(elsewhere, broker):
            done = [run(instance, "hourly_import", partition=HOUR), run(instance, "profiles_build")]
        assert [each.status for each in done] == [dg.DagsterRunStatus.SUCCESS] * 2
        begun = [entry for each in done for entry in said(instance, each, dg.DagsterEventType.STEP_START)]
        by_worker = [
            entry
            for each in done
            for entry in said(instance, each, dg.DagsterEventType.ENGINE_EVENT)
            if "in celery worker" in entry.message
        ]
        assert len(begun) == 3 * len(STREAMS) + 1
        assert {entry.step_key for entry in by_worker} == {entry.step_key for entry in begun}
    by_workers = tables(elsewhere)
    here = project(tmp_path / "here", sandbox, monkeypatch)
    with Runs(here) as runs:
        assert not runs.run("hourly_import", tags={"dagster/partition": HOUR}).failed
        assert not runs.run("profiles_build").failed
    expected = tables(here)
    assert by_workers.keys() == expected.keys()
    assert [name for name in expected if by_workers[name] != expected[name]] == []
    assert sum(map(len, expected.values())) > 100
