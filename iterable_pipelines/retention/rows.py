"""Rows out of the tables of streams; what they add to the counts of people and campaigns is written down first."""

from collections.abc import Mapping, Set
from datetime import datetime

import duckdb

from iterable_pipelines.data_types import ACTIVITY_STREAMS, STREAM, Stream
from iterable_pipelines.streams.load import naive

# what the marts count of an event; profiles have counted it by the hour, and keep that
_COUNTED = ("data_type", "campaign_id", "experiment_id")
_NAMES = ("template_id", "campaign_name", "template_name")


def take_rows_out(con: duckdb.DuckDBPyConnection, expired: Mapping[str, Set[datetime]]) -> dict[str, int]:
    """Delete the rows of expired hours within the transaction of `con`; returns how many of each stream.

    An hour is counted once, when its rows leave. What comes for it afterwards, webhooks above all, leaves uncounted, as
    the profiles do not count it either.
    """
    gone = {}
    for stream in ACTIVITY_STREAMS:
        hours = sorted(naive(hour) for hour in expired.get(stream.name, ()))
        if not hours:
            continue
        con.execute("create or replace temp table leaving as select unnest($1::TIMESTAMP[]) as hour", [hours])
        con.execute(
            "create or replace temp table leaving_now as select hour from leaving anti join "
            "(select hour from streams.expired_hours where stream = $1) as before using (hour)",
            [stream.name],
        )
        _write_down(con, stream)
        span = f"_hour between timestamp '{hours[0]}' and timestamp '{hours[-1]}'"
        found = con.execute(
            f"delete from streams.{stream.name} where {span} and _hour in (select hour from leaving)"
        ).fetchone()
        gone[stream.name] = int(found[0]) if found else 0
        con.execute(
            "update streams.completeness set state = 'expired', rows_loaded = 0, file_there = null, trouble = null "
            "where stream = $1 and state <> 'expired' and hour in (select hour from leaving)",
            [stream.name],
        )
    return gone


def _write_down(con: duckdb.DuckDBPyConnection, stream: Stream) -> None:
    total = "total" if "total" in STREAM[stream.name].columns else "null"
    latest = ", ".join(f"arg_max({name}, created_at) as {name}" for name in _NAMES)
    now_leaving = f"from streams.{stream.name} where _hour in (select hour from leaving_now)"
    con.execute(
        f"insert into streams.expired_activity by name select user_key, {', '.join(_COUNTED)}, {latest}, "
        "count(*) as events, min(created_at) as first_at, max(created_at) as last_at, "
        f"sum(try_cast({total} as decimal(28, 6))) as total {now_leaving} and user_key is not null "
        f"group by user_key, {', '.join(_COUNTED)}"
    )
    con.execute(
        "insert into streams.expired_hours by name select $1 as stream, hour, count(_hour) as rows, "
        "now() at time zone 'UTC' as expired_at from leaving_now "
        f"left join (select _hour {now_leaving}) as stored on stored._hour = leaving_now.hour group by hour",
        [stream.name],
    )
