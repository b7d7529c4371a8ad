"""What lies where in the lake, a folder or an object store.

streams/<stream>/hour=2026-11-01T03/data_type=emailOpen/part.parquet   events, one file for each type and hour
streams/loads/part.parquet, objects/campaigns/part.parquet, …          snapshots of the other sources of the models
profiles/…, marts/…, audiences/…                                       Spark's own tables
published/<number>/profiles/user_profiles/…                            the tables that readers see
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import duckdb

from iterable_pipelines.file_store import FileStore, is_remote
from iterable_pipelines.hours import hour_key
from iterable_pipelines.landing.scratch import scratch_folder, sweep
from iterable_pipelines.settings import Settings

PART = "part.parquet"
PUBLISHED = "published"
# the schemas of what models make
OF_SPARK = ("profiles", "marts", "audiences")
# gives a stream its columns before there are events; an hour that no event can have
_FIRST_HOUR, _NO_TYPE = "0001-01-01T00", "none"


class Lake:
    """The files of the lake by name, and how DuckDB reads them."""

    def __init__(self, settings: Settings) -> None:
        """Where the settings say. What is on its way to an object store lies in the data folder."""
        options = settings.landing_options
        self.url = settings.lake_url
        # as for landing: a project has one store, if any
        self._options = json.loads(options.get_secret_value()) if options and is_remote(self.url) else {}
        self.files = FileStore(self.url, self._options)
        self._own = self.files.folder or settings.data_dir / "lake"

    @classmethod
    def of(cls, settings: Settings) -> "Lake | None":
        """The lake of a project; None with engine `duckdb`, whose events lie in the warehouse."""
        return cls(settings) if settings.engine == "spark" else None

    @classmethod
    def with_persons(cls, settings: Settings) -> "Lake | None":
        """The lake that may hold persons: after moving back to engine `duckdb` the one that is still named, too."""
        return cls(settings) if settings.engine == "spark" or settings.lake else None

    def open_for(self, con: duckdb.DuckDBPyConnection) -> None:
        """Let a connection read the lake where it is an object store."""
        if is_remote(self.url):
            from fsspec.core import url_to_fs

            con.register_filesystem(url_to_fs(self.url, **{"use_listings_cache": False, **self._options})[0])

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder from which a finished file can be put; what killed processes left there is swept."""
        sweep(self._own)
        with scratch_folder(self._own, "lake-") as folder:
            yield folder

    def events(self, stream: str) -> str:
        """The pattern of all event files of a stream, as DuckDB reads it."""
        return self.files.url(f"streams/{stream}/*/*/{PART}")

    def part(self, stream: str, data_type: str, hour: datetime) -> str:
        """The name of the file with the events of one type and hour."""
        return f"streams/{stream}/hour={hour_key(hour)}/data_type={data_type}/{PART}"

    def no_events(self, stream: str) -> str:
        """The name of the file that has a stream's columns and no rows."""
        return f"streams/{stream}/hour={_FIRST_HOUR}/data_type={_NO_TYPE}/{PART}"

    def snapshot(self, schema: str, table: str) -> str:
        """The name of the file that a table of the warehouse is copied to for Spark."""
        return f"{schema}/{table}/{PART}"
