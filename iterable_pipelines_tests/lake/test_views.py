"""The models that are views are made once, and again when anything of them changed."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from iterable_pipelines.profiles import views
from iterable_pipelines.profiles.dbt import ModelsFailed, manifest_path, run_dbt
from iterable_pipelines.profiles.views import make_views
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse

# what a view is made of, as if Spark had published it
_TABLE = "profiles.user_profiles"
_OURS = "iterable_profiles"
_LOOKS = r"run_query|call statement|execute\b|get_relation|get_columns|load_relation|is_incremental|flags\."


@pytest.fixture
def made(project: Settings, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Callable[..., bool]:
    """Lets the views be made after some changes of the warehouse, and says whether dbt was asked to."""
    run_dbt(project, ["run"])
    asked = []

    def noted(settings: Settings, arguments: list[str]) -> None:
        asked.append(arguments)
        run_dbt(settings, arguments)

    monkeypatch.setattr(views, "run_dbt", noted)

    def make(*changes: str, settings: Settings = project) -> bool:
        asked.clear()
        with warehouse.transaction() as con:
            for change in changes:
                con.execute(change)
        make_views(settings, warehouse)
        return bool(asked)

    return make


def test_views_are_made_again_only_if_they_would_differ(
    project: Settings, warehouse: Warehouse, made: Callable[..., bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert made()
    assert not made("insert into streams.iterable_users (user_key) values ('ada')")
    # columns that they read, then a view itself: as somebody else left it, or gone
    assert made(f"alter table {_TABLE} add column more integer")
    assert not made()
    assert made("create or replace view audiences.engaged as select 1 as one")
    assert warehouse.read("select count(*) from audiences.engaged where user_key = 'ada'") == [(0,)]
    assert made("drop view audiences.engaged")
    assert not made()
    # what the models are told
    assert made(settings=project.model_copy(update={"profile_fields": {"tier": "loyalty.tier"}}))

    def fails(settings: Settings, arguments: list[str]) -> None:
        raise ModelsFailed("no")

    monkeypatch.setattr(views, "run_dbt", fails)
    for _ in range(2):
        with pytest.raises(ModelsFailed):
            made()


def test_no_view_looks_into_the_data_for_its_text(project: Settings) -> None:
    found = json.loads(Path(manifest_path(project)).read_text())
    macros = {each["name"]: each["macro_sql"] for each in found["macros"].values() if each["package_name"] == _OURS}
    nodes = [each for each in found["nodes"].values() if each["resource_type"] == "model"]
    assert re.search(_LOOKS, _whole_text("days_back(1)", macros))
    made_of = {
        each["name"]: _whole_text(each["raw_code"], macros)
        for each in nodes
        if each["config"]["materialized"] == "view"
    }
    assert len(made_of) > 10
    for name, text in made_of.items():
        assert not re.search(_LOOKS, text), name


def _whole_text(text: str, macros: dict[str, str]) -> str:
    """A model with every macro of ours that it calls, on DuckDB."""
    called, found = {""}, set[str]()
    whole = text
    while called:
        called = {name for name in macros if name not in found and _calls(whole, name)}
        found |= called
        whole += "".join(macros[name] for name in called)
    return whole


def _calls(text: str, macro: str) -> bool:
    return re.search(rf"\b{macro.removeprefix('duckdb__')}\b", text) is not None
