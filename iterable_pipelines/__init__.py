"""Iterable, hour by hour, into DuckDB and back, driven by Dagster."""
