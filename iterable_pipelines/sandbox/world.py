"""The seeded world: people, objects and events for every data type, living by the clock.

Nothing is stored. What happens in an hour is a pure function of the seed and that hour, so any window of any year can
be asked for at any time and gives the same bytes.
"""

import json
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from iterable_pipelines.hours import Window
from iterable_pipelines.hours import now as present
from iterable_pipelines.sandbox.catalogs import Catalogs
from iterable_pipelines.sandbox.chance import dice
from iterable_pipelines.sandbox.everybody import Everybody
from iterable_pipelines.sandbox.identify import Identify, trimmed
from iterable_pipelines.sandbox.metadata_tables import MetadataTables
from iterable_pipelines.sandbox.objects import Objects
from iterable_pipelines.sandbox.pipelines import Effect, Pipelines
from iterable_pipelines.sandbox.rules import Rules
from iterable_pipelines.sandbox.scene import HOUR, Event
from iterable_pipelines.sandbox.schema import Schema, field_types
from iterable_pipelines.sandbox.seeded import seeded_by
from iterable_pipelines.sandbox.shifts import Shifts
from iterable_pipelines.sandbox.snapshot import snapshot_of_writes
from iterable_pipelines.sandbox.snippets import Snippets
from iterable_pipelines.sandbox.templates import Templates
from iterable_pipelines.sandbox.webhooks import Hooks
from iterable_pipelines.sandbox.written import Written

