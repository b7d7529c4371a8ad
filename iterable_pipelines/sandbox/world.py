"""The seeded world: people, objects and events for every data type, living by the clock.

Nothing is stored. What happens in an hour is a pure function of the seed and that hour, so any window of any year can
be asked for at any time and gives the same bytes.
"""

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from iterable_pipelines.data_types import DATA_TYPE
from iterable_pipelines.hours import Window
from iterable_pipelines.hours import now as present
from iterable_pipelines.sandbox import behaviour, in_app, messages
from iterable_pipelines.sandbox.chance import dice
from iterable_pipelines.sandbox.objects import Objects
from iterable_pipelines.sandbox.oddities import encode, stamp
from iterable_pipelines.sandbox.people import Person, Population
from iterable_pipelines.sandbox.scene import HOUR, SPAN, Event, Scene
from iterable_pipelines.sandbox.shifts import Shifts
from iterable_pipelines.sandbox.webhooks import Hooks
from iterable_pipelines.sandbox.written import Profile, Written

RHYTHM = (
    4,
    3,
    3,
    3,
    4,
    6,
    8,
    10,
    12,
    13,
    13,
    12,
    12,
    13,
    13,
    12,
    12,
    12,
    13,
    14,
    13,
    11,
    8,
    6,
)  # tenths of the mean, by hour of day
REMEMBERED_EVENTS = 300_000

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


