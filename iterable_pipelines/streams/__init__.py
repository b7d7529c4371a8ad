"""Streams: landing files into one DuckDB table per stream, and the warehouse's one door."""

from iterable_pipelines.streams.load import Loaded, StaleWriter, load_hours
from iterable_pipelines.streams.warehouse import Warehouse, WarehouseFailed, WarehouseLocked

__all__ = ["Loaded", "StaleWriter", "Warehouse", "WarehouseFailed", "WarehouseLocked", "load_hours"]
