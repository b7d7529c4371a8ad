"""docs/syncs.md: its examples load, its tables name every field, object and guard that there is."""

import re
from pathlib import Path

import pytest

from iterable_pipelines.activation.declaration import Guards, Sync
from iterable_pipelines.activation.objects import OBJECTS, load_syncs
from iterable_pipelines.activation.options import APPROVALS
from iterable_pipelines.settings import Settings
from iterable_pipelines_tests.cli.command import CHECKOUT

TEXT = (CHECKOUT / "docs" / "syncs.md").read_text()
EXAMPLES = dict(re.findall(r"```yaml\n# syncs/(\w+)\.yml\n(.*?)```", TEXT, re.DOTALL))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A project whose syncs are the examples."""
    (tmp_path / "syncs").mkdir()
    for name, text in EXAMPLES.items():
        (tmp_path / "syncs" / f"{name}.yml").write_text(text)
    return Settings(project_root=tmp_path, data_dir=tmp_path / "data", start_date="2026-11-01")


def test_there_is_an_example_of_every_object_and_all_load(settings: Settings) -> None:
    loaded = {each.name: each for each in load_syncs(settings)}
    assert set(loaded) == set(EXAMPLES)
    assert {each.object for each in loaded.values()} == set(OBJECTS)


def test_every_common_field_and_every_guard_is_told_of() -> None:
    rows = "\n".join(line for line in TEXT.splitlines() if line.startswith("|"))
    known = set(Sync.model_fields) - {"name"} | set(Guards.model_fields)
    assert {each for each in known if f"`{each}`" not in rows} == set()
    assert {each for each in APPROVALS if f"| `{each}` |" not in rows} == set()


def test_the_table_of_objects_says_their_modes_and_leaves() -> None:
    for name, model in OBJECTS.items():
        row = f"| `{name}` | {', '.join(model.modes)} | {', '.join(model.leaves)} |"
        assert row in TEXT, row


def test_an_object_tells_of_its_own_fields() -> None:
    names = set(re.findall(r"\w+(?=: |`)", TEXT))
    missing = {
        f"{name}.{field}"
        for name, model in OBJECTS.items()
        for field in set(model.model_fields) - set(Sync.model_fields)
        if not {field, model.model_fields[field].alias} & names
    }
    assert missing == set()
