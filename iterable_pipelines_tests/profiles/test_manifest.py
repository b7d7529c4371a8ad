"""dbt's manifest is made once for all data folders, and anew when a model or the configuration is another."""

import json
import shutil
from pathlib import Path

import pytest

from iterable_pipelines.profiles import dbt
from iterable_pipelines.settings import Settings
from iterable_pipelines_tests.cli.command import CHECKOUT


def named(manifest: Path) -> set[str]:
    return {each["name"] for each in json.loads(manifest.read_bytes())["nodes"].values()}


def test_models_are_parsed_once_and_when_something_is_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = tmp_path / "dbt_models"
    (models / "models").mkdir(parents=True)
    (models / "dbt_project.yml").write_text("name: shop\nversion: '1.0'\nprofile: iterable\n")
    shutil.copy(CHECKOUT / "dbt_models" / "profiles.yml", models)
    (models / "models" / "customers.sql").write_text("select 1 as id")
    monkeypatch.setattr(dbt, "project_dir", lambda settings: models)
    one, other = (Settings(project_root=tmp_path, data_dir=tmp_path / name, start_date="2026-11-01") for name in "ab")

    manifest = dbt.manifest_path(one)
    assert named(manifest) == {"customers"}
    made = manifest.stat()
    assert dbt.manifest_path(other) == manifest
    assert manifest.stat() == made
    assert not other.data_dir.exists()

    (models / "models" / "orders.sql").write_text("select 1 as id")
    assert dbt.manifest_path(other) == manifest
    assert named(manifest) == {"customers", "orders"}

    # nobody may write there
    monkeypatch.setattr("os.access", lambda path, mode: False)
    changed = one.model_copy(update={"profile_fields": {"tier": "tier"}})
    there = dbt.manifest_path(changed)
    assert there.parent == one.data_dir / "dbt"
    assert there.name != manifest.name
    assert named(there) == {"customers", "orders"}
