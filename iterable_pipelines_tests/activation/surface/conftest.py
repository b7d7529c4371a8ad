"""What tests of the surface share: a project with a sync, and a Dagster of its own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest

from iterable_pipelines_tests.activation.conftest import Activation

SYNC = """
object: user
source: shop.people
primary_key: id
match: {column: email, field: email}
fields: {first_name: firstName}
"""
PEOPLE = (
    "select * from (values (1, 'ada@ex.com', 'Ada'), (2, 'bob@ex.com', 'Bob'), (3, 'nobody', 'X')) "
    "t(id, email, first_name)"
)


@pytest.fixture
def shop(activation_project: Callable[..., Activation], monkeypatch: pytest.MonkeyPatch) -> Activation:
    """A project with three people, one of whom nobody can write to."""
    project = activation_project()
    for name in ("project_root", "data_dir", "base_url", "project_type"):
        monkeypatch.setenv(f"ITERABLE_{name.upper()}", str(getattr(project.settings, name)))
    monkeypatch.setenv("ITERABLE_API_KEY", project.sandbox.key)
    project.table("shop.people", PEOPLE)
    project.sync("people", SYNC + "max_failure_ratio: 0.5\n")
    return project


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """A Dagster of its own, in files that can be searched."""
    home = tmp_path / "dagster"
    home.mkdir()
    with dg.DagsterInstance.local_temp(str(home)) as made:
        yield made
