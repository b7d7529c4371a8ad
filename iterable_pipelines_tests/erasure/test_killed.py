"""An erasure that is killed anywhere is finished by the next, and loses nobody else's row (X16)."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from iterable_pipelines.erasure.run import erase
from iterable_pipelines.erasure.scan import scan
from iterable_pipelines.hours import parse_hour
from iterable_pipelines.landing import Manifest
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse, content_of, tables_of
from iterable_pipelines_tests.erasure.people import ADA, ADA_BEFORE, ADA_ID, forget, import_people, load

_ERASE = """
import sys
from pathlib import Path
from iterable_pipelines.erasure.run import erase
from iterable_pipelines.hours import parse_hour
from iterable_pipelines.settings import Settings
erase(Settings(data_dir=Path(sys.argv[1]), start_date=parse_hour("2026-11-01")), print)
"""
STREAMS = ["iterable_users", "iterable_activity", "iterable_custom_activity"]


def settings(folder: Path) -> Settings:
    return Settings(data_dir=folder / "data", start_date=parse_hour("2026-11-01"))


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with Ada in it, and a tombstone for her."""
    folder = tmp_path_factory.mktemp("before")
    project = settings(folder)
    warehouse = Warehouse.of(project)
    warehouse.prepare()
    import_people(project, Manifest(project.landing_dir), warehouse)
    forget(project, ADA)
    return folder


@pytest.fixture(scope="module")
def undisturbed(before: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What the tables hold after an erasure that nobody killed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    shutil.copytree(before / "data", folder / "data")
    erase(settings(folder), lambda text: None)
    return dict(content_of(Warehouse.of(settings(folder)), tables_of(STREAMS)))


@pytest.mark.parametrize(
    "point",
    [
        "erasure_landing_written",
        "erasure_landing_noted",
        "erasure_warehouse_written",
        "erasure_published",
        "erasure_warehouse_replaced",
    ],
)
def test_killed_and_run_again(point: str, before: Path, undisturbed: dict[str, object], tmp_path: Path) -> None:
    shutil.copytree(before / "data", tmp_path / "data")
    project = settings(tmp_path)
    killed = subprocess.run(
        [sys.executable, "-c", _ERASE, str(project.data_dir)],
        env=os.environ | {"ITERABLE_CRASH_AT": point},
        capture_output=True,
        text=True,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert f"crashpoint {point}" in killed.stderr
    certificate = erase(project, lambda text: None)
    assert (certificate.complete, certificate.left) == (True, 0)
    assert not scan(project, [ADA_BEFORE, ADA_ID]).found
    warehouse = Warehouse.of(project)
    assert content_of(warehouse, tables_of(STREAMS)) == undisturbed
    # the load log says what the manifest says
    assert load(project, Manifest(project.landing_dir), warehouse) == 0
