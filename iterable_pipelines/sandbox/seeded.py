"""What a seed gives: who lives in a world and what happens to them, hour by hour. Nothing of it ever changes.

What happens in an hour is a pure function of the seed and that hour; worlds of one seed in one process share what was
made up.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from iterable_pipelines.data_types import DATA_TYPE
from iterable_pipelines.sandbox import behaviour, in_app, messages
from iterable_pipelines.sandbox.chance import dice
from iterable_pipelines.sandbox.objects import Objects
from iterable_pipelines.sandbox.people import Population
from iterable_pipelines.sandbox.remembered import Remembered
from iterable_pipelines.sandbox.scene import HOUR, SPAN, Event, Scene

# tenths of the mean, by hour of day
RHYTHM = (4, 3, 3, 3, 4, 6, 8, 10, 12, 13, 13, 12, 12, 13, 13, 12, 12, 12, 13, 14, 13, 11, 8, 6)  # fmt: skip
REMEMBERED_EVENTS = 300_000
# a test suite goes back and forth between a few
REMEMBERED_SEEDS = 3

Begun = dict[tuple[str, int], list[Event]]  # by data type and the hour of createdAt


@dataclass(frozen=True)
class Family:
    """Events that come from one another: how many beginnings an hour (300 users, activity 1), and what follows."""

    name: str
    rate: float
    play: Callable[[Scene, int], None]
    data_types: tuple[str, ...]


def _named(*stems: str) -> tuple[str, ...]:
    return tuple(name for name in DATA_TYPE if name.startswith(stems))


FAMILIES = (
    Family("email", 45, messages.email, ("hostedUnsubscribeClick", *_named("email"))),
    Family("push", 22, messages.push, _named("push")),
    Family("sms", 7, messages.sms, _named("sms")),
    Family("in-app", 16, in_app.in_app, _named("inApp")),
    Family("inbox", 3, in_app.inbox, _named("inbox")),
    Family("web push", 5, messages.web_push, _named("webPush")),
    Family("embedded", 7, in_app.embedded, _named("embedded")),
    Family("WhatsApp", 5, messages.whatsapp, _named("whatsApp")),
    Family("RCS", 2, messages.rcs, _named("rcs")),
    Family("subscription", 3, behaviour.subscription, ("emailSubscribe", "emailUnSubscribe")),
    Family("custom", 45, behaviour.custom, ("customEvent",)),
    Family("purchase", 7, behaviour.purchase, ("purchase",)),
    Family("journey", 3, behaviour.journey, ("journeyExit",)),
    Family("unknown", 3, behaviour.unknown, ("unknownSession",)),
)
_OF_TYPE = {name: [each for each in FAMILIES if name in each.data_types] for name in DATA_TYPE}


class Seeded:
    """The people of a seed, and what they do. The arguments are those of World."""

    def __init__(self, seed: int, users: int, activity: float, project_type: str, plain: bool, more_lists: int):
        self.seed, self.users, self.activity = seed, users, activity
        self.people = Population(seed, users, project_type, plain)
        # its own: those of a world are written to
        self._objects = Objects(seed, more_lists)
        self._begun = Remembered(REMEMBERED_EVENTS, self._begin, lambda begun: sum(map(len, begun.values())))
        self._whose = Remembered(REMEMBERED_EVENTS, self._by_name, lambda whose: sum(map(len, whose.values())))

    def hour(self, data_type: str, hour: int) -> Iterator[Event]:
        """The events of a type whose createdAt lies in the hour that begins at `hour` (epoch seconds)."""
        for family in _OF_TYPE[data_type]:
            for beginning in range(hour - SPAN + HOUR, hour + HOUR, HOUR):
                yield from self._begun((family, beginning)).get((data_type, hour), ())

    def whose(self, hour: int) -> dict[str, list[Event]]:
        """What happened in an hour, by the address (lower case) and by the user id that it was given to."""
        return self._whose(hour)

    def _begin(self, key: tuple[Family, int]) -> Begun:
        """Everything that begins in an hour in a family, and what follows from it."""
        begun: Begun = {}
        for event in self._play(*key):
            begun.setdefault((event.data_type, event.created // HOUR * HOUR), []).append(event)
        return begun

    def _by_name(self, hour: int) -> dict[str, list[Event]]:
        whose: dict[str, list[Event]] = {}
        for data_type in _OF_TYPE:
            for event in self.hour(data_type, hour):
                record = json.loads(event.line)
                for name in {(record.get("email") or "").strip().lower(), record.get("userId") or ""} - {""}:
                    whose.setdefault(name, []).append(event)
        return whose

    def _play(self, family: Family, hour: int) -> list[Event]:
        if not self.users:
            return []
        scene = Scene(hour, dice(self.seed, family.name, hour), self.people, self._objects)
        hour_of_day = hour // HOUR % 24
        mean = family.rate * self.users / 300 * self.activity * RHYTHM[hour_of_day] / 10
        for _ in range(int(mean) + (scene.chance.random() < mean % 1)):
            family.play(scene, hour + scene.chance.randrange(HOUR))
        # every sixth hour one message meets with everything, so that the rarest type occurs daily in the smallest world
        if (hour_of_day + FAMILIES.index(family)) % 6 == 0:
            scene.complete = True
            family.play(scene, hour + scene.chance.randrange(HOUR))
        return scene.events


@lru_cache(maxsize=REMEMBERED_SEEDS)
def seeded_by(seed: int, users: int, activity: float, project_type: str, plain: bool, more_lists: int) -> Seeded:
    """What these arguments of a world give; the same object for every world of one process that has them."""
    return Seeded(seed, users, activity, project_type, plain, more_lists)
