"""What a build on Spark finds: tables that belong to the warehouse, and nothing that a killed one has left."""

from pathlib import Path

import duckdb
import pytest

from iterable_pipelines.lake.layout import Lake
from iterable_pipelines.landing import Manifest
from iterable_pipelines.profiles.spark import spark_environment, sweep
from iterable_pipelines.profiles.spark_build import is_built
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse, load_hours
from iterable_pipelines_tests.lake.conftest import H3, STREAM, event, quiet
from iterable_pipelines_tests.landing_by_hand import land


def built(lake: Warehouse) -> bool:
    assert lake.lake
    with lake.transaction() as con:
        return is_built(con, lake.lake)


def finish(files: Lake, built_to: int) -> None:
    """Note a finished build, as Spark does last of all."""
    folder = Path(files.url, "marts", "builds")
    folder.mkdir(parents=True, exist_ok=True)
    duckdb.execute(f"copy (select {built_to}::bigint as built_to) to '{folder}/part-0.parquet' (format parquet)")


def test_spark_goes_on_only_from_a_finished_build_of_this_warehouse(
    spark: Settings, lake: Warehouse, landing: Manifest
) -> None:
    land(spark, landing, "emailClick", H3, [event(1)])
    load_hours(lake, landing, spark, STREAM, [H3], "run", log=quiet)
    assert lake.lake
    # profiles alone: the build broke off, or was one of a part of the models
    Path(lake.lake.url, "profiles", "user_profiles").mkdir(parents=True)
    Path(lake.lake.url, "profiles", "user_profiles", "part-0.parquet").touch()
    assert not built(lake)
    finish(lake.lake, 1)
    assert built(lake)
    # more than this warehouse has ever loaded: it was made anew
    finish(lake.lake, 5000)
    assert not built(lake)


@pytest.mark.parametrize("finished", [True, False])
def test_what_a_killed_build_was_writing_is_swept(spark: Settings, finished: bool) -> None:
    table = Path(spark.lake_url, "marts", "builds")
    for folder in ("_temporary/0", ".spark-staging-1/hour=1"):
        (table / folder).mkdir(parents=True)
    (table / "part-0.parquet").touch()
    if finished:
        (table / "_SUCCESS").touch()
    passing = Path(spark.lake_url, "profiles", "user_profiles__next")
    passing.mkdir(parents=True)
    (passing / "_SUCCESS").touch()
    whole = Path(spark.lake_url, "profiles", "user_keys")
    whole.mkdir()
    # a cluster may write no _SUCCESS
    (whole / "part-0.parquet").touch()
    sweep(spark)
    assert sorted(each.name for each in table.glob("*")) == (["_SUCCESS", "part-0.parquet"] if finished else [])
    assert [each.name for each in passing.parent.iterdir()] == ["user_keys"]
    assert [each.name for each in whole.iterdir()] == ["part-0.parquet"]


def test_a_folder_with_a_space_is_one_word_to_java(spark: Settings, tmp_path: Path) -> None:
    settings = spark.model_copy(update={"data_dir": tmp_path / "two words"})
    told = spark_environment(settings, settings.lake_url)
    (options,) = [
        line
        for line in Path(told["SPARK_CONF_DIR"], "spark-defaults.conf").read_text().splitlines()
        if line.startswith("spark.driver.extraJavaOptions ")
    ]
    assert f'"-Dderby.system.home={tmp_path}/two words/spark"' in options
