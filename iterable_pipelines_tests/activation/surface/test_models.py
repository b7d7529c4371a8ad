"""What dbt's columns say of Iterable, and the exposures that dbt is told of, with dbt itself."""

import shutil
from pathlib import Path

import pytest
import yaml

from iterable_pipelines.activation import exposures as written
from iterable_pipelines.activation.models import column_meta, models
from iterable_pipelines.activation.objects import load_syncs
from iterable_pipelines.activation.source import tables_read
from iterable_pipelines.profiles import dbt
from iterable_pipelines.settings import Settings, SettingsError
from iterable_pipelines_tests.cli.command import CHECKOUT

SYNC = """
object: user
source: {source}
primary_key: id
match: {{column: email, field: email}}
fields: "*"
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A project with one dbt model of its own, and syncs that read it."""
    folder = tmp_path / "dbt_models"
    (folder / "models" / "shop").mkdir(parents=True)
    (folder / "macros").mkdir()
    for file in ("profiles.yml", "macros/schema.sql"):
        shutil.copy(CHECKOUT / "dbt_models" / file, folder / file)
    (folder / "dbt_project.yml").write_text(
        "name: shop\nversion: '1.0'\nprofile: iterable\nmodels:\n  shop:\n    shop:\n      +schema: shop\n"
    )
    (folder / "models" / "shop" / "customers.sql").write_text("select 1 as id, 'Ada' as first_name, 7 as n")
    say(folder, {"first_name": {"field": "firstName"}, "n": {"ignore": True}})
    (tmp_path / "syncs").mkdir()
    for name, source in (("by_ref", "ref('customers')"), ("by_table", "shop.customers"), ("other", "streams.loads")):
        (tmp_path / "syncs" / f"{name}.yml").write_text(SYNC.format(source=source))
    for module in (dbt, written):
        monkeypatch.setattr(module, "project_dir", lambda settings: folder)
    monkeypatch.setattr("iterable_pipelines.activation.source.project_dir", lambda settings: folder)
    return Settings(project_root=tmp_path, data_dir=tmp_path / "data", start_date="2026-11-01")


def say(folder: Path, metas: dict[str, dict[str, object]]) -> None:
    """Write what the model's columns say of Iterable."""
    columns = [{"name": name, "config": {"meta": {"iterable": meta}}} for name, meta in metas.items()]
    described = {"models": [{"name": "customers", "columns": columns}]}
    (folder / "models" / "shop" / "customers.yml").write_text(yaml.safe_dump(described))


def test_columns_speak_and_the_exposures_are_what_dbt_takes(project: Settings) -> None:
    by_ref, by_table, other = load_syncs(project)
    expected = {"first_name": {"field": "firstName"}, "n": {"ignore": True}}
    assert column_meta(project, by_ref) == column_meta(project, by_table) == expected
    assert column_meta(project, other) == {}

    syncs = [by_table, other, by_ref]
    path, known = written.exposures_path(project), models(project)
    reads = {each.name: tables_read(project, each) for each in syncs}
    text = written.exposures(syncs, reads, known)
    assert text == written.exposures(syncs[::-1], reads, known)
    path.write_text(text)
    dbt.run_dbt(project, ["--warn-error", "parse"])
    listed = yaml.safe_load(text)["exposures"]
    assert [(each["name"], each["depends_on"]) for each in listed] == [
        ("sync_by_ref", ["ref('customers')"]),
        ("sync_by_table", ["ref('customers')"]),
        ("sync_other", []),
    ]


def test_a_meta_that_is_not_understood_is_refused_by_model_and_column(project: Settings) -> None:
    say(dbt.project_dir(project), {"n": {"ignored": True}})
    with pytest.raises(SettingsError, match="dbt model customers, column n, meta.iterable.ignored: Extra inputs"):
        models(project)
