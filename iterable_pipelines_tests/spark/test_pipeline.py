"""A project on a Spark cluster, hour by hour, is to its readers what it is on DuckDB, and forgets as that does."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import dagster as dg
import pytest

from iterable_pipelines.activation.objects import load_syncs
from iterable_pipelines.activation.options import Options
from iterable_pipelines.activation.plan import plan_sync
from iterable_pipelines.data_types import EMAIL
from iterable_pipelines.erasure.run import erase, follow_up
from iterable_pipelines.erasure.scan import scan
from iterable_pipelines.hours import HOUR
from iterable_pipelines.lake.publish import next_number
from iterable_pipelines.landing import Manifest
from iterable_pipelines.profiles import run_models
from iterable_pipelines.profiles.spark_build import after_spark, views_of_readers
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse, load_hours
from iterable_pipelines_tests.cli.command import Command
from iterable_pipelines_tests.erasure.people import (
    ADA,
    ADA_BEFORE,
    ADA_ID,
    BOB,
    CAT,
    OPENS,
    START,
    event,
    forget,
    import_people,
)
from iterable_pipelines_tests.landing_by_hand import land
from iterable_pipelines_tests.spark.cluster import running_cluster

READ = (
    "profiles.user_profiles",
    "marts.iterable__campaigns",
    "marts.iterable__events",
    "marts.iterable__user_campaign",
    "marts.iterable__users",
    "audiences.engaged",
    "audiences.fatigue",
)
ENGAGED = (
    "object: user\nsource: ref('engaged')\nprimary_key: user_key\nmatch: {column: user_key, field: email}\n"
    "mode: upsert\nfields: {last_engaged_at: lastEngagedAt}\n"
)


def quiet(text: str) -> None:
    """For whom nobody listens to."""


def made(folder: Path, engine: str) -> Settings:
    """An empty project with that engine."""
    return Settings(
        project_root=folder,
        api_key="sandbox",
        base_url="http://127.0.0.1:9",
        data_dir=folder / engine,
        start_date=START.replace(hour=0),
        engine=engine,
        spark_target="spark_thrift",
    )


def build(settings: Settings) -> None:
    """Models, and the copy for readers."""
    warehouse = Warehouse.of(settings, quiet)
    run_models(settings, warehouse, log=quiet)
    warehouse.publish()


def first_hour(settings: Settings) -> None:
    warehouse = Warehouse.of(settings, quiet)
    warehouse.prepare()
    import_people(settings, Manifest.of(settings), warehouse)


def another_hour(settings: Settings) -> None:
    """An hour that is new, late rows in the one before, and one of its types emptied."""
    manifest, warehouse = Manifest.of(settings), Warehouse.of(settings, quiet)
    at = "2026-11-01 04:01:00 +00:00"
    later = [event(BOB, createdAt=at), event(ADA, createdAt=at)]
    land(settings, manifest, "emailOpen", START + HOUR, later)
    land(settings, manifest, "emailOpen", START, [*OPENS, event(CAT, 12)], minutes_after=300)
    land(settings, manifest, "emailClick", START, [], minutes_after=300)
    load_hours(warehouse, manifest, settings, EMAIL, [START, START + HOUR], "run", log=quiet)


def build_by_dagster(settings: Settings) -> None:
    """The same as a schedule does it: by the job, whose step runs dbt in its own way."""
    given = {
        "PROJECT_ROOT": str(settings.project_root),
        "ENGINE": settings.engine,
        "SPARK_TARGET": settings.spark_target,
        "DATA_DIR": str(settings.data_dir),
        "BASE_URL": settings.base_url or "",
        "API_KEY": "sandbox",
        "START_DATE": "2026-11-01",
    }
    with mock.patch.dict(os.environ, {f"ITERABLE_{name}": value for name, value in given.items()}):
        os.environ.pop("DBT_EXCLUDE_RESOURCE_TYPES")
        from iterable_pipelines.definitions import defs

        with dg.DagsterInstance.ephemeral() as instance:
            result = defs().resolve_job_def("profiles_build").execute_in_process(instance=instance)
    assert result.success
    assert any(each.check_name.startswith("one_row_per_") for each in result.get_asset_check_evaluations())


def forgotten(settings: Settings) -> None:
    forget(settings, ADA)
    certificate = erase(settings, quiet)
    assert certificate.complete and certificate.persons == 1
    follow_up(settings, certificate, quiet)


def read(settings: Settings) -> dict[str, list[str]]:
    """What readers see of each table, without what only says how it came here."""
    warehouse = Warehouse.of(settings, quiet)
    found = {}
    for table in READ:
        columns = sorted(name for name, *_ in warehouse.read(f"describe {table}") if not name.startswith("_"))
        listed = ", ".join(f'"{name}"' for name in columns)
        found[table] = [str(columns), *sorted(map(repr, warehouse.read(f"select {listed} from {table}")))]
    return found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the projects are, while a cluster runs to which dbt finds the way."""
    with running_cluster(tmp_path / "cluster") as port:
        monkeypatch.setenv("ITERABLE_SPARK_PORT", str(port))
        # once is enough for the models' own tests: Dagster's build runs them
        monkeypatch.setenv("DBT_EXCLUDE_RESOURCE_TYPES", "test unit_test")
        yield tmp_path / "project"


