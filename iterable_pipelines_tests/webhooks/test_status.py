"""`status` tells of webhooks where there are any."""

import pytest

from iterable_pipelines.hours import HOUR
from iterable_pipelines.landing import Manifest
from iterable_pipelines.settings import Settings
from iterable_pipelines_tests.cli.command import Command, CommandHere
from iterable_pipelines_tests.webhooks.world import START, at, body, move, receive, spool_of


@pytest.fixture
def command(project: Settings, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    project.data_dir.mkdir(parents=True)
    settings = {"api_key": "sandbox", "data_dir": str(project.data_dir), "start_date": "2026-11-01"}
    return CommandHere(project.data_dir, monkeypatch, capfd, **settings)


def test_who_receives_none_is_told_of_none(command: Command) -> None:
    assert "ebhook" not in command("status").out


def test_when_the_last_came_and_what_waits(command: Command, project: Settings, manifest: Manifest) -> None:
    spool = spool_of(project)
    assert "Webhooks: none received yet, 0 queued, 0 put aside" in command("status").out
    receive(project, [body("emailOpen", at(1))], START + 2 * HOUR)
    move(project, manifest)
    assert "Webhooks: last received 2026-11-01 02:00:00 UTC, 0 queued, 0 put aside" in command("status").out
    receive(project, [body("emailOpen", at(2)), b"{"], START + 3 * HOUR)
    assert spool.level().queued == 1
    assert "Webhooks: last received 2026-11-01 03:00:00 UTC, 1 queued, 1 put aside" in command("status").out
