"""Scratch folders of several containers that share a disk: ids of processes mean nothing among them."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from iterable_pipelines.landing.scratch import scratch_beside, scratch_folder, sweep

# makes a scratch folder as process 1 of its container, and is killed
_KILLED = """
import os, signal, sys
from pathlib import Path
from iterable_pipelines.landing import scratch
kill, os.getpid = os.kill, lambda: 1
with getattr(scratch, sys.argv[1])(Path(sys.argv[2])) as folder:
    (folder / "half").write_text("x")
    kill(int(os.readlink("/proc/self")), signal.SIGKILL)
"""
Makes = Callable[[Path], AbstractContextManager[Path]]


def sweep_beside(file: Path) -> None:
    with scratch_beside(file):
        pass


@pytest.mark.parametrize(("makes", "sweeps"), [(scratch_folder, sweep), (scratch_beside, sweep_beside)])
def test_another_containers_folder_is_left_alone(
    makes: Makes, sweeps: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as there:
        there.setattr(os, "getpid", lambda: 999_999_999)
        at_work = makes(tmp_path / "place")
        folder = at_work.__enter__()
    assert list(folder.iterdir()) == []
    (folder / "half").write_text("x")
    sweeps(tmp_path / "place")
    assert (folder / "half").exists()
    at_work.__exit__(None, None, None)
    assert not [each for each in tmp_path.rglob("*") if each.name not in ("place", "scratch")]


@pytest.mark.parametrize(("name", "sweeps"), [("scratch_folder", sweep), ("scratch_beside", sweep_beside)])
def test_what_a_killed_process_one_left_is_swept(name: str, sweeps: Callable[[Path], None], tmp_path: Path) -> None:
    """The first process of every container has that id, so there always seems to be one."""
    ended = subprocess.run([sys.executable, "-c", _KILLED, name, str(tmp_path / "place")], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert list(tmp_path.rglob("half"))
    sweeps(tmp_path / "place")
    assert not [each for each in tmp_path.rglob("*") if each.name not in ("place", "scratch")]
