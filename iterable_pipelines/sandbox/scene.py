"""One family of events in one hour, as it is being made up."""

from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple

from iterable_pipelines.sandbox.objects import Campaign, Objects
from iterable_pipelines.sandbox.oddities import drift_ids, encode, odd_stamp, plain
from iterable_pipelines.sandbox.people import Person, Population

HOUR = 3600
SPAN = 12 * HOUR  # what follows from an hour's messages is over after this


class Event(NamedTuple):
    """One record: when it happened, from when on exports show it (epoch seconds), and its line without newline."""

    data_type: str
    created: int
    visible: int
    line: bytes


@dataclass
class Scene:
    """Makes up the events that begin in one hour. With `complete`, everything that can follow does follow."""

    hour: int
    chance: Random
    people: Population
    objects: Objects
    complete: bool = False
    events: list[Event] = field(default_factory=list)

    def happens(self, probability: float) -> bool:
        """Whether something of this probability comes to pass."""
        return self.complete or self.chance.random() < probability

    def after(self, moment: int, mean: float) -> int:
        """A moment later than `moment`, by `mean` seconds on average, still inside this hour's span."""
        return min(moment + 1 + int(self.chance.expovariate(1 / mean)), self.hour + SPAN - 1)

    def message(self, medium: str, moment: int) -> tuple[Person, Campaign, dict[str, Any]]:
        """Somebody, a campaign, and the fields by which everything about this one message refers to it."""
        campaign = self.chance.choice(self.objects.by_medium[medium])
        if medium == "Email" and self.chance.random() < 0.3:
            campaign = self.objects.newsletter(moment)
        reference: dict[str, Any] = {
            "campaignId": campaign.id,
            "templateId": campaign.template_id,
            "messageId": f"{self.chance.getrandbits(128):032x}",
        }
        if campaign.experience_id:
            reference["experience_id"] = campaign.experience_id
        if self.chance.random() < 0.05:  # exports hardly ever carry names, but a few do
            reference |= {"campaignName": campaign.name, "templateName": campaign.template_name}
        return self.people.pick(moment, self.chance), campaign, reference

    def emit(self, data_type: str, moment: int, person: Person | None, lag: int, *parts: dict[str, Any]) -> None:
        """Write one event; one in a hundred has a twin in the same second."""
        record: dict[str, Any] = {"createdAt": odd_stamp(moment, self.chance)}
        if person is not None:
            record |= person.identity(moment, self.chance)
        for part in parts:
            record |= part
        drift_ids(record, self.chance)
        if self.people.plain:
            record = plain(record, moment)
        escaped = self.chance.random() < 0.3
        event = Event(data_type, moment, moment + lag, encode(record, escaped))
        self.events.append(event)
        if self.chance.random() < 0.01:
            # equal, and yet another: who looks for events by identity finds both
            self.events.append(Event(*event))

    def soon(self) -> int:
        """The usual lag: an export shows the event after a few seconds."""
        return self.chance.randrange(1, 20)

    def index_lag(self) -> int:
        """Opens are indexed five to six minutes late, as in Iterable's own data (api.md 3.6)."""
        return self.chance.randrange(290, 366) if self.chance.random() < 0.6 else self.soon()

    def offline_lag(self) -> int:
        """A phone without a network keeps its events for hours, a few for days (api.md 3.6)."""
        roll = self.chance.random()
        if roll < 0.03:
            return self.chance.randrange(24 * HOUR, 96 * HOUR)
        if roll < 0.15:
            return self.chance.randrange(1 * HOUR, 6 * HOUR)
        return self.soon()
