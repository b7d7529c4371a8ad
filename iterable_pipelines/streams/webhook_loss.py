"""How much of what exports have webhooks brought too: Iterable does not promise to deliver them (api.md 7)."""

from dataclasses import dataclass
from datetime import date, datetime

from iterable_pipelines.data_types import ACTIVITY_STREAMS
from iterable_pipelines.streams.load import naive
from iterable_pipelines.streams.warehouse import Warehouse


@dataclass(frozen=True)
class Brought:
    """Of the events of one data type and day (UTC) that exports have: how many, and how many webhooks brought too."""

    data_type: str
    day: date
    exported: int
    told: int

    @property
    def lost(self) -> float:
        """The share that only the export has brought, 0 to 1."""
        return 1 - self.told / self.exported


def webhook_loss(warehouse: Warehouse, since: datetime) -> list[Brought]:
    """The newest seven days, but no hour before `since`, of the data types of which any webhook has told then."""
    start = "greatest(?, (select max(hour) - interval 168 hour from streams.webhook_loads))"
    told = f"(select distinct data_type from streams.webhook_loads where stream is not null and hour >= {start})"
    of_streams = " union all ".join(
        f"select data_type, _hour, _webhook_id from streams.{stream.name} where _source = 'export' and _hour >= {start}"
        for stream in ACTIVITY_STREAMS
    )
    found = warehouse.read(
        f"select data_type, _hour::date as day, count(*), count(_webhook_id) from ({of_streams}) "
        f"semi join {told} using (data_type) group by all order by day desc, data_type",
        [naive(since)] * (len(ACTIVITY_STREAMS) + 1),
    )
    return [Brought(*row) for row in found]


def loss_table(found: list[Brought]) -> str:
    """The same as a table in markdown."""
    lines = [
        f"| {each.day} | {each.data_type} | {each.exported:,} | {each.told:,} | {each.lost:.2%} |" for each in found
    ]
    head = ["| day | data type | exported | by webhook too | lost |", "|---|---|---|---|---|"]
    return "\n".join([*head, *lines]) if lines else "no hour with webhooks was exported yet"
