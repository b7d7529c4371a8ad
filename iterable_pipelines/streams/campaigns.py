"""Sends, opens and clicks of each email campaign, counted here, beside what Iterable's own metrics say of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import duckdb

from iterable_pipelines.api import Iterable as Client
from iterable_pipelines.api.metrics import cell, read_metrics
from iterable_pipelines.hours import HOUR
from iterable_pipelines.settings import Settings

STREAM_NAME = "iterable_activity"
# metrics go on changing for 15 days, and Iterable leaves some opens of robots out of them
TOLERANCE_SHARE, TOLERANCE_EVENTS = 0.02, 5
_MOST_CAMPAIGNS = 40
_RECENT, _QUIET = timedelta(days=30), timedelta(hours=24)

_ALL, _MESSAGES = "count(*)", "count(distinct message_id)"
# Iterable's name of each figure (api.md 5.2), and how it is counted here; columns that do not come are not compared
FIGURES = {
    "Total Email Sends": ("emailSend", _ALL),
    "Unique Email Sends": ("emailSend", _MESSAGES),
    "Total Email Opens": ("emailOpen", _ALL),
    "Unique Email Opens": ("emailOpen", _MESSAGES),
    "Total Emails Clicked": ("emailClick", _ALL),
    "Unique Email Clicks": ("emailClick", _MESSAGES),
}
COMPARED = ("emailSend", "emailOpen", "emailClick")


@dataclass(frozen=True)
class Compared:
    """One figure of one campaign, here and there."""

    campaign_id: int
    figure: str
    here: int
    there: float

    @property
    def close(self) -> bool:
        """Whether the two differ by no more than the tolerance."""
        return abs(self.here - self.there) <= max(TOLERANCE_EVENTS, TOLERANCE_SHARE * self.there)


@dataclass(frozen=True)
class Counted:
    """Figures by campaign, from `since` up to `until`, as they are counted in the table."""

    since: datetime
    until: datetime
    figures: dict[int, dict[str, int]]


def can_compare(settings: Settings) -> bool:
    """Whether what is compared is imported at all."""
    return set(COMPARED) <= set(settings.enabled_data_types(STREAM_NAME))


def count_campaigns(con: duckdb.DuckDBPyConnection, moment: datetime) -> Counted | None:
    """The newest 40 campaigns that sent last in the last 30 days, and nothing in the last 24 hours, all of whose hours
    are settled and whole as of the last refresh. None while there are none.
    """
    hours = con.execute(
        "with hours as (select hour, bool_and(state in ('settled', 'audited') and (trouble is null or "
        "trouble = 'silent')) as settled from streams.completeness where list_contains($1, data_type) group by hour), "
        "newest as (select max(hour) as last from hours where settled) "
        "select coalesce((select max(hour) + interval 1 hour from hours, newest where not settled and hour < last), "
        "(select min(hour) from hours)), last + interval 1 hour from newest",
        [list(COMPARED)],
    ).fetchone()
    if hours is None or hours[1] is None:
        return None
    since, until = hours
    newest = moment.astimezone(UTC).replace(tzinfo=None) - _RECENT
    con.execute(
        "create or replace temp table chosen as select campaign_id from ("
        "select campaign_id, max(created_at) as last from streams.iterable_activity "
        "where data_type = 'emailSend' and campaign_id is not null and _hour < $2 group by campaign_id) as sent "
        "join objects.campaigns on id = campaign_id where message_medium = 'Email' and type <> 'Triggered' "
        "and coalesce(start_at, campaigns.created_at) >= $1 and last >= $3 "
        f"and last < $2 - interval {_QUIET // HOUR} hours "
        f"order by last desc limit {_MOST_CAMPAIGNS}",
        [since, until, newest],
    )
    counts = ", ".join(
        f"{how} filter (data_type = '{data_type}') as \"{figure}\"" for figure, (data_type, how) in FIGURES.items()
    )
    found = con.execute(
        f"select campaign_id, {counts} from streams.iterable_activity join chosen using (campaign_id) "
        "where _hour >= $1 and _hour < $2 group by campaign_id order by campaign_id desc",
        [since, until],
    ).fetchall()
    figures = {campaign: dict(zip(FIGURES, numbers, strict=True)) for campaign, *numbers in found}
    return Counted(since.replace(tzinfo=UTC), until.replace(tzinfo=UTC), figures) if figures else None


def compare_campaigns(client: Client, counted: Counted) -> list[Compared]:
    """Ask Iterable for the same campaigns and span, twenty at a time, and put the figures side by side."""
    compared: list[Compared] = []
    for found in read_metrics(client, list(counted.figures), counted.since, counted.until):
        for row in found.rows:
            campaign = int(float(cell(row, "id") or 0))
            for figure, here in counted.figures.get(campaign, {}).items():
                # a blank cell and a missing column both mean that Iterable does not say
                if row.get(figure):
                    compared.append(Compared(campaign, figure, here, float(row[figure])))
    return compared


def as_table(compared: Sequence[Compared]) -> str:
    """The comparison as a markdown table, what differs most first."""
    lines = ["| campaign | figure | here | Iterable | within tolerance |", "|---|---|---:|---:|---|"]
    for each in sorted(compared, key=lambda one: (one.close, -abs(one.here - one.there), one.campaign_id)):
        close = "yes" if each.close else "no"
        lines.append(f"| {each.campaign_id} | {each.figure} | {each.here:,} | {each.there:,.0f} | {close} |")
    return "\n".join(lines)
