"""`erase`: run, person, show and scan, as a person types them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from iterable_pipelines.hours import parse_hour
from iterable_pipelines.landing import Manifest
from iterable_pipelines.sandbox import running_sandbox
from iterable_pipelines.sandbox.server import Sandbox
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse
from iterable_pipelines_tests.cli.command import CommandHere
from iterable_pipelines_tests.erasure.people import ADA, ADA_BEFORE, ADA_ID, import_people


@pytest.fixture(scope="module")
def lists() -> Iterator[Sandbox]:
    world = {"users": 5, "start": parse_hour("2026-11-01"), "end": parse_hour("2026-11-02")}
    with running_sandbox(**world, relaxed=True) as sandbox:
        yield sandbox


@pytest.fixture
def command(
    tmp_path: Path, lists: Sandbox, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> CommandHere:
    """A project with Ada in it."""
    project = Settings(data_dir=tmp_path / "data", start_date=parse_hour("2026-11-01"))
    warehouse = Warehouse.of(project)
    warehouse.prepare()
    import_people(project, Manifest(project.landing_dir), warehouse)
    settings = {"api_key": lists.key, "base_url": lists.url, "requests_relaxed": "true", "start_date": "2026-11-01"}
    return CommandHere(tmp_path, monkeypatch, capfd, **settings)


def test_somebody_who_asked_is_erased_and_shown_by_number_only(command: CommandHere) -> None:
    asked = command("erase", "person", "--email", ADA)
    assert (asked.code, "Nothing was changed" in asked.err) == (1, True)
    found = command("erase", "scan", "--email", ADA_BEFORE)
    assert (found.code, "iterable.duckdb" in found.err) == (1, True)
    erased = command("erase", "person", "--email", ADA, "--yes")
    assert (erased.code, "1 people" in erased.out) == (0, True), erased.err
    assert "Not in any of" in command("erase", "scan", "--email", ADA_BEFORE, "--user-id", ADA_ID).out
    assert command("erase", "scan").code == 0
    shown = command("erase", "show")
    assert "nothing" in shown.out and "identifiers must not come back" in shown.out
    assert ADA not in erased.out + erased.err + shown.out + command("erase", "show", "--json").out


def test_whom_iterable_forgot_is_erased(command: CommandHere, lists: Sandbox) -> None:
    lists.world.written.forgotten_emails[ADA] = None
    assert command("erase", "run").code == 0
    assert command("erase", "scan", "--email", ADA_BEFORE).code == 0
    lists.world.written.forgotten_emails.clear()
    refused = command("erase", "run")
    assert (refused.code, "--approve lift" in refused.err) == (1, True)
    assert command("erase", "run", "--approve", "everything").code == 2
    assert command("erase", "run", "--approve", "lift").code == 0
    assert command("erase", "person").code == 2


def test_whoever_waits_to_be_forgotten_is_found_in_the_queue(command: CommandHere) -> None:
    assert command("erase", "request", "--email", "new@x.example").code == 0
    found = command("erase", "scan", "--email", "new@x.example")
    assert (found.code, "requests.sqlite" in found.err, "erase send" in found.err) == (1, True, True)