# six Javas on two cores
@pytest.mark.timeout(2700)
def test_hour_by_hour_on_a_cluster(folder: Path) -> None:
    folder.mkdir()
    spark, duckdb = made(folder, "spark"), made(folder, "duckdb")
    steps: list[Callable[[Settings], None]] = [first_hour, build, another_hour, build_by_dagster]
    for step in steps:
        step(spark)
        step(duckdb)
        if step in (build, build_by_dagster):
            assert read(spark) == read(duckdb)
    check_commands(folder, spark)
    check_a_sync(spark)
    publish_as_of_another_format(spark)
    assert read(spark) == read(duckdb)
    forgotten(spark)
    forgotten(duckdb)
    assert read(spark) == read(duckdb)
    found = scan(spark, [ADA_BEFORE, ADA_ID])
    assert (found.found, found.unread) == ([], [])


def check_commands(folder: Path, spark: Settings) -> None:
    command = Command(
        folder,
        engine="spark",
        spark_target=spark.spark_target,
        data_dir=str(spark.data_dir),
        start_date="2026-11-01",
        api_key="sandbox",
    )
    profile = command("profile", BOB)
    assert (profile.code, "email_open" in profile.out) == (0, True), profile.err
    query = command("query", f"select count(*) as n from streams.{EMAIL}", "--format", "csv")
    events = Warehouse.of(spark, quiet).read(f"select count(*) from streams.{EMAIL}")[0][0]
    assert (query.code, query.out.split()) == (0, ["n", str(events)]), query.err
    status = command("status")
    assert (status.code, "Profiles: 3" in status.out) == (0, True), status.err
    again = command("rebuild", "--hash-only")
    assert (again.code, "iterable_activity" in again.out) == (0, True), again.err


def publish_as_of_another_format(spark: Settings) -> None:
    """Have Spark itself write what readers see, as it must where the files of a table are not all of now."""
    warehouse = Warehouse.of(spark, quiet)
    assert warehouse.lake
    before = next_number(warehouse.lake)
    after_spark(spark.model_copy(update={"spark_format": "delta"}), warehouse, warehouse.lake)
    assert f"/published/{before}/" in "".join(views_of_readers(warehouse))
    warehouse.publish()


def check_a_sync(spark: Settings) -> None:
    syncs = spark.project_root / "syncs"
    syncs.mkdir()
    (syncs / "engaged.yml").write_text(ENGAGED)
    (sync,) = load_syncs(spark)
    plan = plan_sync(spark, sync, Options(offline=True), quiet)
    # the three of them opened something
    assert (plan.rows, plan.invalid) == (3, {})
