"""What a plan costs: requests, bytes, and minutes at the pace that Iterable allows (outbound.md 1.9)."""

from dataclasses import dataclass

import duckdb

from iterable_pipelines.activation.endpoints import ENDPOINTS, MOST_BYTES
from iterable_pipelines.api.limits import LIMITS, limits_of


@dataclass(frozen=True)
class Costs:
    """Requests and bytes of what is sent, how much is looked up before, and the least `minutes` that takes."""

    requests: int = 0
    bytes: int = 0
    lookups: int = 0
    minutes: float = 0.0


def costs_of(con: duckdb.DuckDBPyConnection, lookups: int) -> Costs:
    """The costs of `scratch.changes`. A request more or less: whoever stands twice in a request goes in another one."""
    groups = con.execute(
        "select endpoint, count(*), sum(strlen(payload)) from scratch.changes group by endpoint, flags"
    ).fetchall()
    requests = total = 0
    seconds = lookups * LIMITS["user"].seconds / LIMITS["user"].calls
    for name, records, size in groups:
        endpoint = ENDPOINTS[name]
        here = max(-(-records // endpoint.most), -(-(size + records) // MOST_BYTES))
        requests, total = requests + here, total + size
        limit = limits_of(endpoint.method, endpoint.path)[0]
        seconds += here * limit.seconds / limit.calls
    return Costs(requests, total, lookups, round(seconds / 60, 2))
