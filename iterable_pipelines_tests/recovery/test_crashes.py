"""Killed at any named step, the next attempt leaves the tables of a run that was never killed."""

import subprocess
import sys
from pathlib import Path

import pytest

from iterable_pipelines.sandbox import Sandbox
from iterable_pipelines_tests.recovery.conftest import EVENTS, USERS, environment, process, table

STEPS = ["downloaded", "verified", "cut", "manifest_written", "before_commit", "after_commit"]
KILLED = -9


def backfill(sandbox: Sandbox, data: Path, crash_at: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "iterable_pipelines.cli", "backfill"]
    command += ["--from", "2026-11-01T00", "--to", "2026-11-01T06", "--stream", EVENTS]
    return subprocess.run(command, env=environment(sandbox, data, crash_at), capture_output=True, text=True)


@pytest.mark.parametrize("stream", [EVENTS, USERS])
@pytest.mark.parametrize("step", STEPS)
def test_a_killed_process(
    sandbox: Sandbox, calm: dict[str, list[tuple]], tmp_path: Path, step: str, stream: str
) -> None:
    killed = process(sandbox, tmp_path, stream, crash_at=step)
    assert killed.returncode == KILLED, killed.stderr
    assert f"crashpoint {step}" in killed.stderr
    asked = len(sandbox.requests("/api/export"))
    assert process(sandbox, tmp_path, stream).returncode == 0
    assert table(tmp_path, stream) == calm[stream]
    assert len(calm[stream]) > 10
    assert list((tmp_path / "landing" / "scratch").iterdir()) == []
    if step in ("before_commit", "after_commit"):
        assert len(sandbox.requests("/api/export")) == asked, "what had landed was downloaded again"


def test_a_run_of_dagster_that_is_killed_at_one_step_after_the_other(
    sandbox: Sandbox, calm: dict[str, list[tuple]], tmp_path: Path, only_models: None
) -> None:
    # each attempt finds what the one before has left, and gets one step further
    for step in STEPS:
        killed = backfill(sandbox, tmp_path, crash_at=step)
        assert killed.returncode == KILLED, killed.stdout + killed.stderr
    again = backfill(sandbox, tmp_path)
    assert again.returncode == 0, again.stdout + again.stderr
    assert table(tmp_path, EVENTS) == calm[EVENTS]
