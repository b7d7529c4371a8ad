"""The key and people's addresses are searched for, byte by byte, in everything a run leaves behind."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from iterable_pipelines.hours import HOUR, parse_hour
from iterable_pipelines.sandbox import World, running_sandbox

KEY = "c0ffee11c0ffee22c0ffee33c0ffee44"
WRONG = "deadbeef11deadbeef22deadbeef3344"
START = parse_hour("2026-11-01")


def backfill(url: str, data: Path, key: str) -> subprocess.CompletedProcess[bytes]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ITERABLE_", "DAGSTER_"))}
    told = {
        "ITERABLE_API_KEY": key,
        "ITERABLE_BASE_URL": url,
        "ITERABLE_DATA_DIR": str(data),
        "ITERABLE_START_DATE": "2026-11-01",
        "ITERABLE_REQUESTS_RELAXED": "true",
    }
    command = [sys.executable, "-m", "iterable_pipelines.cli", "backfill", "--from", "2026-11-01", "--to"]
    command += ["2026-11-01T04", "--stream", "iterable_activity", "--stream", "iterable_users"]
    return subprocess.run(command, env=kept | told, capture_output=True)


def holding(folder: Path, secret: str) -> list[Path]:
    wanted = secret.encode()
    return [path for path in folder.rglob("*") if path.is_file() and wanted in path.read_bytes()]


# a run that ends well, after an answer that is asked for again, and runs that do not
@pytest.mark.parametrize("fault", ["status", "html200", "bad_json"])
def test_no_key_and_no_address_in_what_a_run_leaves_behind(tmp_path: Path, only_models: None, fault: str) -> None:
    world = World(users=20, start=START - timedelta(days=2), end=START + 8 * HOUR)
    with running_sandbox(world=world, relaxed=True, key=KEY) as running:
        running.fault(
            fault,
            match={"dataTypeName": "emailSend"},
            times=1 if fault == "status" else None,
            status=503,
            after=1 if fault == "status" else 0,
        )
        done = backfill(running.url, tmp_path, KEY)
    assert done.returncode == (1 if fault in ("html200", "bad_json") else 0), done.stdout + done.stderr
    addresses = {str(each["email"]).strip() for each in world.all_records("emailSend") if each.get("email")}
    assert len(addresses) > 5
    said = done.stdout + done.stderr
    assert KEY.encode() not in said
    assert holding(tmp_path, KEY) == []
    for address in addresses:
        assert address.encode() not in said
        assert holding(tmp_path / "dagster", address) == []


def test_a_refused_key_is_nowhere_either(tmp_path: Path) -> None:
    with running_sandbox(relaxed=True, key=KEY) as running:
        done = backfill(running.url, tmp_path, WRONG)
    assert done.returncode == 1
    assert b"ITERABLE_API_KEY" in done.stdout + done.stderr
    assert WRONG.encode() not in done.stdout + done.stderr
    assert holding(tmp_path, WRONG) == []
