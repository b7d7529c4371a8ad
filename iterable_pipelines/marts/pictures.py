"""Pictures of campaigns, as SVG that Dagster shows inside a materialization: numbers of people, and nobody's name."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from iterable_pipelines.data_types import DATA_TYPES
from iterable_pipelines.funnel import funnel
from iterable_pipelines.heat_map import heat_map
from iterable_pipelines.marts.steps import STEPS, step_of
from iterable_pipelines.streams.warehouse import Warehouse

FUNNEL = ("sent", "delivered", "opened", "clicked", "converted")
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_CAMPAIGNS = 10
_REACTIONS = ("opened", "clicked")


@dataclass(frozen=True)
class Funnel:
    """How many people of one campaign came to each step of FUNNEL."""

    campaign_id: int
    name: str
    people: tuple[int, ...]


def newest_funnels(warehouse: Warehouse) -> list[Funnel]:
    """The ten campaigns that began last, of those that sent anything. Delivered is sent less bounced."""
    # campaign_activity cannot be added up: who is in two experiments, or had two kinds of message, is one person
    steps = ", ".join(f"count(distinct user_key) filter ({_events_of(step)} > 0)" for step in STEPS)
    found = warehouse.read(
        "with newest as (select campaign_id, max(coalesce(names.name, activity.campaign_name, '')) as name, "
        "max(coalesce(names.start_at, names.created_at, first_event_at)) as began "
        "from marts.campaign_activity as activity left join marts.campaign_names as names using (campaign_id) "
        f"group by campaign_id having sum({_events_of('sent')}) > 0 "
        f"order by began desc nulls last, campaign_id desc limit {_CAMPAIGNS}) "
        f"select campaign_id, name, {steps} from newest inner join marts.user_campaign_activity using (campaign_id) "
        "group by campaign_id, name, began order by began desc nulls last, campaign_id desc"
    )
    return [
        Funnel(campaign, name, (sent, max(0, sent - bounced), opened, clicked, converted))
        for campaign, name, sent, bounced, opened, clicked, converted in found
    ]


def _events_of(step: str) -> str:
    return "(" + " + ".join(f"total_{each.name.lower()}" for each in DATA_TYPES if step_of(each.name) == step) + ")"


def funnel_picture(funnels: Sequence[Funnel]) -> str:
    """An SVG: a row per campaign, a bar per step as long as its share of the people it was sent to."""
    rows = [(f"{each.name[:34]} ({each.campaign_id})", each.people) for each in funnels]
    return funnel(FUNNEL, rows, of="people", whole="those it was sent to")


def reactions_by_hour_of_week(warehouse: Warehouse) -> dict[tuple[str, int], int]:
    """Opens and clicks of all messages by weekday and hour of the day, UTC, from the load log."""
    reactions = [each.name for each in DATA_TYPES if step_of(each.name) in _REACTIONS]
    found = warehouse.read(
        "select isodow(hour) - 1, hour(hour), cast(sum(rows) as bigint) from streams.loads "
        "where list_contains(?, data_type) group by all having sum(rows) > 0",
        [reactions],
    )
    return {(WEEKDAYS[day], hour): rows for day, hour, rows in found}


def week_picture(counts: Mapping[tuple[str, int], int]) -> str:
    """An SVG: a row per weekday, a column per hour of the day, darker for more (on a logarithmic scale)."""
    most = max(counts.values(), default=1)

    def cell(day: str, hour: int) -> tuple[str, str]:
        rows = counts.get((day, hour), 0)
        strength = 0.1 + 0.9 * math.log1p(rows) / math.log1p(most)
        return f'fill="#4f43dd" fill-opacity="{strength:.2f}"' if rows else 'fill="#eef"', f"{rows:,}"

    return heat_map(
        range(24),
        WEEKDAYS,
        cell,
        note=lambda day: f"{sum(rows for (where, _), rows in counts.items() if where == day):,}",
        head=lambda hour: f"{hour:02d}h" if hour % 6 == 0 else "",
        title=lambda hour: f"{hour:02d}:00 UTC",
    )
