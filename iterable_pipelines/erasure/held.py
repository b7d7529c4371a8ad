"""The warehouse, and the lake that belongs to it, held for an erasure: whoever loads or builds waits meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager

from iterable_pipelines.erasure.errors import StoreBusy
from iterable_pipelines.erasure.store import Log
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams.warehouse import Warehouse, WarehouseLocked

# how long it may be held by somebody else
PATIENCE = 600.0


@contextmanager
def held(settings: Settings, log: Log, wait_seconds: float = PATIENCE) -> Iterator[Warehouse]:
    """The warehouse, with every other process of this project kept out. Raises StoreBusy if somebody keeps it."""
    warehouse = Warehouse.of(settings, log, wait_seconds)
    try:
        with warehouse.locked():
            yield warehouse
    except WarehouseLocked as locked:
        raise StoreBusy(str(locked)) from None
