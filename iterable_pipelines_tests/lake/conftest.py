"""What the tests of the lake share: one project's landing, loaded by engine `spark` and by engine `duckdb`."""

from datetime import timedelta

import pytest

from iterable_pipelines.hours import HOUR, parse_hour
from iterable_pipelines.landing import Manifest
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse

H3 = parse_hour("2026-11-01T03")
STREAM = "iterable_activity"


def quiet(text: str) -> None:
    """For whom nobody listens to."""


def event(minute: int, hour: int = 3, **fields: object) -> dict[str, object]:
    """An event as an export has it."""
    at = H3.replace(hour=0) + hour * HOUR + timedelta(minutes=minute)
    return {"createdAt": f"{at:%Y-%m-%d %H:%M:%S} +00:00", "email": "A@Example.com ", **fields}


def rows(warehouse: Warehouse, stream: str = STREAM, columns: str = "* exclude (_loaded_at, _load_id)") -> list[tuple]:
    """The rows of a stream, in an order."""
    return sorted(warehouse.read(f"select {columns} from streams.{stream}"), key=str)


def _prepared(settings: Settings) -> Warehouse:
    """The empty warehouse of a project, which gives up waiting at once."""
    warehouse = Warehouse.of(settings, quiet, wait_seconds=1)
    warehouse.prepare()
    return warehouse


@pytest.fixture
def spark(project: Settings) -> Settings:
    """The project with engine `spark`."""
    return project.model_copy(update={"engine": "spark"})


@pytest.fixture
def lake(spark: Settings) -> Warehouse:
    """The warehouse whose events lie in the lake."""
    return _prepared(spark)


@pytest.fixture
def other(project: Settings) -> Settings:
    """The same landing, with a warehouse of engine `duckdb` beside it."""
    return project.model_copy(update={"warehouse": project.data_dir / "other.duckdb"})


@pytest.fixture
def tables(other: Settings) -> Warehouse:
    """The warehouse of engine `duckdb`: what the lake must be equal to."""
    return _prepared(other)


@pytest.fixture
def landing(project: Settings) -> Manifest:
    """The manifest that both load from."""
    return Manifest(project.landing_dir)
