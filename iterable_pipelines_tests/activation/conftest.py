"""What tests of activation share: a project with tables of its own, a sandbox to write to, and a look at both ends."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pytest

from iterable_pipelines.activation.objects import load_syncs
from iterable_pipelines.activation.options import Options
from iterable_pipelines.activation.report import RunReport
from iterable_pipelines.activation.run import run_sync
from iterable_pipelines.activation.send import Pace
from iterable_pipelines.activation.state import state_path
from iterable_pipelines.api import Iterable, Ledger, Patience
from iterable_pipelines.api.limits import LIMITS
from iterable_pipelines.sandbox.server import Sandbox, running_sandbox
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse

# no test waits for anything, and a second of a limit is over in ten milliseconds, here and in the sandbox
AT_ONCE = Pace(first_wait=0.0, longest_wait=0.01, longest=5.0, settle=0.0)
QUICK = 0.01
_LIMITS = {name: replace(limit, seconds=limit.seconds * QUICK) for name, limit in LIMITS.items()}


def quick_client(settings: Settings, log: Callable[[str], None], patience: Patience | None = None) -> Iterable:
    """A client for which limits are over soon."""
    ledger = Ledger(settings.ledger_path, limits=_LIMITS)
    return Iterable(settings.required_api_key(), settings.url, ledger, log=log, patience=patience)


@dataclass
class Activation:
    """A project, its warehouse and what it may write to."""

    settings: Settings
    sandbox: Sandbox
    pace: Pace = AT_ONCE
    said: list[str] = field(default_factory=list)

    def sync(self, name: str, text: str) -> Path:
        """Write syncs/<name>.yml."""
        path = self.settings.project_root / "syncs" / f"{name}.yml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    def table(self, name: str, sql: str) -> None:
        """Make a table, `schema.name`, of a query, in the warehouse and in the copy for readers."""
        warehouse = Warehouse.of(self.settings, self.said.append)
        with warehouse.transaction() as con:
            con.execute(f"create schema if not exists {name.partition('.')[0]}")
            con.execute(f"create or replace table {name} as {sql}")
        warehouse.publish()

    def run(self, name: str, **options: Any) -> RunReport:
        """Run a sync."""
        (sync,) = [each for each in load_syncs(self.settings) if each.name == name]
        clients = partial(quick_client, self.settings, self.said.append)
        return run_sync(self.settings, sync, Options(**options), self.said.append, clients, self.pace)

    def requests(self, path: str = "/api/") -> list[dict[str, Any]]:
        """The bodies of the writes that arrived, in order."""
        asked = self.sandbox.requests(path)
        return [json.loads(each.body) if each.body else {} for each in asked if each.method != "GET"]

    def state(self, sql: str, name: str | None = None) -> list[tuple[Any, ...]]:
        """Rows of the state of a sync, by default of the only one."""
        path = state_path(self.settings, name or next((self.settings.data_dir / "activation").glob("*.duckdb")).stem)
        with duckdb.connect() as con:
            con.execute(f"attach '{path}' as state (read_only)")
            return con.execute(sql).fetchall()

    def published(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of the warehouse."""
        return Warehouse.of(self.settings).read(sql)


@contextmanager
def empty_project(folder: Path, project_type: str, **options: Any) -> Iterator[tuple[Settings, Sandbox]]:
    """The settings of a project in a folder, and an empty sandbox for it; `options` are those of `running_sandbox`."""
    with running_sandbox(users=0, project_type=project_type, **options) as sandbox:
        settings = Settings(
            api_key=sandbox.key,
            base_url=sandbox.url,
            project_root=folder,
            project_type=project_type,
            data_dir=folder / "data",
        )
        yield settings, sandbox


@pytest.fixture
def activation_project(tmp_path: Path) -> Iterator[Callable[..., Activation]]:
    """Makes a project of a type; `options` are those of `running_sandbox`."""
    with ExitStack() as running:

        def make(project_type: str = "hybrid", **options: Any) -> Activation:
            settings, sandbox = running.enter_context(empty_project(tmp_path, project_type, pace=QUICK, **options))
            return Activation(settings, sandbox)

        yield make
