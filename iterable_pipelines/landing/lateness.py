"""How late the records of each data type come, learned from every pass, and what that means for the settled pass.

An hour that was fetched at two ages says how many of its rows came in between. The table `lateness` beside the manifest
holds the sums of that; ages are minutes from the end of the hour, rounded to ten.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from iterable_pipelines.landing.manifest import Manifest
from iterable_pipelines.settings import Settings

_STEPS = (1, 2, 3, 6, 12, 24)
# what comes later than that is left to the audits
_SETTLED_SHARE = 0.999
_ENOUGH_HOURS = 24
_DAYS_REMEMBERED = 30

# an hour that shrinks has lost what it had: nothing new came, and nothing is new when it is back
_LEARN = f"""
insert into lateness
with recent as (
    select hour, rows, 10 * cast(round(144 * (julianday(fetched_at) - julianday(hour)) - 6) as integer) as since
    from parts
    where data_type = ?
        and julianday(hour) > (select max(julianday(hour)) from parts where data_type = ?) - {_DAYS_REMEMBERED}
),
aged as (select hour, rows, case when since > 0 then since else 0 end as age from recent),
looks as (select hour, age, max(rows) as rows from aged group by hour, age),
known as (select hour, age, max(rows) over (partition by hour order by age) as rows from looks),
steps as (
    select age, rows, lag(age) over by_hour as age_before, lag(rows) over by_hour as rows_before
    from known window by_hour as (partition by hour order by age)
)
select cast(? as text), age_before, age, sum(rows - rows_before), sum(rows_before), count(*)
from steps where age_before is not null group by age_before, age
"""


@dataclass(frozen=True)
class Interval:
    """Of some hours, seen at two ages and not in between: the rows at the first, and those that came until the second.

    Ages are minutes after the end of the hour.
    """

    from_age: int
    to_age: int
    rows: int
    rows_before: int
    hours: int


Curve = list[tuple[timedelta, float]]


def learn(manifest: Manifest, data_types: Sequence[str]) -> None:
    """Learn anew how late these data types come, from the fetches of the newest 30 days of hours."""
    for data_type in data_types:
        with manifest.transaction() as con:
            con.execute("delete from lateness where data_type = ?", (data_type,))
            con.execute(_LEARN, (data_type,) * 3)
            found = _intervals(con.execute(_INTERVALS, (data_type,)).fetchall())
            (before,) = con.execute(_SETTLING, (data_type,)).fetchone() or (_STEPS[0],)
            con.execute(
                "insert into settling values (?, ?) on conflict (data_type) do update set hours = excluded.hours",
                (data_type, hours_to_settle(found, before)),
            )


def intervals_of(manifest: Manifest, data_type: str) -> list[Interval]:
    """What has been learned of a data type; empty before any hour of it was fetched twice."""
    with manifest.connection() as con:
        return _intervals(con.execute(_INTERVALS, (data_type,)).fetchall())


def curve(manifest: Manifest, data_type: str) -> Curve:
    """The share of a data type's rows that had come by each age, from the first fetch to 1 at the last."""
    return curve_of(intervals_of(manifest, data_type))


def settle_delay(manifest: Manifest, settings: Settings, data_type: str) -> timedelta:
    """How old an hour of a data type must be for its settled pass: as the setting says, or more if rows come later."""
    with manifest.connection() as con:
        (learned,) = con.execute(_SETTLING, (data_type,)).fetchone() or (0,)
    return timedelta(hours=max(settings.settle_after_hours, learned))


def curve_of(intervals: Sequence[Interval]) -> Curve:
    """The curve that intervals come to: rows count as late as they may have come.

    From the last age backwards, each step asks only the hours that were watched over it, so that an hour which is too
    young for its audit says nothing about what the audit finds (the chain ladder of insurers).
    """
    ages = {each.to_age for each in intervals} | {min((each.from_age for each in intervals), default=0)}
    points, share = [], 1.0
    for age in sorted(ages, reverse=True) if intervals else []:
        points.append((timedelta(minutes=age), share))
        new = sum(each.rows for each in intervals if each.to_age == age)
        before = sum(each.rows_before for each in intervals if each.from_age < age <= each.to_age)
        share *= before / (before + new) if new else 1.0
    return points[::-1]


def hours_to_settle(intervals: Sequence[Interval], before: int) -> int:
    """After how many hours a settled pass finds 99.9 % of the rows; `before` is what it was until now.

    That point lies in an interval: there are more hours when it begins after them, fewer when it ends before them.
    """
    earliest, latest = _bounds(intervals)
    at_least = next((step for step in _STEPS if 60 * step > earliest), _STEPS[-1])
    at_most = next((step for step in _STEPS if 60 * step >= latest), _STEPS[-1])
    hours = max(before, at_least) if _watched_after(intervals, earliest) >= _ENOUGH_HOURS else before
    return min(hours, at_most) if _watched_after(intervals, latest) >= _ENOUGH_HOURS else hours


def _bounds(intervals: Sequence[Interval]) -> tuple[int, int]:
    # between which ages 99.9 % of the rows had come: had each row come as early as it may have, and as late
    latest, came, by_start = 0, 0.0, defaultdict[int, float](float)
    for point, share in curve_of(intervals):
        age = int(point.total_seconds() // 60)
        ending = [each for each in intervals if each.to_age == age]
        rows = sum(each.rows for each in ending)
        if not rows:
            # the first age is where the rows begin that came before anybody looked
            by_start[0] += share - came
        for each in ending:
            by_start[each.from_age] += (share - came) * each.rows / rows if rows else 0.0
        latest = latest if came >= _SETTLED_SHARE else age
        came = share
    total = 0.0
    for start in sorted(by_start):
        total += by_start[start]
        if total >= _SETTLED_SHARE:
            return start, latest
    return 0, latest


def _watched_after(intervals: Sequence[Interval], age: int) -> int:
    # an hour's intervals follow one another: each hour is counted once
    return sum(each.hours for each in intervals if each.from_age <= age < each.to_age)


_INTERVALS = "select from_age, to_age, rows, rows_before, hours from lateness where data_type = ? order by 1, 2"
_SETTLING = "select hours from settling where data_type = ?"


def _intervals(found: list[tuple[int, ...]]) -> list[Interval]:
    return [Interval(*row) for row in found]
