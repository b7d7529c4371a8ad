"""`track-calls`: what would be sent, what was, and what is said of destinations that are wrong or not there."""

import json
import shutil
from pathlib import Path

import pytest

from iterable_pipelines.hours import parse_hour
from iterable_pipelines.landing import Manifest
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse, load_hours
from iterable_pipelines_tests.cli.command import CHECKOUT, CommandHere
from iterable_pipelines_tests.landing_by_hand import land

HOUR = parse_hour("2026-11-01T03")
EVENTS = {"emailOpen": 5, "emailClick": 2, "emailSendSkip": 1}


@pytest.fixture
def declared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> CommandHere:
    """A project with some events and the documented destination; Iterable is not asked."""
    settings = Settings(project_root=tmp_path, data_dir=tmp_path / "data", start_date=HOUR)
    warehouse, manifest = Warehouse.of(settings), Manifest(settings.landing_dir)
    warehouse.prepare()
    for data_type, number in EVENTS.items():
        records = [
            {"createdAt": f"2026-11-01 03:{n:02}:00 +00:00", "email": f"ada{n}@example.com"} for n in range(number)
        ]
        land(settings, manifest, data_type, HOUR, records)
    load_hours(warehouse, manifest, settings, "iterable_activity", [HOUR], "run", log=lambda text: None)
    (tmp_path / "track_calls").mkdir()
    shutil.copy(CHECKOUT / "docs" / "track-calls-example.yml", tmp_path / "track_calls" / "messages.yml")
    return CommandHere(
        tmp_path, monkeypatch, capfd, api_key="sandbox", base_url="http://127.0.0.1:9",
        data_dir=str(tmp_path / "data"), start_date="2026-11-01",
    )  # fmt: skip


def test_looked_at_and_then_sent(declared: CommandHere) -> None:
    said = declared("track-calls", "messages", "--dry-run", "--show", "2")
    assert said.code == 0, said.err
    assert "7 calls, 0 that nobody would take, 0 waiting from before; nothing was sent" in said.out
    assert "Email Opened" in said.out and "Email Send Skip" not in said.out
    shown = [json.loads(line) for line in said.out.splitlines() if line.startswith("{")]
    assert [each["timestamp"][14:16] for each in shown] == ["04", "03"]
    assert not (declared.root / "out").exists()
    said = declared("track-calls", "messages")
    assert said.code == 0, said.err
    assert "messages: 7 sent, 0 rejected" in said.out
    (file,) = (declared.root / "out" / "track_calls").glob("*.ndjson")
    assert len(file.read_text().splitlines()) == 7
    said = declared("track-calls", "--all")
    assert said.code == 0 and "messages: 0 sent, 0 rejected" in said.out
    for each in (declared.root / "data" / "dagster").rglob("*"):
        assert not each.is_file() or b"@example.com" not in each.read_bytes(), f"somebody's address is in {each}"


def test_what_was_rejected_is_told_with_the_reason(declared: CommandHere) -> None:
    settings = Settings(project_root=declared.root, start_date=HOUR)
    land(settings, Manifest(settings.landing_dir), "emailOpen", HOUR, [{"createdAt": "2026-11-01 03:07:00 +00:00"}])
    load_hours(
        Warehouse.of(settings), Manifest(settings.landing_dir), settings, "iterable_activity", [HOUR], "run",
        log=lambda text: None,
    )  # fmt: skip
    assert "1 rejected" in declared("track-calls", "messages").out
    said = declared("track-calls", "messages", "--dry-run")
    assert "rejected so far" in said.out and "Email Opened" in said.out


def test_what_cannot_be_done_is_said(declared: CommandHere) -> None:
    said = declared("track-calls")
    assert said.code == 2 and "name destinations, or --all; there are messages" in said.err
    said = declared("track-calls", "mesages")
    assert said.code == 2 and "'mesages' is no destination of" in said.err and "did you mean messages?" in said.err
    said = declared("track-calls", "messages", "--show", "1")
    assert said.code == 2 and "--show goes with --dry-run" in said.err
    file = declared.root / "track_calls" / "messages.yml"
    file.write_text("to: {url_env: SEGMENT_URL}\n")
    said = declared("track-calls", "messages", "--dry-run")
    assert said.code == 0 and "since: now begins with the first run" in said.out
    said = declared("track-calls", "messages")
    assert said.code == 1 and "SEGMENT_URL is not set, so nothing was sent" in said.err
    file.write_text("to: {folder: out}\nenabled: false\n")
    said = declared("track-calls", "messages")
    assert said.code == 2 and "messages is switched off" in said.err
    said = declared("track-calls", "--all")
    assert said.code == 0 and "There is no destination" in said.out
    file.write_text("to: {folder: out}\nevent: [emailOpen]\n")
    said = declared("track-calls", "--all")
    assert said.code == 1 and "track_calls/messages.yml, line 2, event: no such field, did you mean events?" in said.err
