"""Two machines share landing on S3 and tables in PostgreSQL: limits hold over both, and one finishes what another left.

A machine is a process with a data folder of its own. The limits are Iterable's, at a pace: a minute lasts 1.2 seconds.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from iterable_pipelines.data_types import STREAM
from iterable_pipelines.landing import Manifest
from iterable_pipelines.sandbox import Sandbox, World, running_sandbox
from iterable_pipelines.settings import Settings
from iterable_pipelines_tests.postgres_server import Server
from iterable_pipelines_tests.recovery.conftest import EVENTS, HOUR, START, USERS, environment, table, timedelta
from iterable_pipelines_tests.recovery.share_the_work import PACE, SCALED
from iterable_pipelines_tests.s3_server import ENVIRONMENT, running_s3

SMS = "iterable_sms_activity"
ALL = (SMS, USERS, EVENTS)
LIMIT = SCALED["export"]


def worker(sandbox: Sandbox, data: Path, run_id: str, streams: tuple[str, ...], **shared: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "iterable_pipelines_tests.recovery.share_the_work", run_id, *streams]
    told = environment(sandbox, data) | {"ITERABLE_REQUESTS_RELAXED": "false"} | shared
    return subprocess.Popen(command, env=told, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)


def finish(process: subprocess.Popen[str]) -> None:
    errors = process.communicate(timeout=300)[1]
    assert process.returncode == 0, errors


def exports(sandbox: Sandbox, stream: str) -> int:
    return sum(
        dict(each.params)["dataTypeName"] in STREAM[stream].data_types for each in sandbox.requests("/api/export")
    )


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_two_machines_and_one_is_killed(postgres: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(users=30, start=START - timedelta(days=3), end=START + 12 * HOUR)
    with running_sandbox(world=world, pace=PACE) as sandbox, running_s3() as s3, postgres.database("machines") as url:
        finish(worker(sandbox, tmp_path / "alone", "alone", ALL))
        calm = {stream: table(tmp_path / "alone", stream) for stream in ALL}
        alone = len(sandbox.requests("/api/export"))
        time.sleep(LIMIT.seconds)
        sandbox.log.clear()

        shared = ENVIRONMENT | {
            "ITERABLE_LANDING": f"{s3.bucket('machines')}/landing",
            "ITERABLE_LANDING_OPTIONS": json.dumps(s3.options),
            "ITERABLE_POSTGRES": url,
        }
        one = worker(sandbox, tmp_path / "one", "one", (EVENTS,), **shared)
        other = worker(sandbox, tmp_path / "other", "other", (SMS, USERS), **shared)
        wait_until(lambda: exports(sandbox, EVENTS) >= 3)
        one.send_signal(signal.SIGKILL)
        one.communicate()
        assert one.returncode == -signal.SIGKILL
        finish(other)
        # it has done its share, and looks for what else there is
        finish(worker(sandbox, tmp_path / "other", "other", ALL, **shared))
        asked = sandbox.requests("/api/export")

        for name, value in ENVIRONMENT.items():
            monkeypatch.setenv(name, value)
        settings = Settings(
            base_url=sandbox.url,
            data_dir=tmp_path / "reader",
            landing=shared["ITERABLE_LANDING"],
            landing_options=shared["ITERABLE_LANDING_OPTIONS"],
            postgres=url,
        )
        by_one = [name for name in STREAM[EVENTS].data_types if Manifest.of(settings).landed_by("one", name)]
        by_other = [name for name in STREAM[EVENTS].data_types if Manifest.of(settings).landed_by("other", name)]

    assert {stream: table(tmp_path / "other", stream) for stream in ALL} == calm
    assert all(len(rows) > 5 for rows in calm.values())
    # the killed one's work stays, and is not done twice, but for what it was at
    assert by_one and by_other and not set(by_one) & set(by_other)
    assert sorted({*by_one, *by_other}) == sorted(STREAM[EVENTS].data_types)
    assert alone <= len(asked) <= alone + 2
    assert {each.status for each in asked} == {200}
    times = sorted(each.monotonic for each in asked)
    assert min(last - first for first, last in zip(times, times[LIMIT.calls :], strict=False)) >= LIMIT.seconds
    assert not list((tmp_path / "other" / "landing").rglob("*.parquet")), "copies stayed"
    assert os.listdir(tmp_path / "other" / "landing" / "scratch") == []