class World:
    """A project of Iterable that never was.

    seed: same seed, same bytes. users: how many people at any one time. activity: factor on the number of events.
    start: nothing older is kept; default 60 days before today. end: the world ends there and its clock stands still;
    None lives on. project_type: email, hybrid or userid (api.md 1.8). plain: without the oddities of time, ids and
    nested JSON that other people's importers stop at. more_lists: lists beyond the usual five, whose members change
    with the clock. What clients write lies in memory on top.
    """

    def __init__(
        self,
        seed: int = 1,
        users: int = 300,
        activity: float = 1.0,
        start: datetime | None = None,
        end: datetime | None = None,
        project_type: str = "email",
        plain: bool = False,
        more_lists: int = 0,
    ):
        midnight = present().replace(hour=0, minute=0, second=0, microsecond=0)
        self.seed, self.users, self.activity, self.project_type = seed, users, activity, project_type
        self.start = start or midnight - timedelta(days=60)
        self.end = end
        self.people = Population(seed, users, project_type, plain)
        self.objects = Objects(seed, more_lists)
        self.written = Written()
        self.shifts = Shifts()
        self.hooks = Hooks()
        self._directory = lru_cache(maxsize=4)(self._names)
        self._clock: datetime | None = end
        self._families = {name: [each for each in FAMILIES if name in each.data_types] for name in DATA_TYPE}
        self._remembered: OrderedDict[tuple[str, int], Begun] = OrderedDict()
        self._remembered_events = 0
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """What the world's clock shows: the present, or where it was stopped."""
        return self._clock or present()

    def stop_clock(self, at: datetime | None) -> None:
        """Let the clock stand at `at`, so that a test decides what is visible already; None lets it run."""
        self._clock = at

    def events(self, data_type: str, window: Window, visible_at: datetime | None = None) -> Iterator[Event]:
        """Every event of the window that exports show at `visible_at` (default: now), in no order.

        Raises KeyError for a name that is not one of the 53 data types.
        """
        begin = int(max(window.start, self.start).timestamp())
        end = int(min(window.end, self.end or window.end).timestamp())
        visible = (visible_at or self.now()).timestamp()
        hours = list(range(begin // HOUR * HOUR, min(end, int(visible) + 1), HOUR))
        dice(self.seed, "order", data_type, begin, end).shuffle(hours)
        for hour in hours:
            here = [
                each for each in self._hour(data_type, hour) if begin <= each.created < end and each.visible <= visible
            ]
            dice(self.seed, "order", data_type, hour, end).shuffle(here)
            yield from here
        for event in self.written.events(data_type):
            if window.start.timestamp() <= event.created < window.end.timestamp() and event.visible <= visible:
                yield event

    def records(self, data_type: str, window: Window, visible_at: datetime | None = None) -> Iterator[bytes]:
        """The lines of an export of this window, without newlines: events by createdAt, users by profileUpdatedAt."""
        if data_type == "user":
            yield from self._users(window, visible_at)
            return
        for event in self.events(data_type, window, visible_at):
            yield event.line

    def all_records(self, data_type: str, until: datetime | None = None) -> list[dict[str, Any]]:
        """The truth for an oracle: every record since `start` that exports show at `until` (default: now), as dicts."""
        moment = until or self.now()
        window = Window(self.start, moment + timedelta(seconds=1))
        return [json.loads(line) for line in self.records(data_type, window, moment)]

    def members(self, list_id: int) -> list[tuple[str | None, str | None]] | None:
        """The address and user id of everybody on a list now; None if there is no such list."""
        if list_id not in (each["id"] for each in self.objects.lists):
            return None
        moment = int(self.now().timestamp())
        key = "emailListIds" if self.project_type == "email" else "userListIds"
        found = []
        for seat in range(self.users):
            person = self.people.at(seat, moment)
            written = self.written.profiles.get(_seat(person))
            lists = written.fields.get(key) if written else None
            if list_id in lists if lists is not None else self.people.on_list(person, list_id, moment):
                found.append((person.email_at(moment), person.user_id))
        newcomers = [each.fields for each in self.written.profiles.values() if each.newcomer]
        return found + [(each.get("email"), each.get("userId")) for each in newcomers if list_id in each.get(key, ())]

    def find_user(self, email: str | None = None, user_id: str | None = None) -> dict[str, Any] | None:
        """The present profile of a person, by address (any case, blanks around it) or by user id; None for nobody."""
        person, written = self._known(email, user_id)
        if person is None:
            return written.over({}, written.updated) if written else None
        moment = int(self.now().timestamp())
        updated = self.people.last_update(person, moment, moment + 1)
        seeded: dict[str, Any] = json.loads(self.people.record(person, updated)) if updated else {}
        return written.over(seeded, updated or 0) if written else seeded or None

    def write_user(self, email: str | None, user_id: str | None, fields: dict[str, Any], merge: bool = False) -> None:
        """Lay `fields` over a profile, making the person if unknown; `merge` merges objects one level deep."""
        person, known = self._known(email, user_id)
        moment = int(self.now().timestamp())
        before = (self.find_user(email, user_id) or {}) if merge else {}
        for name, value in fields.items():
            if isinstance(value, dict) and isinstance(before.get(name), dict):
                fields = fields | {name: before[name] | value}
        if person is None:
            names = {key: value for key, value in (("email", email), ("userId", user_id)) if value}
            fields = names | ({} if known else {"signupDate": stamp(moment), "signupSource": "API"}) | fields
        elif email and user_id:
            fields = {"userId": user_id} | fields  # the address says who it is, the user id is overwritten (api.md 1.8)
        key = _seat(person) if person else f"newcomer {(email or user_id or '').strip().lower()}"
        profile = known or self.written.profile(key, moment, person is None)
        profile.updated = moment
        profile.fields |= fields

    def write_event(self, data_type: str, record: dict[str, Any], created: int, event_id: str | None) -> str:
        """Add an event, or replace the one of the same id; returns the id. Exports show it at once."""
        return self.written.track(data_type, record, created, int(self.now().timestamp()), event_id)

    def _known(self, email: str | None, user_id: str | None) -> tuple[Person | None, Profile | None]:
        """The seated person of this name, if any, and what was written about them or about a newcomer of this name."""
        moment = int(self.now().timestamp())
        wanted = (email or "").strip().lower()
        for name in filter(None, (wanted, user_id)):
            seat = self._directory(moment // 60).get(name)
            if seat is not None:
                person = self.people.at(seat, moment)
                return person, self.written.profiles.get(_seat(person))
        for profile in self.written.profiles.values():
            if profile.newcomer:
                address = str(profile.fields.get("email") or "").strip().lower()
                if (wanted and address == wanted) or (user_id and profile.fields.get("userId") == user_id):
                    return None, profile
        return None, None

    def _names(self, minute: int) -> dict[str, int]:
        """Who sits where in this minute, by address and by user id."""
        people = [self.people.at(seat, minute * 60) for seat in reversed(range(self.users))]
        by_id = {each.user_id: each.seat for each in people if each.user_id}
        return by_id | {email: each.seat for each in people if (email := each.email_at(minute * 60))}

    def _users(self, window: Window, visible_at: datetime | None) -> Iterator[bytes]:
        begin = int(max(window.start, self.start).timestamp())
        visible = int((visible_at or self.now()).timestamp())
        last = int(self.end.timestamp()) if self.end else visible + 1
        end = min(int(window.end.timestamp()), visible + 1)
        if begin >= end:
            return
        people = list(self.people.between(begin, end))
        dice(self.seed, "order of users", begin, end).shuffle(people)
        for person in people:
            moment = self.people.last_update(person, visible, last)
            written = self.written.profiles.get(_seat(person))
            if written and written.updated <= visible:
                if begin <= max(written.updated, moment or 0) < end:
                    seeded = json.loads(self.people.record(person, moment)) if moment else {}
                    yield encode(written.over(seeded, moment or 0), escaped=False)
            elif moment is not None and begin <= moment < end:
                yield self.people.record(person, moment)
        for profile in list(self.written.profiles.values()):
            if profile.newcomer and begin <= profile.updated < end:
                yield encode(profile.over({}, profile.updated), escaped=False)

    def _hour(self, data_type: str, hour: int) -> Iterator[Event]:
        for family in self._families[data_type]:
            for beginning in range(hour - SPAN + HOUR, hour + HOUR, HOUR):
                yield from self._begun(family, beginning).get((data_type, hour), ())

    def _begun(self, family: Family, hour: int) -> Begun:
        """Everything that begins in `hour` in this family and what follows from it; remembered for a while."""
        key = (family.name, hour)
        with self._lock:
            known = self._remembered.get(key)
            if known is not None:
                self._remembered.move_to_end(key)
                return known
        begun: Begun = {}
        for event in self._play(family, hour):
            begun.setdefault((event.data_type, event.created // HOUR * HOUR), []).append(event)
        with self._lock:
            if key not in self._remembered:
                self._remembered[key] = begun
                self._remembered_events += sum(map(len, begun.values()))
            while self._remembered_events > REMEMBERED_EVENTS and len(self._remembered) > 1:
                _, forgotten = self._remembered.popitem(last=False)
                self._remembered_events -= sum(map(len, forgotten.values()))
        return begun

    def _play(self, family: Family, hour: int) -> list[Event]:
        scene = Scene(hour, dice(self.seed, family.name, hour), self.people, self.objects)
        hour_of_day = hour // HOUR % 24
        mean = family.rate * self.users / 300 * self.activity * RHYTHM[hour_of_day] / 10
        for _ in range(int(mean) + (scene.chance.random() < mean % 1)):
            family.play(scene, hour + scene.chance.randrange(HOUR))
        # every sixth hour one message meets with everything, so that the rarest type occurs daily in the smallest world
        if (hour_of_day + FAMILIES.index(family)) % 6 == 0:
            scene.complete = True
            family.play(scene, hour + scene.chance.randrange(HOUR))
        return scene.events


def _seat(person: Person) -> str:
    return f"seat {person.seat} since {person.joined}"


def utc(text: str) -> datetime:
    """2026-11-01 03:04:05 as an aware moment; for scripts and tests."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
