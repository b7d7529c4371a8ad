"""A warehouse that this process keeps open, for properties that look into it hundreds of times."""

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from iterable_pipelines.streams import Warehouse


@contextmanager
def kept_open(warehouse: Warehouse) -> Iterator[Warehouse]:
    """The warehouse, whose every opening inside the block joins the one that is open: DuckDB needs 20 ms for a first.

    No other process gets in meanwhile.
    """
    warehouse.path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(warehouse.path, config={"memory_limit": warehouse.memory_limit}):
        yield warehouse
