"""What the tests of the lake share: one project's landing, loaded by engine `spark` and by engine `duckdb`."""

from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from iterable_pipelines.hours import HOUR, parse_hour
from iterable_pipelines.landing import Manifest
from iterable_pipelines.quoting import literal
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


def become_older(
    settings: Settings, warehouse: Warehouse, stream: str = STREAM, without: str = "workflow_name"
) -> None:
    """Let the lake, and its view, be as a version of ours has left them that did not know a column yet."""
    for part in Path(settings.lake_url, "streams", stream).rglob("*.parquet"):
        with duckdb.connect() as con:
            source = f"read_parquet('{part}', hive_partitioning = false)"
            con.execute(f"create table kept as select * exclude ({without}) from {source}")
            con.execute(f"copy kept to '{part}' (format parquet)")
    sql = view_of(warehouse, stream).replace(f", {without}", "")
    with warehouse.transaction() as con:
        con.execute(f"create or replace view streams.{stream} as {sql}")
        con.execute(f"comment on view streams.{stream} is {literal(sql)}")


def view_of(warehouse: Warehouse, stream: str = STREAM) -> str:
    """What the view of a stream is made of."""
    return str(warehouse.read("select comment from duckdb_views() where view_name = ?", [stream])[0][0])


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
