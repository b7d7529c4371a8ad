"""Streams: landing files into one DuckDB table per stream, and the warehouse's one door."""

from iterable_pipelines.streams.content import Content, content_of, tables_of
from iterable_pipelines.streams.load import Loaded, StaleWriter, load_hours
from iterable_pipelines.streams.replay import replay
from iterable_pipelines.streams.warehouse import Warehouse, WarehouseFailed, WarehouseLocked

__all__ = [
    "Content",
    "Loaded",
    "StaleWriter",
    "Warehouse",
    "WarehouseFailed",
    "WarehouseLocked",
    "content_of",
    "load_hours",
    "replay",
    "tables_of",
]
