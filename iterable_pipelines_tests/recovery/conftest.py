"""What the tests of recovery share: a sandbox, a way to run the project beside it, and the tables of a calm run."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from iterable_pipelines.hours import HOUR, parse_hour
from iterable_pipelines.sandbox import Sandbox, World, running_sandbox

START = parse_hour("2026-11-01")
EVENTS, USERS = "iterable_activity", "iterable_users"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    world = World(users=30, start=START - timedelta(days=3), end=START + 12 * HOUR)
    with running_sandbox(world=world, relaxed=True) as running:
        yield running


def environment(sandbox: Sandbox, data: Path, crash_at: str = "") -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ITERABLE_")}
    crash = {"ITERABLE_CRASH_AT": crash_at} if crash_at else {}
    return kept | crash | {
        "ITERABLE_API_KEY": sandbox.key,
        "ITERABLE_BASE_URL": sandbox.url,
        "ITERABLE_DATA_DIR": str(data),
        "ITERABLE_START_DATE": "2026-11-01",
        "ITERABLE_REQUESTS_RELAXED": "true",
    }  # fmt: skip


def process(sandbox: Sandbox, data: Path, stream: str, crash_at: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "iterable_pipelines_tests.recovery.land_and_load", stream]
    return subprocess.run(command, env=environment(sandbox, data, crash_at), capture_output=True, text=True)


def table(data: Path, stream: str) -> list[tuple]:
    columns = "user_key, record::varchar, _hour" if stream == USERS else "event_id, user_key, record::varchar, _hour"
    with duckdb.connect(data / "iterable.duckdb", read_only=True) as con:
        return con.execute(f"select {columns} from streams.{stream} order by all").fetchall()


@pytest.fixture(scope="module")
def calm(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple]]:
    data = tmp_path_factory.mktemp("calm")
    for stream in (EVENTS, USERS):
        done = process(sandbox, data, stream)
        assert done.returncode == 0, done.stderr
    return {stream: table(data, stream) for stream in (EVENTS, USERS)}
