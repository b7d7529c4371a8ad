"""What must hold for every hour of a stream, as questions to the warehouse and the manifest."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import duckdb

from iterable_pipelines.data_types import USERS, Stream
from iterable_pipelines.landing.manifest import Manifest
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams.load import naive
from iterable_pipelines.streams.warehouse import Warehouse


@dataclass(frozen=True)
class Check:
    """One promise about an hour. `blocking` ones stop what comes after when they fail."""

    name: str
    description: str
    blocking: bool

    def holds_for(self, stream: Stream) -> bool:
        """Users merge across hours, so only the first promise can be asked of them."""
        return stream.name != USERS or self is ROWS_MATCH


@dataclass(frozen=True)
class Outcome:
    """The answer to one check, with the numbers behind it."""

    check: Check
    passed: bool
    text: str
    numbers: dict[str, int]


ROWS_MATCH = Check("rows_match_manifest", "Every landed record of the hour is in the table, once.", True)
INSIDE_HOUR = Check("inside_its_hour", "Every event's createdAt lies in the hour it is stored under.", False)
UNIQUE_ID = Check("unique_event_id", "No event_id stands twice in the hour.", True)
CHECKS = (ROWS_MATCH, INSIDE_HOUR, UNIQUE_ID)


def check_hours(
    warehouse: Warehouse, manifest: Manifest, settings: Settings, stream: Stream, hours: list[datetime]
) -> Iterator[Outcome]:
    """Ask every check of a stream for `hours`; one short transaction in all."""
    span = [naive(min(hours)), naive(max(hours))]
    landed = {
        (data_type, naive(hour)): part.rows
        for data_type in settings.enabled_data_types(stream.name)
        for hour, part in manifest.current(data_type, hours).items()
    }
    with warehouse.transaction() as con:
        if stream.name == USERS:
            yield _users_match(con, span, sum(landed.values()))
            return
        yield _rows_match(con, stream, span, landed)
        outside, total = _one(
            con,
            "select count_if(created_at is null or created_at < _hour or created_at >= _hour + interval 1 hour), "
            f"count(*) from streams.{stream.name} where _hour between ? and ?",
            span,
        )
        text = f"{outside} of {total} events lie outside the hour they came in, or have no readable time"
        yield Outcome(INSIDE_HOUR, outside == 0, text, {"outside": outside, "rows": total})
        (twice,) = _one(
            con,
            f"select count(*) - count(distinct (_hour, event_id)) from streams.{stream.name} "
            "where _hour between ? and ?",
            span,
        )
        yield Outcome(UNIQUE_ID, twice == 0, f"{twice} events share an id with another", {"repeated": twice})


def _rows_match(
    con: duckdb.DuckDBPyConnection, stream: Stream, span: list[datetime], landed: dict[tuple[str, datetime], int]
) -> Outcome:
    stored = {
        (data_type, hour): rows
        for data_type, hour, rows in con.execute(
            f"select data_type, _hour, count(*) from streams.{stream.name} where _hour between ? and ? "
            "and _source = 'export' group by all",
            span,
        ).fetchall()
    }
    wrong = [key for key in landed.keys() | stored.keys() if landed.get(key, 0) != stored.get(key, 0)]
    text = "every part has the rows its manifest row counts"
    if wrong:
        data_type, hour = min(wrong, key=lambda key: (key[1], key[0]))
        text = (
            f"{len(wrong)} parts differ from the manifest, the first is {data_type} {hour:%Y-%m-%dT%H}: "
            f"{stored.get((data_type, hour), 0)} rows stored, {landed.get((data_type, hour), 0)} landed. "
            f"Next: materialize streams/{stream.name} for these hours"
        )
    numbers = {"landed": sum(landed.values()), "stored": sum(stored.values()), "parts_wrong": len(wrong)}
    return Outcome(ROWS_MATCH, not wrong, text, numbers)


def _users_match(con: duckdb.DuckDBPyConnection, span: list[datetime], landed: int) -> Outcome:
    loaded, twice = _one(
        con,
        "select coalesce(sum(rows), 0)::bigint, (select count(*) - count(distinct user_key) from "
        f"streams.{USERS} where _current and user_key is not null) from streams.loads where stream = '{USERS}' "
        "and hour between ? and ?",
        span,
    )
    text = f"{landed} user versions landed, {loaded} merged, {twice} users stand twice"
    numbers = {"landed": landed, "merged": loaded, "repeated": twice}
    return Outcome(ROWS_MATCH, landed == loaded and twice == 0, text, numbers)


def _one(con: duckdb.DuckDBPyConnection, sql: str, values: list[datetime]) -> tuple:  # type: ignore[type-arg]
    return con.execute(sql, values).fetchone() or ()
