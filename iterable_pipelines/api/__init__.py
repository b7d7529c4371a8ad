"""Iterable over HTTP. Imports no Dagster; works from a notebook:

ledger = Ledger(Path("data/ledger.db"))
client = Iterable(api_key, "https://api.iterable.com", ledger, log=print)
client.export_events("emailOpen", Window.of_hour(hour), Path("opens.ndjson"))
"""

from iterable_pipelines.api.address import REGIONS
from iterable_pipelines.api.client import Iterable
from iterable_pipelines.api.connection import Connection, check_connection
from iterable_pipelines.api.download import Download
from iterable_pipelines.api.errors import Broken, Busy, IterableError, NotToday, Refused, TooLarge, TooMuch, Truncated
from iterable_pipelines.api.jobs import JobFile, JobFiles, JobPage
from iterable_pipelines.api.ledger import SEEN_WITHIN, Ledger, Priority
from iterable_pipelines.api.limits import LIMITS, Limit, scope_of
from iterable_pipelines.api.patience import Patience
from iterable_pipelines.api.writes import Answer

__all__ = [
    "LIMITS",
    "REGIONS",
    "SEEN_WITHIN",
    "Answer",
    "Broken",
    "Busy",
    "Connection",
    "Download",
    "Iterable",
    "IterableError",
    "JobFile",
    "JobFiles",
    "JobPage",
    "Ledger",
    "Limit",
    "NotToday",
    "Patience",
    "Priority",
    "Refused",
    "TooLarge",
    "TooMuch",
    "Truncated",
    "check_connection",
    "scope_of",
]
