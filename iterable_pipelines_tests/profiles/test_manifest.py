"""dbt's manifest is made once for all data folders, and anew when a model or the configuration is another."""

import json
import os
import shutil
from collections.abc import Callable
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


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Settings]:
    """Makes the settings of a configuration by its number; what is parsed of it is that number."""
    models = tmp_path / "dbt_models"
    models.mkdir()
    (models / "customers.sql").touch()
    os.utime(models / "customers.sql", (0, 0))

    def parse(settings: Settings, arguments: list[str]) -> None:
        (settings.data_dir / "dbt").mkdir(parents=True, exist_ok=True)
        (settings.data_dir / "dbt" / "manifest.json").write_text(json.dumps(dict(settings.profile_fields)))

    monkeypatch.setattr(dbt, "project_dir", lambda settings: models)
    monkeypatch.setattr(dbt, "run_dbt", parse)
    return lambda number: Settings(
        project_root=tmp_path, data_dir=tmp_path / "data", start_date="2026-11-01", profile_fields={"n": str(number)}
    )


def test_the_newest_eight_are_kept(configured: Callable[[int], Settings]) -> None:
    made = list[Path]()
    for number in range(1, 11):
        made.append(dbt.manifest_path(configured(number)))
        os.utime(made[-1], (number, number))
    # another process is about to bring one
    part = made[0].with_name(f"{made[0].name}.1")
    part.touch()
    assert {*made[0].parent.iterdir()} == {*made[2:], part}
    with made[2].open() as reading:
        again = dbt.manifest_path(configured(1))
        assert {*made[0].parent.iterdir()} == {again, *made[3:], part}
        assert json.load(reading) == {"n": "3"}


def test_one_that_is_removed_before_it_is_read_is_made_anew(
    configured: Callable[[int], Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    found, asked = dbt.manifest_path, list[Path]()

    def removed_at_first(settings: Settings) -> Path:
        asked.append(found(settings))
        if len(asked) == 1:
            asked[0].unlink()
        return asked[-1]

    monkeypatch.setattr(dbt, "manifest_path", removed_at_first)
    assert dbt.read_manifest(configured(1)) == {"n": "1"}
    assert len(asked) == 2
