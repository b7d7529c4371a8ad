"""What is said of the profile tables is all there is to say, and true of the tables as they are built."""

import yaml

from iterable_pipelines.landing import Manifest
from iterable_pipelines.marts.columns import MARTS
from iterable_pipelines.profiles import run_models
from iterable_pipelines.profiles.columns import profile_columns
from iterable_pipelines.profiles.dbt import project_dir
from iterable_pipelines.profiles.describe import descriptions
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse


def test_the_written_description_is_up_to_date(project: Settings) -> None:
    for path, text in descriptions().items():
        assert (project.project_root / path).read_text() == text


def test_every_column_of_every_built_table_is_described(
    project: Settings, manifest: Manifest, warehouse: Warehouse
) -> None:
    run_models(project, warehouse)
    described = {
        model["name"]: {column["name"] for column in model["columns"] if column["description"]}
        for path in (project_dir(project) / "models").rglob("*.yml")
        for model in yaml.safe_load(path.read_text()).get("models", [])
        if model["description"]
    }
    built: dict[str, dict[str, str]] = {}
    for table, column, kind in warehouse.read(
        "select table_name, column_name, data_type from information_schema.columns "
        "where table_schema in ('profiles', 'marts', 'audiences')"
    ):
        built.setdefault(table, {})[column] = kind
    assert described == {table: set(columns) for table, columns in built.items()}
    assert built["user_profiles"] == {column.name: column.type for column in profile_columns()}
    for mart in MARTS:
        assert built[mart.name] == {column.name: column.type for column in mart.columns}, mart.name
