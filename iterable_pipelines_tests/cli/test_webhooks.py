"""`webhooks`: what it says when it cannot start, and of the spool."""

import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest

from iterable_pipelines.webhooks.body import read_body
from iterable_pipelines.webhooks.spool import Spool
from iterable_pipelines_tests.cli.command import CommandHere

TOKEN = "a-token-of-the-tests"
AT = datetime(2026, 11, 1, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> CommandHere:
    return CommandHere(tmp_path, monkeypatch, capfd)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    """A spool with an event, and two bodies put aside."""
    made = Spool(tmp_path / "data" / "webhooks" / "spool.db")
    made.add([(read_body(each), AT) for each in (b'{"eventName": "emailOpen"}', b"no [json] of a@example.com", b"17")])
    return made


def test_without_a_token_it_does_not_start_and_says_how_to_make_one(command: CommandHere) -> None:
    refused = command("webhooks", "--port", "0")
    assert refused.code == 1
    assert "ITERABLE_WEBHOOK_TOKEN is not set" in refused.err
    assert "openssl rand -hex 32" in refused.err
    assert ".env" in refused.err


def test_a_short_token_is_refused_and_not_shown(command: CommandHere) -> None:
    refused = command("webhooks", "--port", "0", webhook_token="fifteen-signs-x")
    assert refused.code == 1
    assert "ITERABLE_WEBHOOK_TOKEN in the environment: a token needs 16 characters" in refused.err
    assert "fifteen-signs-x" not in refused.err + refused.out


def test_a_port_that_is_taken_is_named(command: CommandHere) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = command("webhooks", "--port", port, webhook_token=TOKEN)
    assert refused.code == 1
    assert f"Port {port} of 127.0.0.1 cannot be listened on" in refused.err
    assert TOKEN not in refused.err + refused.out


def test_an_address_of_no_machine_is_named(command: CommandHere) -> None:
    refused = command("webhooks", "--host", "no.such.host.invalid", webhook_token=TOKEN)
    assert refused.code == 1
    assert "of no.such.host.invalid cannot be listened on" in refused.err


@pytest.mark.parametrize("name", ["spool", "replay"])
def test_where_nothing_was_received_there_is_no_spool(command: CommandHere, tmp_path: Path, name: str) -> None:
    said = command("webhooks", name)
    assert said.code == 1
    assert "No webhook was received yet" in said.err
    assert not (tmp_path / "data" / "webhooks").exists()


def test_the_spool_is_shown_without_a_body(command: CommandHere, spool: Spool) -> None:
    shown = command("webhooks", "spool")
    assert shown.code == 0
    assert "1 bodies wait to be landed, 2 were put aside" in shown.out
    assert "The oldest that waits came at 2026-11-01 03:04:05 UTC" in shown.out
    assert "not JSON (Expecting value)" in shown.out and "not a JSON object" in shown.out
    assert "example.com" not in shown.out + shown.err


def test_a_replay_puts_everything_back_and_counts_it(command: CommandHere, spool: Spool) -> None:
    assert "2 bodies are in the queue again" in command("webhooks", "replay").out
    assert spool.level().queued == 3
    assert "None was put aside" in command("webhooks", "replay").out
