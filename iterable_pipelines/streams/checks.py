"""What must hold for every hour of a stream, as questions to the warehouse and the manifest."""

from datetime import datetime

import duckdb

from iterable_pipelines.data_types import USERS, Stream
from iterable_pipelines.hours import hour_key, now
from iterable_pipelines.landing.expired import without_expired
from iterable_pipelines.landing.manifest import Manifest
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams.completeness import refresh
from iterable_pipelines.streams.load import naive
from iterable_pipelines.streams.outcomes import Check, Outcome
from iterable_pipelines.streams.verdicts import COMPLETE, IN_BAND, note_told, verdicts
from iterable_pipelines.streams.warehouse import Warehouse

ROWS_MATCH = Check("rows_match_manifest", "Every landed record of the hour is in the table, once.", True)
INSIDE_HOUR = Check("inside_its_hour", "Every event's createdAt lies in the hour it is stored under.", False)
UNIQUE_ID = Check("unique_event_id", "No event_id stands twice in the hour.", True)


def checks_of(stream: Stream) -> tuple[Check, ...]:
    """The checks of a stream; users merge across hours, so nothing can be asked of an hour's rows in their table."""
    return (
        (ROWS_MATCH, COMPLETE, IN_BAND)
        if stream.name == USERS
        else (ROWS_MATCH, INSIDE_HOUR, UNIQUE_ID, COMPLETE, IN_BAND)
    )


def check_hours(
    warehouse: Warehouse, manifest: Manifest, settings: Settings, stream: Stream, hours: list[datetime]
) -> dict[Check, list[Outcome]]:
    """Ask every check of a stream for each of `hours`; one short transaction in all."""
    landed: dict[datetime, dict[str, int]] = {hour: {} for hour in hours}
    for data_type in settings.enabled_data_types(stream.name):
        for hour, part in manifest.current(data_type, without_expired(manifest, stream.name, hours)).items():
            landed[hour][data_type] = part.rows
    span = [naive(min(hours)), naive(max(hours))]
    with warehouse.transaction() as con:
        refresh(con, settings, manifest, now(), [stream.name], min(hours))
        told = verdicts(con, stream.name, hours)
        note_told(con, stream.name, [each for outcomes in told.values() for each in outcomes])
        if stream.name == USERS:
            return {ROWS_MATCH: _users_match(con, span, landed), **told}
        return {
            ROWS_MATCH: _rows_match(con, stream, span, landed),
            INSIDE_HOUR: _inside_hour(con, stream, span, hours),
            UNIQUE_ID: _unique_id(con, stream, span, hours),
            **told,
        }


def _rows_match(
    con: duckdb.DuckDBPyConnection, stream: Stream, span: list[datetime], landed: dict[datetime, dict[str, int]]
) -> list[Outcome]:
    stored: dict[datetime, dict[str, int]] = {}
    for data_type, at, rows in con.execute(
        f"select data_type, _hour, count(*) from streams.{stream.name} where _hour between ? and ? "
        "and _source = 'export' group by all",
        span,
    ).fetchall():
        stored.setdefault(at, {})[data_type] = rows
    outcomes = []
    for hour, parts in landed.items():
        there = stored.get(naive(hour), {})
        wrong = [name for name in sorted(parts.keys() | there.keys()) if parts.get(name, 0) != there.get(name, 0)]
        text = "every part has the rows its manifest row counts"
        if wrong:
            text = (
                f"{len(wrong)} parts differ from the manifest, the first is {wrong[0]} {hour_key(hour)}: "
                f"{there.get(wrong[0], 0)} rows stored, {parts.get(wrong[0], 0)} landed. "
                f"Next: materialize streams/{stream.name} for this hour"
            )
        numbers = {"landed": sum(parts.values()), "stored": sum(there.values()), "parts_wrong": len(wrong)}
        outcomes.append(Outcome(ROWS_MATCH, hour, not wrong, text, numbers, True))
    return outcomes


def _inside_hour(
    con: duckdb.DuckDBPyConnection, stream: Stream, span: list[datetime], hours: list[datetime]
) -> list[Outcome]:
    found = con.execute(
        "select _hour, count_if(created_at is null or created_at < _hour or created_at >= _hour + interval 1 hour), "
        f"count(*) from streams.{stream.name} where _hour between ? and ? group by _hour",
        span,
    ).fetchall()
    counted = {at: (outside, rows) for at, outside, rows in found}
    outcomes = []
    for hour in hours:
        outside, rows = counted.get(naive(hour), (0, 0))
        text = f"{outside} of {rows} events lie outside the hour they came in, or have no readable time"
        outcomes.append(Outcome(INSIDE_HOUR, hour, outside == 0, text, {"outside": outside, "rows": rows}, False))
    return outcomes


def _unique_id(
    con: duckdb.DuckDBPyConnection, stream: Stream, span: list[datetime], hours: list[datetime]
) -> list[Outcome]:
    found = con.execute(
        f"select _hour, count(*) - count(distinct event_id) from streams.{stream.name} where _hour between ? and ? "
        "group by _hour",
        span,
    ).fetchall()
    counted = dict(found)
    outcomes = []
    for hour in hours:
        twice = counted.get(naive(hour), 0)
        outcomes.append(
            Outcome(UNIQUE_ID, hour, twice == 0, f"{twice} events share an id with another", {"repeated": twice}, True)
        )
    return outcomes


def _users_match(
    con: duckdb.DuckDBPyConnection, span: list[datetime], landed: dict[datetime, dict[str, int]]
) -> list[Outcome]:
    (twice,) = con.execute(
        f"select count(*) - count(distinct user_key) from streams.{USERS} where _current and user_key is not null"
    ).fetchone() or (0,)
    loaded = dict(
        con.execute(
            "select hour, sum(rows)::bigint from streams.loads where stream = ? and hour between ? and ? group by hour",
            [USERS, *span],
        ).fetchall()
    )
    outcomes = []
    for hour, parts in landed.items():
        came, merged = sum(parts.values()), loaded.get(naive(hour), 0)
        text = f"{came} user versions landed, {merged} merged, {twice} users stand twice"
        numbers = {"landed": came, "merged": merged, "repeated": twice}
        outcomes.append(Outcome(ROWS_MATCH, hour, came == merged and twice == 0, text, numbers, True))
    return outcomes
