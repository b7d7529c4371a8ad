"""What tests of several stages share: a project of its own in an empty folder."""

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from unittest import mock
from uuid import uuid4

import pytest

from iterable_pipelines.hours import parse_hour
from iterable_pipelines.landing import Manifest
from iterable_pipelines.sandbox.server import Sandbox
from iterable_pipelines.settings import Settings, load_settings
from iterable_pipelines.streams import Warehouse
from iterable_pipelines_tests.dbt_server import running_dbt
from iterable_pipelines_tests.postgres_server import Server, running_postgres

# a runner that was started in the background ignores Ctrl-C, and so would every command that a test starts
signal.signal(signal.SIGINT, signal.default_int_handler)


# what the tests write is thrown away, and waiting for a disk is half the time of a sync of few rows
_MEMORY, _MEMORY_NEEDED = Path("/dev/shm"), 4 * 2**30


def pytest_configure() -> None:
    """Keep the folders of tests in memory, where there is enough of it, unless somebody says where else."""
    if _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free >= _MEMORY_NEEDED:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))


# the slowest, by file: begun last, it would run alone for minutes
_FIRST = "test_demo.py"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that no worker is left with it at the end."""
    items.sort(key=lambda item: item.path.name != _FIRST)


@pytest.fixture(autouse=True)
def _nobody_elses_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the environment and the `.env` of whoever runs the tests out of them, and of one test out of the next."""
    # what runs in the process of a test says by the environment where dbt finds its files
    with mock.patch.dict(os.environ):
        for name in [name for name in os.environ if name.startswith("ITERABLE_")]:
            del os.environ[name]
        os.environ["ITERABLE_PROJECT_ROOT"] = str(tmp_path_factory.mktemp("root"))
        yield


@pytest.fixture(scope="session", autouse=True)
def _dbt_is_imported_once() -> Iterator[None]:
    """Whatever the tests run, commands in processes of their own too, finds a dbt that is there already."""
    with running_dbt() as program, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DBT_EXECUTABLE", str(program))
        yield


@pytest.fixture
def only_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Builds without the models' own tests, which take as long as the models: the test looks at the rows itself."""
    monkeypatch.setenv("DBT_EXCLUDE_RESOURCE_TYPES", "test unit_test")


@pytest.fixture
def sandbox(world_sandbox: Sandbox) -> Sandbox:
    """The `world_sandbox` that tests of one file or folder share, as if nobody had asked it anything yet."""
    world_sandbox.log.clear()
    world_sandbox.faults.clear()
    return world_sandbox


@pytest.fixture
def project(tmp_path: Path) -> Settings:
    """Settings of a project that nobody else uses."""
    return Settings(
        api_key="sandbox",
        base_url="http://127.0.0.1:9",
        data_dir=tmp_path / "data",
        start_date=parse_hour("2026-11-01"),
    )


@pytest.fixture
def manifest(project: Settings) -> Manifest:
    return Manifest(project.landing_dir)


@pytest.fixture(scope="session")
def empty_warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of an empty warehouse with its tables, to be copied: eighty statements cost more than most tests."""
    path = tmp_path_factory.mktemp("prepared") / "iterable.duckdb"
    Warehouse(path, path).prepare()
    return path


@pytest.fixture
def warehouse(project: Settings, empty_warehouse: Path) -> Warehouse:
    """An empty warehouse that gives up waiting at once."""
    project.warehouse_path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(empty_warehouse, project.warehouse_path)
    return Warehouse(project.warehouse_path, project.published_path, wait_seconds=1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL server of this test run's own."""
    with running_postgres() as server:
        yield server


@pytest.fixture
def dagster_postgres(postgres: Server) -> Iterator[str]:
    """The URL of an empty database for Dagster's history."""
    with postgres.database("dagster_history") as url:
        yield url


@pytest.fixture
def on_postgres(dagster_postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A project whose `.env` names the database `dagster_postgres`."""
    (tmp_path / ".env").write_text(f"ITERABLE_DAGSTER_POSTGRES={dagster_postgres}\nITERABLE_API_KEY=sandbox\n")
    monkeypatch.setenv("ITERABLE_PROJECT_ROOT", str(tmp_path))
    # set by the home, and gone with the test
    monkeypatch.setenv("ITERABLE_DAGSTER_POSTGRES", "")
    return load_settings()


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where the shared tables of one test lie (either_database.py): empty, and gone afterwards."""
    if request.param == "sqlite":
        yield str(tmp_path / "tables.db")
        return
    server: Server = request.getfixturevalue("postgres")
    with server.database(f"tables-{uuid4().hex}") as url:
        yield url
