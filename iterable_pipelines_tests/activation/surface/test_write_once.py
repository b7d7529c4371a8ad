"""The job `write_once`: a dry run unless it is told otherwise, and no person in what Dagster keeps."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from iterable_pipelines.activation.one_off.job import OP, write_once_job
from iterable_pipelines.api.user_reads import Person, read_user
from iterable_pipelines_tests.activation.conftest import Activation, quick_client


def run(config: dict[str, Any], succeeds: bool = True) -> dg.ExecuteInProcessResult:
    with dg.DagsterInstance.ephemeral() as instance:
        result = write_once_job.execute_in_process(
            {"ops": {OP: {"config": config}}}, instance=instance, raise_on_error=False
        )
        assert result.success is succeeds
        return result


@pytest.fixture
def project(activation_project: Callable[..., Activation], monkeypatch: pytest.MonkeyPatch) -> Activation:
    made = activation_project()
    settings = made.settings
    for name in ("base_url", "project_root", "data_dir", "project_type"):
        monkeypatch.setenv(f"ITERABLE_{name.upper()}", str(getattr(settings, name)))
    monkeypatch.setenv("ITERABLE_API_KEY", made.sandbox.key)
    return made


def test_it_looks_first_and_writes_when_it_is_told_to(project: Activation, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("email,first_name\nada@ex.com,Ada\nnobody,Bob\n")
    config = {"write": "Users", "operation": "UPSERT", "file": str(file), "columns": {"first_name": "firstName"}}
    looked = run(config)
    assert project.requests() == []
    wrote = run({**config, "dry_run": False})
    found = read_user(quick_client(project.settings, print), Person(email="ada@ex.com")) or {}
    assert found["dataFields"]["firstName"] == "Ada"
    assert (tmp_path / "people.csv.errors.csv").exists()
    kept = "".join(str(each) for result in (looked, wrote) for each in result.all_events)
    assert "ada@ex.com" not in kept
    assert "Ada" not in kept


def test_what_cannot_be_written_fails_the_run(project: Activation) -> None:
    result = run({"write": "Events", "operation": "DELETE", "sql": "select 1 as id"}, succeeds=False)
    (failed,) = result.failure_data_for_node(OP).user_failure_data and [result.failure_data_for_node(OP)]
    assert "Events can be written by insert" in str(failed.user_failure_data.description)
    assert project.requests() == []
