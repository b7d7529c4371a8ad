"""The dbt of the tests ends as dbt would: with its code and its words, and by the signals that it is sent."""

import os
import select
import signal
import subprocess
from pathlib import Path

import pytest

from iterable_pipelines.profiles.dbt import dbt_executable


def environment(folder: Path) -> dict[str, str]:
    told = {
        "DBT_PROJECT_DIR": folder,
        "DBT_PROFILES_DIR": folder,
        "DBT_TARGET_PATH": folder / "target",
        "DBT_LOG_PATH": folder / "logs",
    }
    return os.environ | {name: str(path) for name, path in told.items()}


def test_what_is_wrong_is_said_and_in_the_code(tmp_path: Path) -> None:
    done = subprocess.run(
        [dbt_executable(), "parse"], cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "No dbt_project.yml found" in done.stdout + done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_killed_one_is_gone(tmp_path: Path, number: signal.Signals) -> None:
    # it reads until somebody has written the whole file
    os.mkfifo(tmp_path / "dbt_project.yml")
    with subprocess.Popen([dbt_executable(), "--quiet", "parse"], cwd=tmp_path, env=environment(tmp_path)) as process:
        written = os.open(tmp_path / "dbt_project.yml", os.O_WRONLY)
        process.send_signal(number)
    assert process.returncode == -number
    gone = select.poll()
    gone.register(written, 0)
    assert gone.poll(60_000) == [(written, select.POLLERR)]
    os.close(written)
