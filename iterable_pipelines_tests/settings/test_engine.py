"""What the settings of engine spark take and refuse, by name."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from iterable_pipelines.settings import Settings
from iterable_pipelines.settings_sources import DOTENV, read_sources

Refused = Callable[..., str]
SPARK = {"ITERABLE_ENGINE": "spark"}


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"ITERABLE_ENGINE": "sprak"}, "ITERABLE_ENGINE in the environment is 'sprak': it must be 'duckdb' or 'spark'"),
        ({**SPARK, "ITERABLE_SPARK_TARGET": "emr"}, "'spark_session', 'spark_thrift', 'databricks' or 'glue'"),
        ({**SPARK, "ITERABLE_LAKE": "memory://lake"}, "write a folder, or a URL such as s3://"),
        ({**SPARK, "ITERABLE_LAKE": "s3://"}, "write a folder, or a URL such as s3://"),
        ({**SPARK, "ITERABLE_LAKE": "s3://bucket/lake"}, "ITERABLE_SPARK_TARGET=spark_session reads folders only"),
        ({**SPARK, "ITERABLE_SPARK_TARGET": "glue"}, "ITERABLE_SPARK_TARGET=glue cannot read"),
        ({**SPARK, "ITERABLE_SPARK_TARGET": "databricks"}, "name a URL such as s3://bucket/lake"),
        ({**SPARK, "ITERABLE_RETENTION": "400d"}, "ITERABLE_RETENTION does not go together with ITERABLE_ENGINE=spark"),
        ({**SPARK, "ITERABLE_DATA_DIR": "data", "ITERABLE_LAKE": "."}, "where other files of the project lie"),
        ({**SPARK, "ITERABLE_DATA_DIR": "data", "ITERABLE_LAKE": "data/landing/x"}, "name a folder of its own"),
        ({"ITERABLE_DATA_DIR": "data", "ITERABLE_LAKE": "data"}, "where other files of the project lie"),
    ],
)
def test_what_does_not_go_together_is_refused(refused: Refused, written: dict[str, str], said: str) -> None:
    assert said in refused(**written)


def test_the_lake_lies_in_the_data_folder_unless_it_is_named(tmp_path: Path) -> None:
    given = {"project_root": tmp_path, "data_dir": tmp_path / "data", "engine": "spark"}
    assert Settings(**given).lake_url == str(tmp_path / "data" / "lake")
    assert Settings(**given, lake="../lake/").lake_url == str(tmp_path.parent / "lake")
    assert Settings(**given, lake="s3://b/lake/", spark_target="spark_thrift").lake_url == "s3://b/lake"


def test_every_variable_of_dbt_is_known_and_refused_where_dbt_does_not_look(tmp_path: Path) -> None:
    models = Settings().checkout / "dbt_models"
    files = [models / "profiles.yml", models / "dbt_project.yml", *models.rglob("*.sql")]
    own = ["ITERABLE_MEMORY_LIMIT", "ITERABLE_SPARK_FORMAT"]
    named = {name for file in files for name in re.findall(r"env_var\('(ITERABLE_\w+)'", file.read_text())} - {*own}
    (tmp_path / DOTENV).write_text("".join(f"{name}=x\n" for name in named))
    problems = [each for each in read_sources(Settings, tmp_path, own, []).problems if DOTENV in each]
    assert sorted(problems) == [
        f"{name} cannot stand in .env: it is read from the environment alone" for name in sorted(named)
    ]


def test_a_session_over_thrift_is_told_what_one_on_this_machine_is() -> None:
    profiles = yaml.safe_load((Settings().checkout / "dbt_models" / "profiles.yml").read_text())
    told = {
        name: output["server_side_parameters"]
        for name, output in profiles["iterable"]["outputs"].items()
        if name.startswith("spark_")
    }
    # dbt adds it to each session itself, and Hive's protocol drops that
    here = told["spark_session"] | {"spark.sql.ansi.enabled": "false"}
    assert told["spark_thrift"] == {f"set:hiveconf:{name}": value for name, value in here.items()}
