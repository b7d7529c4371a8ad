"""Plans without a network: what a run would send is taken for answered, by the same transactions as in a real one."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb
import pytest

from iterable_pipelines.activation.declaration import Sync
from iterable_pipelines.activation.merge import merge
from iterable_pipelines.activation.meta import check_meta
from iterable_pipelines.activation.objects import load_syncs
from iterable_pipelines.activation.options import Options
from iterable_pipelines.activation.outbox import moment
from iterable_pipelines.activation.plan import Plan, make_plan, plan_sync
from iterable_pipelines.activation.project import Project
from iterable_pipelines.activation.state import open_workspace, state_path
from iterable_pipelines.activation.written_down import write_down
from iterable_pipelines.settings import Settings

# what Iterable says to a change, if anything: kind and code
Answer = Callable[[dict[str, Any]], tuple[str, str] | None]


def _acknowledged(change: dict[str, Any]) -> tuple[str, str]:
    return "acked", ""


@dataclass(frozen=True)
class Ran:
    """A plan, and the changes it made."""

    plan: Plan
    changes: list[dict[str, Any]]

    @property
    def ops(self) -> dict[str, str]:
        """Key of each change → op."""
        return {each["key"]: each["op"] for each in self.changes}


@dataclass(frozen=True)
class Planning:
    """A project with tables and syncs."""

    settings: Settings

    def table(self, name: str, sql: str) -> None:
        """Make a table of the copy for readers."""
        self.settings.published_path.parent.mkdir(parents=True, exist_ok=True)
        with duckdb.connect(self.settings.published_path) as con:
            con.execute("set timezone = 'UTC'")
            con.execute(f"create schema if not exists {name.partition('.')[0]}")
            con.execute(f"create or replace table {name} as {sql}")

    def sync(self, name: str, text: str) -> Sync:
        """Write syncs/<name>.yml; returns it loaded."""
        path = self.settings.project_root / "syncs" / f"{name}.yml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return next(each for each in load_syncs(self.settings) if each.name == name)

    def run(self, sync: Sync, answer: Answer = _acknowledged, **options: Any) -> Ran:
        """Plan, write down, have everything answered, and merge."""
        chosen = Options(**options)
        with open_workspace(self.settings, sync.name, write=True, renamed_from=sync.renamed_from) as workspace:
            check_meta(workspace, self.settings, sync, Project.of(self.settings, sync))
            plan = make_plan(workspace, Project.of(self.settings, sync), sync, chosen, None)
            plan.refuse_unapproved()
            cursor = workspace.con.execute("from scratch.changes order by number")
            names = [column[0] for column in cursor.description or ()]
            changes = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
            run_id = uuid4().hex
            write_down(workspace, run_id, sync, plan, chosen)
            said = [(each["number"], *told) for each in changes if (told := answer(each))]
            numbers, kinds, codes = map(list, zip(*said, strict=True)) if said else ([], [], [])
            workspace.con.execute(
                "insert into state.outcomes by name select ? as run_id, unnest(?::bigint[]) as number, "
                "unnest(?::text[]) as kind, unnest(?::text[]) as code, ?::timestamp as noted_at",
                [run_id, numbers, kinds, codes, moment()],
            )
            merge(workspace, run_id, plan)
        return Ran(plan, changes)

    def plan(self, sync: Sync, **options: Any) -> Plan:
        """A plan that asks Iterable nothing."""
        return plan_sync(self.settings, sync, Options(offline=True, **options))

    def state(self, sync: Sync, sql: str) -> list[tuple[Any, ...]]:
        """Rows of the sync's state."""
        with duckdb.connect() as con:
            con.execute(f"attach '{state_path(self.settings, sync.name)}' as state")
            return con.execute(sql).fetchall()


@pytest.fixture
def planning(tmp_path: Path) -> Callable[..., Planning]:
    """Makes a project of a type of identification."""

    def make(project_type: str = "hybrid", base_url: str = "http://127.0.0.1:9") -> Planning:
        return Planning(
            Settings(
                api_key="sandbox",
                base_url=base_url,
                project_root=tmp_path,
                project_type=project_type,
                data_dir=tmp_path / "data",
            )
        )

    return make
