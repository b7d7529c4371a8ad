"""Shared tables in a test that runs on both: a place is a file of SQLite, or the URL of a PostgreSQL database."""

from pathlib import Path

from iterable_pipelines.database import Database, SQLiteFile
from iterable_pipelines.shared_database import SharedDatabase


def database_at(place: str, purpose: str) -> Database:
    """What a process makes of a place."""
    return SharedDatabase(place, purpose) if "://" in place else SQLiteFile(Path(place))
