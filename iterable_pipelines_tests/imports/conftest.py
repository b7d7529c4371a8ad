"""What the tests of imports share: a sandbox that stands still, and a project with a folder of imports."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from iterable_pipelines.api.limits import LIMITS
from iterable_pipelines.hours import parse_hour
from iterable_pipelines.imports.file import Import
from iterable_pipelines.imports.reading import read_import
from iterable_pipelines.imports.run import Stored, run_import
from iterable_pipelines.sandbox import running_sandbox
from iterable_pipelines.sandbox.server import Sandbox
from iterable_pipelines.settings import Settings
from iterable_pipelines_tests.postgres_server import Server

Place = Callable[..., Import]
# what a second of a limit lasts
_PACE = 0.01


@pytest.fixture(scope="session")
def world_sandbox() -> Iterator[Sandbox]:
    """A world that stands still, so that a later question has the same answer; jobs end at once."""
    span = {"start": parse_hour("2026-10-25"), "end": parse_hour("2026-11-03")}
    with running_sandbox(users=40, **span, relaxed=True, job_seconds=0, pace=_PACE) as running:
        yield running


@pytest.fixture(autouse=True)
def _lists_as_quick_as_the_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five lists may be read in what is a minute to the sandbox."""
    limit = LIMITS["list users"]
    monkeypatch.setitem(LIMITS, limit.name, replace(limit, seconds=limit.seconds * _PACE))


@pytest.fixture
def project(tmp_path: Path, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a project on the sandbox. All share a ledger: the sandbox's limits do not begin anew with a test."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "ledger.db").symlink_to(tmp_path_factory.getbasetemp() / "ledger-of-imports.db")
    return Settings(
        project_root=tmp_path,
        api_key=sandbox.key,
        base_url=sandbox.url,
        data_dir=data,
        requests_relaxed=True,
        memory_limit="500MB",
    )


def file_of(source: str, target: str = "", rest: str = "") -> str:
    """An import's file: fields of `in` and `out` as `a: b; c: d`, into the table `loaded` unless that is said."""
    out = "table: loaded; auto_create_table: true; " if "table:" not in target else ""
    return f"in:\n  type: iterable\n{_block(source)}out:\n{_block(out + target)}{rest}"


def _block(fields: str) -> str:
    return "".join(f"  {each.strip()}\n" for each in fields.split(";") if each.strip())


@pytest.fixture
def place(project: Settings) -> Place:
    """Write an import's file, by name and by what `file_of` takes, and read it."""

    def make(name: str, source: str, target: str = "", rest: str = "") -> Import:
        path = project.project_root / "imports" / f"{name}.yml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(file_of(source, target, rest))
        return read_import(path, project)

    return make


@pytest.fixture
def run(project: Settings) -> Callable[[Import], Stored]:
    """Run an import to its end; the runs are called run-1, run-2 and so on."""
    numbers = count(1)
    return lambda made: run_import(made, project, f"run-{next(numbers)}", lambda text: None)


@pytest.fixture
def environment(project: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Dagster's runs and schedules read: the project's settings, as variables."""
    for name in ("project_root", "base_url", "data_dir", "memory_limit"):
        monkeypatch.setenv(f"ITERABLE_{name.upper()}", str(getattr(project, name)))
    monkeypatch.setenv("ITERABLE_API_KEY", project.required_api_key())
    monkeypatch.setenv("ITERABLE_REQUESTS_RELAXED", "true")


@pytest.fixture
def url(postgres: Server, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[str]:
    """A PostgreSQL database of the test's own, which REPORTING_URL names."""
    with postgres.database(f"db{abs(hash(request.node.name))}") as made:
        monkeypatch.setenv("REPORTING_URL", made)
        yield made


def tick(definitions: dg.Definitions, name: str, moment: datetime) -> Any:
    """What the schedule of that name asks for at a moment."""
    (schedule,) = [each for each in definitions.get_repository_def().schedule_defs if each.name == name]
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_schedule_context(instance=instance, scheduled_execution_time=moment)
        return schedule.evaluate_tick(context)


def rows(project: Settings, query: str, file: str = "imports") -> list[tuple]:  # type: ignore[type-arg]
    """All rows of a query on what was imported."""
    with duckdb.connect(project.data_dir / f"{file}.duckdb", read_only=True) as con:
        con.execute("set timezone = 'UTC'")
        return con.execute(query).fetchall()
