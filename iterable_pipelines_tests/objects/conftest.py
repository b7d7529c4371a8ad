"""What the tests of objects share: a sandbox whose world stands still, and limits that last a thousandth as long."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from iterable_pipelines.api import LIMITS, Iterable, Ledger, Patience
from iterable_pipelines.hours import parse_hour
from iterable_pipelines.objects.refresh import Refreshed, refresh_object
from iterable_pipelines.sandbox import running_sandbox
from iterable_pipelines.sandbox.server import Sandbox
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse

PACE = 0.001
Refresh = Callable[..., Refreshed]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    # early on in the world's life, when it has few newsletters
    with running_sandbox(users=5, start=parse_hour("2025-02-28"), end=parse_hour("2025-03-01"), pace=PACE) as running:
        yield running


@pytest.fixture
def make_client(sandbox: Sandbox, project: Settings) -> Callable[..., Iterable]:
    """Makes a client of the sandbox, with its usual key unless another is given."""
    quick = {name: replace(limit, seconds=limit.seconds * PACE) for name, limit in LIMITS.items()}
    ledger = Ledger(project.ledger_path, limits=quick)
    return lambda key=sandbox.key: Iterable(key, sandbox.url, ledger, patience=Patience(attempts=1))


@pytest.fixture
def client(make_client: Callable[..., Iterable]) -> Iterable:
    return make_client()


@pytest.fixture
def refresh(client: Iterable, warehouse: Warehouse, project: Settings) -> Refresh:
    """Refreshes the objects named, one after the other, and returns what became of the last one."""

    def run(*names: str) -> Refreshed:
        done = [refresh_object(client, warehouse, project, name, "run", log=lambda text: None) for name in names]
        return done[-1]

    return run
