"""Ada in every store, and then in none: not in a free page, a log, a block or behind a compression (X16, D24)."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from filelock import FileLock

from iterable_pipelines.erasure import duckdb_rows
from iterable_pipelines.erasure.files import kind_of
from iterable_pipelines.erasure.run import erase
from iterable_pipelines.erasure.stores import STORES
from iterable_pipelines.hours import parse_hour
from iterable_pipelines.track_calls import deliver
from iterable_pipelines.webhooks.body import read_body
from iterable_pipelines.webhooks.spool import Spool
from iterable_pipelines_tests.activation.conftest import QUICK, Activation, empty_project
from iterable_pipelines_tests.erasure.everywhere import CY, PEOPLE, fill, quiet
from iterable_pipelines_tests.erasure.planted import ADA, ADA_ID, BOB, BOB_ID, bury, naming


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Activation]:
    """A project that Ada stands everywhere in; tests take copies of it."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(deliver, "PATIENCE", replace(deliver.PATIENCE, attempts=1, first_wait=0.0, longest_wait=0.0))
        patched.setenv("NOBODY", "http://127.0.0.1:9")
        with empty_project(tmp_path_factory.mktemp("first"), "hybrid", pace=QUICK) as (settings, sandbox):
            here = Activation(settings.model_copy(update={"start_date": parse_hour("2026-11-01")}), sandbox)
            fill(here)
            yield here


@pytest.fixture
def full(first: Activation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Activation:
    """A project of its own that Ada stands everywhere in."""
    monkeypatch.setattr(duckdb_rows, "_PATIENCE", 0.0)
    root = shutil.copytree(first.settings.project_root, tmp_path / "root")
    settings = first.settings.model_copy(update={"project_root": root, "data_dir": root / "data"})
    first.sandbox.log.clear()
    return Activation(settings, first.sandbox)


def others(data: Path) -> dict[str, list]:  # type: ignore[type-arg]
    """What is known of everybody else."""
    found = {}
    for name, sql in {
        "activation/users.duckdb": f"select * from acked where identity <> '{ADA}' and identity <> '{CY}' order by key",
        "activation/members.duckdb": f"select * from acked where identity <> '{ADA}' order by key",
        "imports.duckdb": f"from users where email = '{BOB}'",
    }.items():
        with duckdb.connect(data / name, read_only=True) as con:
            found[name] = con.execute(sql).fetchall()
    with sqlite3.connect(data / "webhooks" / "spool.db") as con:
        found["spool"] = con.execute("select * from bodies where instr(raw, 'bob')").fetchall()
    found["clicks"] = [line for line in (data / "exports/clicks.ndjson").read_text().splitlines() if BOB in line]
    return found


def test_x16_ada_is_everywhere_and_then_nowhere(full: Activation) -> None:
    data = full.settings.data_dir
    before, there = others(data), naming(data)
    expected = {
        "iterable.duckdb", "iterable.read.duckdb", "webhooks/spool.db", "activation/users.duckdb",
        "activation/members.duckdb", "activation/calls.sqlite", "imports.duckdb", "exports/clicks.ndjson",
        "exports/clicks.csv.gz", "exports/clicks.parquet", "track_calls/nobody/000000001.ndjson",
    }  # fmt: skip
    assert {each.removesuffix("-wal") for each in there} >= expected
    bury(full.settings)
    certificate = erase(full.settings, quiet)
    assert certificate.open == {} and certificate.left == 0
    assert naming(data) == set()
    assert others(data) == before
    lines = (data / "track_calls/nobody/000000001.ndjson").read_text().splitlines()
    assert {json.loads(line)["userId"] for line in lines} == {BOB_ID, BOB, CY}
    with sqlite3.connect(data / "activation" / "calls.sqlite") as con:
        # the audit of a call stays
        assert con.execute("select arguments from calls").fetchall() == [
            (json.dumps({"recipientEmail": "erased", "campaignId": 7}),)
        ]


def test_nothing_is_sent_of_her_again_not_even_to_remove_her(full: Activation) -> None:
    bury(full.settings)
    erase(full.settings, quiet)
    full.sandbox.log.clear()
    # a table that somebody else fills has her again
    full.table("m.people", PEOPLE)
    for name in ("users", "members"):
        report = full.run(name)
        assert report.status == "succeeded", report.note
    assert not any(word in json.dumps(full.requests()) for word in (ADA, ADA_ID, f'"{ADA}"'))
    assert not {each for each in naming(full.settings.data_dir) if each.startswith("activation")}


def test_the_receiver_goes_on_while_its_spool_is_erased(full: Activation) -> None:
    bury(full.settings)
    spool = Spool(full.settings.spool_path)
    with spool.kept_open() as kept:
        erase(full.settings, quiet)
        assert kept.add([(read_body(b'{"email": "new@example.com"}'), datetime.now(UTC))]) == 1
    assert len(spool.queued(10)) == 3


def test_every_store_is_erased_though_one_is_held(full: Activation) -> None:
    bury(full.settings)
    with FileLock(full.settings.data_dir / "activation" / "users.duckdb.lock"):
        certificate = erase(full.settings, quiet)
    assert set(certificate.open) == {"sync states"}
    assert naming(full.settings.data_dir) == {"activation/users.duckdb"}
    assert erase(full.settings, quiet).open == {}
    assert naming(full.settings.data_dir) == set()


@pytest.mark.parametrize(
    "point",
    ["erasure_sqlite_deleted", "erasure_duckdb_deleted", "erasure_duckdb_written"],
)
def test_killed_and_run_again(full: Activation, point: str) -> None:
    bury(full.settings)
    data, before = full.settings.data_dir, others(full.settings.data_dir)
    killed = subprocess.run(
        [sys.executable, "-c", _ERASE, str(full.settings.project_root)],
        env=os.environ | {"ITERABLE_CRASH_AT": point},
        capture_output=True,
        text=True,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert erase(full.settings, quiet).open == {}
    assert naming(data) == set()
    assert others(data) == before
    assert not list(data.rglob("*.unfinished"))


_ERASE = """
import sys
from pathlib import Path
from iterable_pipelines.erasure.run import erase
from iterable_pipelines.hours import parse_hour
from iterable_pipelines.settings import Settings
root = Path(sys.argv[1])
erase(Settings(project_root=root, data_dir=root / "data", project_type="hybrid", start_date=parse_hour("2026-11-01")))
"""


def test_a_second_erasure_changes_nothing(full: Activation) -> None:
    bury(full.settings)
    erase(full.settings, quiet)
    before = {path: path.stat().st_mtime_ns for path in full.settings.data_dir.rglob("*.duckdb")}
    assert erase(full.settings, quiet).persons == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_every_kind_of_file_is_known_to_a_store(full: Activation) -> None:
    """A store that is new is told how it is erased: what is neither text nor one of these kinds, nobody reads."""
    kinds = {kind_of(path) for path in full.settings.data_dir.rglob("*") if path.is_file() and path.stat().st_size}
    assert kinds == {"sqlite", "duckdb", "parquet", "gz", "text"}
    for path in full.settings.data_dir.rglob("*"):
        if path.is_file() and kind_of(path) == "text":
            assert path.name.endswith(("-wal", "-shm", ".wal")) or b"\0" not in path.read_bytes(), path


def test_stores_have_names_of_their_own() -> None:
    assert len({each.name for each in STORES}) == len(STORES)