Answer = TypeVar("Answer")


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
        self.seeded = seeded_by(seed, users, activity, project_type, plain, more_lists)
        self.people = self.seeded.people
        self.objects = Objects(seed, more_lists)
        self.written = Written()
        self.everybody = Everybody(self.people, self.now)
        self.identify = Identify(self.everybody, self.written)
        self.rules, self.pipelines = Rules(), Pipelines()
        self.schema = Schema("user", self.rules.most_fields, seeded=self._seeded_types)
        self.event_schemas: dict[tuple[str, str], Schema] = {}
        self.shifts = Shifts()
        self.hooks = Hooks()
        self.catalogs, self.templates = Catalogs(seed, self.now), Templates(self.objects, self.now)
        self.snippets, self.tables = Snippets(self.now), MetadataTables(self.now)
        self._clock: datetime | None = end

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
        self.settle()
        yield from self.seeded_events(data_type, window, visible_at)
        visible = (visible_at or self.now()).timestamp()
        for event in self.written.events(data_type):
            if window.start.timestamp() <= event.created < window.end.timestamp() and event.visible <= visible:
                yield event

    def seeded_events(self, data_type: str, window: Window, visible_at: datetime | None = None) -> Iterator[Event]:
        """As `events`, without what clients wrote."""
        if not self.users:
            return
        begin = int(max(window.start, self.start).timestamp())
        end = int(min(window.end, self.end or window.end).timestamp())
        visible = (visible_at or self.now()).timestamp()
        hours = list(range(begin // HOUR * HOUR, min(end, int(visible) + 1), HOUR))
        dice(self.seed, "order", data_type, begin, end).shuffle(hours)
        for hour in hours:
            here = [
                each
                for each in self.seeded.hour(data_type, hour)
                if begin <= each.created < end and each.visible <= visible
            ]
            dice(self.seed, "order", data_type, hour, end).shuffle(here)
            yield from filter(None, map(self.written.as_known, here))

    def seeded_events_of(self, names: Collection[str], window: Window) -> Iterator[Event]:
        """Seeded events of whoever has one of these names, or had it when they happened; of everything one can do."""
        if not self.users:
            return
        begin = int(max(window.start, self.start).timestamp())
        end, visible = int(min(window.end, self.end or window.end).timestamp()), self.now().timestamp()
        # whoever has one of these names by now
        others = (old for old, to in self.written.moved.items() if to and not set(names).isdisjoint(to.values()))
        former = {*names, *others}
        for hour in range(begin // HOUR * HOUR, min(end, int(visible) + 1), HOUR):
            whose = self.seeded.whose(hour)
            found = {id(each): each for name in former for each in whose.get(name, ())}
            here = (each for each in found.values() if begin <= each.created < end and each.visible <= visible)
            yield from filter(None, map(self.written.as_known, here))

    def records(self, data_type: str, window: Window, visible_at: datetime | None = None) -> Iterator[bytes]:
        """The lines of an export of this window, without newlines: events by createdAt, users by profileUpdatedAt."""
        self.settle()
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

    def settle(self, everything: bool = False) -> None:
        """Let what was accepted happen if it is due by the world's clock, or `everything` (api.md 6.1)."""
        if len(self.pipelines):
            with self.written.lock:
                self.pipelines.settle(None if everything else self.now().timestamp())

    def settled(self, read: Callable[[], Answer]) -> Answer:
        """What `read` gives when everything that is due has happened, and no write comes between."""
        with self.written.lock:
            self.settle()
            return read()

    def play_by(self, rules: Rules) -> None:
        """Behave as `rules` say from now on."""
        self.rules, self.schema.most = rules, rules.most_fields

    def submit(self, pipeline: str, effect: Effect) -> None:
        """Let a write happen that was accepted now: at once, or when its pipeline's delay is over."""
        delay = self.rules.delay(pipeline)
        if delay:
            self.pipelines.submit(pipeline, self.now().timestamp() + delay, effect)
        else:
            effect()

    def members(self, list_id: int) -> list[tuple[str | None, str | None]] | None:
        """The address and user id of everybody on a list now; None if there is no such list."""
        if list_id not in (each["id"] for each in self.objects.lists):
            return None
        self.settle()
        with self.written.lock:
            return self.everybody.members(list_id)

    def find_user(self, email: str | None = None, user_id: str | None = None) -> dict[str, Any] | None:
        """The present profile of a person, by address (any case, blanks around it) or by user id; None for nobody."""
        self.settle()
        with self.written.lock:
            found = self.everybody.find(trimmed(email), user_id)
            return (self.everybody.read(found) or None) if found else None

    def written_events(self, data_type: str) -> list[dict[str, Any]]:
        """What clients wrote of one data type, in the order of first writing; each with its `id`."""
        self.settle()
        return [{"id": name} | record for name, record in self.written.records(data_type).items()]

    def snapshot_of_writes(self) -> dict[str, Any]:
        """Everything clients wrote, to compare two runs by (sandbox.snapshot says how it looks)."""
        self.settle()
        with self.written.lock:
            return snapshot_of_writes(self.everybody, self.written, self.objects.lists) | {
                "catalogs": self.catalogs.writes(),
                "templates": self.templates.writes(),
                "campaigns": self.objects.writes(),
                "snippets": self.snippets.writes(),
                "metadata": self.tables.writes(),
                "sends": self.written.writes(),
            }

    def user_fields(self) -> dict[str, str]:
        """Name and type of every field a profile has or had: the seeded ones, and those clients wrote."""
        self.settle()
        with self.written.lock:
            return self.schema.types | self._seeded_types()

    def _seeded_types(self) -> dict[str, str]:
        begin, now = int(self.start.timestamp()), int(self.now().timestamp())
        return field_types(map(json.loads, self.everybody.seeded(begin, now + 1, now, self._last(now))))

    def _last(self, visible: int) -> int:
        return int(self.end.timestamp()) if self.end else visible + 1

    def write_event(self, data_type: str, record: dict[str, Any], created: int, event_id: str | None) -> str:
        """Add an event, or replace the one of the same id; returns the id. Exports show it at once."""
        return self.written.track(data_type, record, created, int(self.now().timestamp()), event_id)

    def _users(self, window: Window, visible_at: datetime | None) -> Iterator[bytes]:
        begin = int(max(window.start, self.start).timestamp())
        visible = int((visible_at or self.now()).timestamp())
        end = min(int(window.end.timestamp()), visible + 1)
        if begin < end:
            yield from self.everybody.records(begin, end, visible, self._last(visible))


def utc(text: str) -> datetime:
    """2026-11-01 03:04:05 as an aware moment; for scripts and tests."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
