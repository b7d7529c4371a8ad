"""What is written for people about settings and set-up is true."""

import re
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dotenv import dotenv_values

from iterable_pipelines.settings import Settings, describe_settings
from iterable_pipelines.settings_sources import OTHER_NAMES

ROOT = Path(__file__).resolve().parents[2]


def readme() -> str:
    return (ROOT / "README.md").read_text()


def test_every_setting_is_described() -> None:
    assert [each.env for each in describe_settings() if not each.description] == []
    assert [each.yaml for each in describe_settings()][:3] == ["", "", "region"]


def test_the_table_of_settings_is_that_of_the_model() -> None:
    table = (ROOT / "docs" / "settings.md").read_text()
    written = re.findall(r"^\| `(ITERABLE_\w+)` \| (.*?) \| (.*?) \| (.*) \|$", table, re.MULTILINE)
    assert written == [
        (each.env, f"`{each.yaml}`" if each.yaml else "–", each.default, each.description)
        for each in describe_settings()
    ]


@pytest.mark.parametrize("document", ["README.md", *(f"docs/{each.name}" for each in (ROOT / "docs").glob("*.md"))])
def test_no_variable_is_named_that_is_no_setting(document: str) -> None:
    known = {each.env for each in describe_settings()} | set(OTHER_NAMES)
    assert set(re.findall(r"ITERABLE_[A-Z_]+[A-Z]", (ROOT / document).read_text())) <= known


@pytest.mark.parametrize("document", ["README.md", *(f"docs/{each.name}" for each in (ROOT / "docs").glob("*.md"))])
def test_every_file_that_is_linked_is_there(document: str) -> None:
    linked = re.findall(r"\]\((?!https?:|#)([^)#]+)", (ROOT / document).read_text())
    folder = (ROOT / document).parent
    assert [each for each in linked if not (folder / each).exists()] == []


def test_the_two_commands_come_first() -> None:
    lines = [line.strip() for line in readme().splitlines() if line.strip()]
    assert lines[1].startswith("make demo ")
    assert lines[2].startswith("make test ")


@pytest.mark.parametrize("document", ["README.md", ".ci/run"])
def test_every_make_target_that_is_named_is_there(document: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = re.findall(r"(?:^\s*|`)make ([a-z]+)", (ROOT / document).read_text(), re.MULTILINE)
    assert named
    assert set(named) <= targets


def test_the_example_can_be_taken_as_it_is(given: Callable[..., Settings]) -> None:
    text = (ROOT / ".env.example").read_text()
    assert given(dotenv=text) == Settings(project_root=given().project_root)
    assert dotenv_values(ROOT / ".env.example")["ITERABLE_API_KEY"] == ""


def test_dagster_takes_its_configuration(tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text())
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert instance.run_monitoring_enabled
        assert instance.run_retries_enabled
        assert not instance.telemetry_enabled
        # a killed command-line import would leave the next one waiting for its slot for ever
        assert instance.global_op_concurrency_default_limit is None


def test_the_workspace_names_the_definitions() -> None:
    (entry,) = yaml.safe_load((ROOT / "workspace.yaml").read_text())["load_from"]
    assert entry["python_module"]["module_name"] == "iterable_pipelines.definitions"


def test_every_requirement_is_pinned() -> None:
    """`make install` takes exact versions for whatever it is told to install."""
    project = (ROOT / "pyproject.toml").read_text()
    wanted = re.findall(r'^    "([A-Za-z0-9-]+)', project, re.MULTILINE)
    pinned = dict(
        line.lower().replace("_", "-").split("==") for line in (ROOT / "constraints.txt").read_text().splitlines()
    )
    assert len(wanted) > 20
    assert [name for name in wanted if name.lower() not in pinned] == []
