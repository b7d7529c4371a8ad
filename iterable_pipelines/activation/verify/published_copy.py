"""What the import has brought since then, held against what was acknowledged: the whole population, with no request.

Only what is there as it was sent counts; anything else may have happened after the hours that are imported, and is
looked for at Iterable.
"""

import json
from collections.abc import Iterator
from itertools import groupby
from typing import Any

import duckdb

from iterable_pipelines.activation.verify.events import find_events
from iterable_pipelines.activation.verify.notebook import COLUMNS, Notebook, promise_of
from iterable_pipelines.activation.verify.people import Found
from iterable_pipelines.activation.verify.promises import Promise
from iterable_pipelines.activation.verify.readings import READ_BACK
from iterable_pipelines.data_types import CUSTOM, PURCHASE, USERS
from iterable_pipelines.hours import now
from iterable_pipelines.published import NothingPublished, reading
from iterable_pipelines.quoting import literal

# two joins, each by an equality, are far faster than one by either
_WHO = {"email": "lower(trim(s.email)) = p.identity", "userId": "s.user_id = p.identity"}
_AT = "s.created_at = epoch_ms(1000 * try_cast(p.payload ->> '$.createdAt' as bigint))"

# a promise, and a record of the import that may keep it, with what tells it from others
Pair = tuple[Promise, str, dict[str, Any]]


def find_in_copy(notebook: Notebook, full: bool) -> Iterator[Found]:
    """Every promise that the published copy shows to be kept; none where nothing is published.

    Users by an export that is newer than what is known of them; events by who, name, second and content.
    """
    which = "p.settled" if full else "p.settled and not p.looked_at"
    yield from _users(_pairs(notebook, USERS, "user_key", _in_export(), f"{which} and s._fetched_at > p.since"))
    for stream, endpoints, same in (
        (CUSTOM, ("events", "event"), f"{_AT} and s.event_name = (p.payload ->> '$.eventName')"),
        (PURCHASE, ("purchase",), _AT),
    ):
        yield from _events(_pairs(notebook, stream, "event_id", endpoints, f"{which} and not p.was_right and {same}"))


def _in_export() -> tuple[str, ...]:
    return tuple(name for name, each in READ_BACK.items() if each.in_export)


def _users(pairs: Iterator[Pair]) -> Iterator[Found]:
    for _, group in groupby(pairs, lambda pair: (pair[0].key, pair[0].output)):
        for promise, _, record in group:
            judge = READ_BACK[promise.endpoint].judge
            found = judge(promise, {**record, "dataFields": record}) if judge else None
            if found and found.verdict == "verified":
                yield promise, found
                break


def _events(pairs: Iterator[Pair]) -> Iterator[Found]:
    for _, group in groupby(pairs, lambda pair: (pair[0].identity_kind, pair[0].identity)):
        promises: dict[tuple[str, str], Promise] = {}
        records: dict[str, dict[str, Any]] = {}
        for promise, event_id, record in group:
            promises[promise.key, promise.output] = promise
            records[event_id] = record
        found = find_events(list(promises.values()), records.values(), now())
        yield from (
            (each, how) for each, how in zip(promises.values(), found, strict=True) if how.verdict == "verified"
        )


def _pairs(notebook: Notebook, stream: str, key: str, endpoints: tuple[str, ...], same: str) -> Iterator[Pair]:
    file = notebook.folder / f"{stream}.parquet"
    columns = ", ".join(f"p.{name}" for name in COLUMNS)
    joined = " union all ".join(
        f"select {columns}, s.{key} as row_key, s.record from read_parquet({literal(str(notebook.file))}) as p "
        f"join streams.{stream} as s on {who} where p.identity_kind = {literal(kind)} "
        f"and p.endpoint in ({', '.join(map(literal, endpoints))}) and {same}"
        for kind, who in _WHO.items()
    )
    try:
        with reading(notebook.settings, notebook.folder) as con:
            con.execute(f"copy ({joined}) to {literal(str(file))}")
    except (NothingPublished, duckdb.CatalogException):
        # nothing is imported, or not this stream
        return
    for row in notebook.rows(
        f"from read_parquet({literal(str(file))}) order by identity_kind, identity, key, output, row_key"
    ):
        yield promise_of(row), row[-2], json.loads(row[-1])
