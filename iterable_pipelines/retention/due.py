"""Which hours may leave: old enough, and nothing that is still to be done needs their rows or their files.

An hour leaves a stream only when all of it, in every stream, has landed and passed its last audit, when the load log
says that its rows are in the tables, and when the models have counted them: what leaves can be asked of nobody again.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import duckdb

from iterable_pipelines.data_types import ACTIVITY_STREAMS
from iterable_pipelines.hours import HOUR
from iterable_pipelines.landing.passes import Pass
from iterable_pipelines.settings import Settings

# the tables in which builds note that they have finished: profiles alone, and with the marts
_BUILDS = ("profiles.profile_builds", "marts.builds")
QUARANTINED, NOT_LANDED, NOT_AUDITED, NOT_LOADED, NOT_COUNTED = (
    "in quarantine",
    "not landed",
    "not audited yet",
    "landed but not loaded",
    "not counted by the models yet",
)


@dataclass(frozen=True)
class Due:
    """One stream: the hours that may leave, and how many are old enough but held, by reason."""

    stream: str
    days: int
    hours: tuple[datetime, ...]
    held: dict[str, int]


def due(con: duckdb.DuckDBPyConnection, settings: Settings, moment: datetime) -> list[Due]:
    """What is due of each stream that has a retention.

    To be called after `completeness.refresh` on the same connection, which brings what landing has, what is in
    quarantine and what has expired.
    """
    if not settings.retention:
        return []
    _judge(con, settings, moment - min(settings.retention.values()) * timedelta(days=1))
    found = []
    for stream, days in settings.retention.items():
        # the hour is over by then, and all of it too old
        last = _naive(moment - timedelta(days=days) - HOUR)
        rows = con.execute(
            "select judged.hour, min(worst) from judged semi join (select distinct hour from streams.landed "
            "join types using (data_type) where stream = $1) as own using (hour) "
            "where judged.hour <= $2 "
            "and judged.hour not in (select expired_hour from expired where expired_stream = $1) "
            "group by all order by all",
            [stream, last],
        ).fetchall()
        held: dict[str, int] = {}
        for _, reason in rows:
            if reason:
                held[reason] = held.get(reason, 0) + 1
        free = tuple(hour.replace(tzinfo=UTC) for hour, reason in rows if not reason)
        found.append(Due(stream, days, free, held))
    return found


def _judge(con: duckdb.DuckDBPyConnection, settings: Settings, before: datetime) -> None:
    """Make the temporary table `judged`: each landed hour before a moment, with a reason why it must stay, or NULL."""
    streams = [each.name for each in ACTIVITY_STREAMS if settings.enabled_data_types(each.name)]
    con.execute("create or replace temp table types (stream VARCHAR, data_type VARCHAR)")
    con.executemany(
        "insert into types values (?, ?)",
        [(name, each) for name in streams for each in settings.enabled_data_types(name)],
    )
    stored = " union all ".join(
        f"select data_type, _hour as hour, count(*) as rows from streams.{name} "
        "where _hour < $1 and _source = 'export' group by all"
        for name in streams
    )
    con.execute(
        f"create or replace temp table judged as with stored as ({stored}), "
        "hours as (select distinct hour from streams.landed join types using (data_type) where hour < $1), "
        "told as (select data_type, hour, max(load_id) as load_id from streams.webhook_loads group by all), "
        "each_type as (select hours.hour, case "
        # what left before has been judged before
        "when expired_hour is not null then null "
        f"when held.hour is not null then '{QUARANTINED}' "
        # nobody imports what is older than the start by himself
        f"when landed.hour is null then case when hours.hour >= $2 then '{NOT_LANDED}' end "
        f"when landed.pass <> '{Pass.AUDITED}' then '{NOT_AUDITED}' "
        "when loads.digest is distinct from landed.digest or loads.rows <> landed.rows "
        f"or coalesce(stored.rows, 0) <> landed.rows then '{NOT_LOADED}' "
        f"when greatest(loads.load_id, told.load_id) > {_counted_to(con)} then '{NOT_COUNTED}' end as reason "
        "from hours cross join types "
        "left join streams.landed on landed.hour = hours.hour and landed.data_type = types.data_type "
        "left join streams.loads on loads.hour = hours.hour and loads.data_type = types.data_type "
        "left join stored on stored.hour = hours.hour and stored.data_type = types.data_type "
        "left join told on told.hour = hours.hour and told.data_type = types.data_type "
        "left join held on held.hour = hours.hour and held.data_type = types.data_type "
        "left join expired on expired_hour = hours.hour and expired_stream = types.stream) "
        "select hour, min(reason) as worst from each_type group by hour",
        [_naive(before), _naive(settings.start_date)],
    )


def _counted_to(con: duckdb.DuckDBPyConnection) -> int:
    """Up to which load every finished build has counted: -1 before the first one."""
    there = {name for (name,) in con.execute("select schema_name || '.' || table_name from duckdb_tables()").fetchall()}
    newest = [
        (con.execute(f"select max(built_to) from {each}").fetchone() or (None,))[0] for each in _BUILDS if each in there
    ]
    return -1 if len(newest) < len(_BUILDS) or None in newest else int(min(newest))


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)
