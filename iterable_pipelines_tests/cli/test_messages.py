"""Whatever is wrong: one clear message, the right exit code, nothing started."""

import errno
import socket
import sqlite3
from pathlib import Path

import duckdb
import pytest

from iterable_pipelines.cli.app import trouble_of_the_disk
from iterable_pipelines.sandbox.server import Sandbox
from iterable_pipelines_tests.cli.command import Command

SPAN = ("--from", "2026-11-01T00", "--to", "2026-11-01T02")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("backfill", "--from", "2026-13-01", "--to", "2026-11-02"),
            "'2026-13-01' is not an hour: write 2026-11-01T03",
        ),
        (("plan", "--from", "yesterday", "--to", "2026-11-02"), "'yesterday' is not an hour"),
        (("backfill", "--from", "2026-11-02", "--to", "2026-11-01"), "must be later than --from 2026-11-02T00"),
        (("backfill", "--from", "2026-11-02", "--to", "2026-11-02"), "the end, and not included"),
        (("backfill", "--from", "2026-11-02", "--to", "2090-01-01"), "lies in the future"),
        (("backfill", *SPAN, "--stream", "iterable_push"), "did you mean iterable_push_activity?"),
        (("backfill", *SPAN, "--stream", "nonsense"), "there are iterable_users"),
        (("backfill", "--from", "2026-11-01"), "Missing option '--to'"),
        (("profile",), "Missing argument 'email'"),
        (("backfil",), "No such command 'backfil'"),
        (("sandbox", "--port", "high"), "valid integer"),
    ],
)
def test_a_command_that_is_misspelt(command: Command, arguments: tuple[str, ...], message: str) -> None:
    said = command(*arguments)
    assert said.code == 2
    assert message in said.err
    assert said.err.count("Error: ") == 1
    assert not (command.root / "data").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"data_types": "emailOpne"}, "did you mean emailOpen?"),
        ({"region": "ue"}, "ITERABLE_REGION"),
        ({"start_date": "2026-02-30"}, "ITERABLE_START_DATE"),
        ({"base_url": "http://api.iterable.com"}, "https"),
        ({"apikey": "x"}, "did you mean ITERABLE_API_KEY?"),
        ({"skip_users": "true", "skip_activity": "true"}, "nothing is left to import"),
    ],
)
@pytest.mark.parametrize("arguments", [("check",), ("backfill", *SPAN), ("demo",)])
def test_a_setting_that_is_wrong(
    command: Command, arguments: tuple[str, ...], settings: dict[str, str], message: str
) -> None:
    said = command(*arguments, **settings)
    assert said.code == 1
    assert message in said.err
    assert "Next: " in said.err
    # a wrong setting is one line, not a second one about a default that could not be made
    assert "A setting is wrong" in said.err
    assert not (command.root / "data").exists()


def test_a_stream_that_is_off(command: Command) -> None:
    said = command("backfill", *SPAN, "--stream", "iterable_users", skip_users="true")
    assert said.code == 2
    assert "the stream iterable_users is off" in said.err


def test_no_key(command: Command) -> None:
    said = command("backfill", *SPAN, api_key="")
    assert said.code == 1
    assert "ITERABLE_API_KEY is not set" in said.err


@pytest.mark.parametrize(
    ("key", "message"),
    [("0123456789abcdef0123456789abcdef", "The key is not valid"), ("sandbox-read-only", "may not export")],
)
@pytest.mark.parametrize("arguments", [("check",), ("backfill", *SPAN)])
def test_a_key_that_is_wrong(
    command: Command, sandbox: Sandbox, arguments: tuple[str, ...], key: str, message: str
) -> None:
    asked = len(sandbox.requests("/api/"))
    said = command(*arguments, api_key=key)
    assert said.code == 1
    assert message in said.err
    assert key not in said.out + said.err
    # asking on with a wrong key earns refusals for everybody (api.md 1.5)
    assert len(sandbox.requests("/api/")) - asked <= 2


def test_nobody_listens(command: Command) -> None:
    said = command("check", base_url="http://127.0.0.1:9")
    assert said.code == 1
    assert "cannot be reached" in said.err


def test_all_is_well(command: Command) -> None:
    said = command("check")
    assert said.code == 0, said.err
    assert said.err == ""
    for line in ("The key is valid", "GiB free", "will be made by the first import"):
        assert line in said.out


def test_a_warehouse_that_is_in_use(command: Command) -> None:
    path = command.root / "data" / "iterable.duckdb"
    path.parent.mkdir()
    # by another process than the command's
    with duckdb.connect(path), command.start("check") as process:
        _, err = process.communicate()
    assert process.returncode == 1
    assert "Stored data is safe" in err and "Traceback" not in err
    assert command("check").code == 0


def test_a_file_that_is_no_warehouse(command: Command) -> None:
    path = command.root / "data" / "iterable.duckdb"
    path.parent.mkdir()
    path.write_bytes(b"not a database" * 1000)
    said = command("check")
    assert said.code == 1
    assert "not a valid DuckDB database file" in said.err


@pytest.mark.parametrize("name", ["sandbox", "dev"])
def test_a_port_that_is_taken(command: Command, name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        said = command(name, "--port", port)
    assert said.code == 1
    assert f"Port {port} of 127.0.0.1 is taken" in said.err


def test_nothing_is_imported_yet(command: Command) -> None:
    for arguments in (("profile", "ada@example.com"), ("rebuild",)):
        said = command(*arguments)
        assert said.code == 1
        assert "Next: iterable-pipelines" in said.err
    said = command("status")
    assert said.code == 0
    assert "nothing yet" in said.out


def test_the_disk_is_not_ours(command: Command, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    said = command("status", data_dir=str(blocked / "data"))
    assert said.code == 1
    assert "cannot be a folder" in said.err


def test_a_full_disk_is_told_whichever_library_met_it_first() -> None:
    def wrapped(cause: Exception) -> Exception:
        try:
            try:
                raise cause
            except Exception as first:
                raise RuntimeError("a library's own words") from first
        except RuntimeError as error:
            return error

    assert trouble_of_the_disk(wrapped(sqlite3.OperationalError("database or disk is full")))
    assert trouble_of_the_disk(wrapped(OSError(errno.ENOSPC, "No space left on device")))
    assert trouble_of_the_disk(wrapped(sqlite3.OperationalError("no such table: parts"))) is None
    assert trouble_of_the_disk(wrapped(FileNotFoundError(errno.ENOENT, "No such file"))) is None
