"""What dbt's columns say of Iterable, and the exposures that dbt is told of, with dbt itself."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from iterable_pipelines.activation import exposures as written
from iterable_pipelines.activation.models import Model, column_meta, models
from iterable_pipelines.activation.objects import load_syncs
from iterable_pipelines.activation.source import tables_read
from iterable_pipelines.profiles import dbt
from iterable_pipelines.settings import Settings, SettingsError
from iterable_pipelines_tests.activation.conftest import Activation
from iterable_pipelines_tests.activation.surface.conftest import SYNC as SHOP_SYNC
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
    metas = {"first_name": {"field": "firstName"}, "n": {"ignore": True}}
    columns = [{"name": name, "config": {"meta": {"iterable": meta}}} for name, meta in metas.items()]
    described = {"models": [{"name": "customers", "columns": columns}]}
    (folder / "models" / "shop" / "customers.yml").write_text(yaml.safe_dump(described))
    (tmp_path / "syncs").mkdir()
    for name, source in (("by_ref", "ref('customers')"), ("by_table", "shop.customers"), ("other", "streams.loads")):
        (tmp_path / "syncs" / f"{name}.yml").write_text(SYNC.format(source=source))
    for module in (dbt, written):
        monkeypatch.setattr(module, "project_dir", lambda settings: folder)
    for module_name in ("source", "models"):
        monkeypatch.setattr(f"iterable_pipelines.activation.{module_name}.project_dir", lambda settings: folder)
    return Settings(project_root=tmp_path, data_dir=tmp_path / "data", start_date="2026-11-01")


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


def test_a_meta_that_is_not_understood_is_refused_by_model_and_column(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    column = {"config": {"meta": {"iterable": {"ignored": True}}}}
    node = {"resource_type": "model", "schema": "shop", "name": "customers", "columns": {"n": column}}
    (tmp_path / "manifest.json").write_text(json.dumps({"nodes": {"model.shop.customers": node}}))
    monkeypatch.setattr("iterable_pipelines.profiles.dbt.manifest_path", lambda _: tmp_path / "manifest.json")
    with pytest.raises(SettingsError, match=r"dbt model customers, column n, meta\.iterable\.ignored: Extra inputs"):
        models(Settings(project_root=tmp_path))


def test_a_star_sends_what_the_columns_say_and_the_sync_itself_comes_first(
    shop: Activation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "dbt_models" / "models").mkdir(parents=True)
    (tmp_path / "dbt_models" / "models" / "people.sql").touch()
    monkeypatch.setattr("iterable_pipelines.activation.models.project_dir", lambda settings: tmp_path / "dbt_models")
    meta = {"first_name": {"field": "firstName"}, "secret": {"ignore": True}, "n": {"type": "string"}}
    known = {("shop", "people"): Model("shop", "people", meta)}
    monkeypatch.setattr("iterable_pipelines.activation.models.models", lambda settings: known)
    shop.table("shop.people", "select 1 as id, 'ada@ex.com' as email, 'Ada' as first_name, 'x' as secret, 7 as n")
    by_star = SHOP_SYNC.replace("{first_name: firstName}", '{"*": "*", id: customer}')
    shop.sync("people", by_star)
    shop.run("people")
    assert shop.requests()[-1]["users"][0]["dataFields"] == {"firstName": "Ada", "n": "7", "customer": 1}
    shop.sync("people", by_star.replace("id: customer", "id: customer, first_name: name"))
    shop.table("shop.people", "select 1 as id, 'ada@ex.com' as email, 'Eve' as first_name, 'x' as secret, 7 as n")
    shop.run("people")
    assert shop.requests()[-1]["users"][0]["dataFields"] == {"name": "Eve", "n": "7", "customer": 1}
