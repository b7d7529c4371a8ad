"""Runs the command line as a person would: a process of its own, its environment only what the test says."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest

from iterable_pipelines.cli import main


@dataclass(frozen=True)
class Said:
    """What a command left behind."""

    code: int
    out: str
    err: str


CHECKOUT = Path(__file__).resolve().parents[2]


class Command:
    """`iterable-pipelines` in the project folder `root`, where no `.env` of the developer's can reach it."""

    def __init__(self, root: Path, **settings: str) -> None:
        """`settings` become ITERABLE_ variables: api_key="sandbox"."""
        self.root = root
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("ITERABLE_", "DAGSTER_"))
        }
        self.environment |= {"ITERABLE_PROJECT_ROOT": str(root), "ITERABLE_MEMORY_LIMIT": "500MB"}
        self.environment |= {f"ITERABLE_{name.upper()}": value for name, value in settings.items()}

    @contextmanager
    def start(self, *arguments: str, **settings: str) -> Iterator[subprocess.Popen[str]]:
        """The running process; it does not outlive the block, however that ends."""
        process = subprocess.Popen(
            [sys.executable, "-m", "iterable_pipelines.cli", *arguments],
            env=self.environment | {f"ITERABLE_{name.upper()}": value for name, value in settings.items()},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.root,
        )
        with process:
            try:
                yield process
            except BaseException:
                process.kill()
                raise

    def __call__(self, *arguments: str, **settings: str) -> Said:
        """Run to the end. Whatever it was, it must not end in a traceback or show the key."""
        with self.start(*arguments, **settings) as process:
            out, err = process.communicate(timeout=600)
        said = Said(process.returncode, out, err)
        assert "Traceback" not in out + err, err
        return said


class CommandHere(Command):
    """The same in this process: quicker, where the process is not what a test is about; `start` starts one."""

    def __init__(
        self, root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], **settings: str
    ) -> None:
        super().__init__(root, **settings)
        self._monkeypatch, self._capfd = monkeypatch, capfd

    def __call__(self, *arguments: str, **settings: str) -> Said:
        """Run to the end, as the process would; in a process, if it is to be killed at a point."""
        if "crash_at" in settings:
            return super().__call__(*arguments, **settings)
        given = self.environment | {f"ITERABLE_{name.upper()}": value for name, value in settings.items()}
        code = 0
        with (
            self._monkeypatch.context() as patch,
            # what a command sets for Dagster and dbt goes with it
            mock.patch.dict(os.environ, given, clear=True),
            # as a process has them, where `quiet` silences both: pytest's own write past it
            open(1, "w", encoding="utf-8", closefd=False) as stdout,
            open(2, "w", encoding="utf-8", closefd=False) as stderr,
        ):
            patch.chdir(self.root)
            patch.setattr(sys, "stdout", stdout)
            patch.setattr(sys, "stderr", stderr)
            self._capfd.readouterr()
            try:
                main(arguments)
            except SystemExit as left:
                code = left.code if isinstance(left.code, int) else 0
        out, err = self._capfd.readouterr()
        assert "Traceback" not in out + err, err
        return Said(code, out, err)
