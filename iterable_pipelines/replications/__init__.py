"""Tables and queries kept equal elsewhere: in PostgreSQL, changed rows only, or as a CSV, Parquet or NDJSON file."""

from iterable_pipelines.replications.declaration import Replication, load_replications
from iterable_pipelines.replications.replicate import Replicated, replicate

__all__ = ["Replicated", "Replication", "load_replications", "replicate"]
