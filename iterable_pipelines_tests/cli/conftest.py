"""What the tests of the command line share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from iterable_pipelines.hours import parse_hour
from iterable_pipelines.sandbox import running_sandbox
from iterable_pipelines.sandbox.server import Sandbox
from iterable_pipelines_tests.cli.command import CommandHere


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """A world that stands still, so that a later question has the same answer."""
    with running_sandbox(
        users=40, start=parse_hour("2026-10-25"), end=parse_hour("2026-11-03"), relaxed=True
    ) as running:
        yield running


@pytest.fixture
def command(
    tmp_path: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> CommandHere:
    """The command line of an empty project on the sandbox."""
    return CommandHere(
        tmp_path,
        monkeypatch,
        capfd,
        api_key=sandbox.key,
        base_url=sandbox.url,
        requests_relaxed="true",
        start_date="2026-11-01",
    )
