"""Refresh one kind of object: the whole listing over the network first, then one short transaction."""

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from iterable_pipelines.api import Iterable as Client
from iterable_pipelines.objects.declarations import OBJECT_TYPE
from iterable_pipelines.objects.fetch import fetch
from iterable_pipelines.objects.store import store
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams.warehouse import Warehouse


@dataclass(frozen=True)
class Refreshed:
    """Rows listed, rows written because they are new or different, rows marked as gone, answers it took."""

    rows: int
    changed: int
    gone: int
    requests: int


def refresh_object(
    client: Client,
    warehouse: Warehouse,
    settings: Settings,
    name: str,
    run_id: str,
    log: Callable[[str], None] = print,
) -> Refreshed:
    """Bring `objects.<name>` to what Iterable lists now.

    Raises IterableError unless every page came, or WarehouseFailed, with the table unchanged; KeyError: no such name.
    """
    kind = OBJECT_TYPE[name]
    scratch = settings.landing_dir / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    # named by process, so that the next landing sweeps what a killed one leaves
    with tempfile.TemporaryDirectory(dir=scratch, prefix=f"{os.getpid()}-") as folder:
        listing = Path(folder) / f"{name}.ndjson"
        requests = fetch(client, kind, listing)
        stored = store(warehouse, kind, listing, requests, run_id)
    log(f"objects/{name}: {stored.rows:,} listed, {stored.changed:,} changed, {stored.gone:,} gone")
    return Refreshed(stored.rows, stored.changed, stored.gone, requests)
