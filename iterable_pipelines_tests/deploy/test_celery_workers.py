"""Celery workers take what they can begin, and Redis hands nothing out twice while its run may still be alive."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import redis
import yaml
from celery import Celery
from dagster._core.definitions.job_base import InMemoryJob
from dagster_celery.executor import CeleryExecutor
from dagster_celery.make_app import make_app

from iterable_pipelines.automation import SYNC_SECONDS
from iterable_pipelines.celery_workers import app_of_workers, executor_of_workers
from iterable_pipelines_tests.deploy.redis_server import running_redis

ROOT = Path(__file__).resolve().parents[2]
_PATIENCE_SECONDS = 60
WORKER = """
import sys, time
from iterable_pipelines.automation import SYNC_SECONDS
from iterable_pipelines.celery_workers import app_of_workers
app = app_of_workers(sys.argv[1], sys.argv[1])
@app.task(name="wait")
def wait():
    open(sys.argv[2], "a").write("begun ")
    time.sleep(600)
app.worker_main(["worker", "--loglevel=WARNING", "--concurrency=2", "--pool=threads"])
"""


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    with running_redis() as url:
        yield url


def test_what_cannot_begin_stays_in_the_queue(broker: str, tmp_path: Path) -> None:
    app, begun = app_of_workers(broker, broker), tmp_path / "begun"
    for _ in range(5):
        app.send_task("wait", queue="dagster")
    worker = subprocess.Popen([sys.executable, "-c", WORKER, broker, begun], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not begun.exists() or begun.read_text().split() != ["begun"] * 2:
            assert worker.poll() is None and time.monotonic() < deadline, "nothing is begun"
            time.sleep(0.05)
        # long enough for what would be taken in advance
        time.sleep(2)
        with redis.Redis.from_url(broker) as client:
            waiting = sum(client.llen(each) for each in client.scan_iter("dagster*", _type="list"))
            assert (waiting, client.hlen("unacked")) == (3, 0)
    finally:
        worker.kill()
        worker.wait()


def test_redis_waits_longer_than_any_run_takes(broker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ceiling = yaml.safe_load((ROOT / "dagster.yaml").read_text())["run_monitoring"]["max_runtime_seconds"]
    longest = max(float(ceiling), SYNC_SECONDS)
    for app in (app_of_workers(broker, broker), app_of_a_run(broker, monkeypatch)):
        with app.connection_for_read() as connection:
            assert connection.default_channel.visibility_timeout > longest
            # what Dagster sets stays
            assert app.conf.broker_transport_options["max_retries"] == 3


def app_of_a_run(broker: str, monkeypatch: pytest.MonkeyPatch) -> Celery:
    """The app with which a run hands out steps, and asks for workers."""
    for name in ("BROKER", "BACKEND"):
        monkeypatch.setenv(f"ITERABLE_CELERY_{name}", broker)

    @dg.job(executor_def=executor_of_workers)
    def empty() -> None: ...

    create = executor_of_workers.executor_creation_fn
    assert create is not None
    config = {"broker": broker, "backend": broker, "retries": {"enabled": {}}}
    context = dg.InitExecutorContext(
        job=InMemoryJob(empty),
        executor_def=executor_of_workers,
        executor_config=config,
        instance=dg.DagsterInstance.ephemeral(),
    )
    executor = create(context)
    assert isinstance(executor, CeleryExecutor)
    app: Celery = make_app(executor.app_args())  # type: ignore[no-untyped-call]
    return app
