"""What clients wrote beside profiles: events, who was forgotten or renamed, and what the sandbox lied about."""

import json
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, NamedTuple

from iterable_pipelines.sandbox.oddities import encode
from iterable_pipelines.sandbox.scene import Event

FORGOTTEN_EMAILS = tuple(f"forgotten{nth}@example.com" for nth in range(7))
FORGOTTEN_USER_IDS = tuple(f"u-forgotten{nth}" for nth in range(7))
NAMES = ("email", "userId")
Identity = dict[str, Any]
Places = dict[tuple[str, str], None]  # data type and id, in order


def hashed(name: str) -> str:
    """A forgotten identifier as users/forgotten shows it (api.md 5.10)."""
    return sha256(name.strip().lower().encode()).hexdigest()


class Dropped(NamedTuple):
    """A row that was answered as if applied and was not: where it was sent, whom it names, and its id if it has one."""

    path: str
    name: str
    id: str | None


class Send(NamedTuple):
    """Something that was really sent: by which request, of which campaign or journey, to whom, and when.

    recipients: the address, else the user id, of everybody who got it; skipped: of everybody who did not, by reason.
    list_ids: the lists it was meant for, if it was not a single person.
    """

    path: str
    id: int
    recipients: tuple[str, ...]
    at: datetime
    list_ids: tuple[int, ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()


@dataclass
class Scheduled:
    """A message to one person that is still to be sent, unless it was cancelled or went out."""

    id: int
    campaign_id: int
    name: str
    over: bool = False


class Written:
    """All that was written but profiles. `lock` keeps writes and reads of the whole world apart."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.forgotten_emails = dict.fromkeys(FORGOTTEN_EMAILS)
        self.forgotten_user_ids = dict.fromkeys(FORGOTTEN_USER_IDS)
        self.dropped: list[Dropped] = []
        self.sends: list[Send] = []
        self.scheduled: list[Scheduled] = []
        # whose seeded events are another's now (merged, renamed), or nobody's (None)
        self.moved: dict[str, Identity | None] = {}
        self._events: dict[str, dict[str, Event]] = {}
        # where a person's events are; made when somebody asks for the first time
        self._by_name: dict[str, Places] | None = None
        self._ids = 0

    def track(self, data_type: str, record: dict[str, Any], created: int, visible: int, event_id: str | None) -> str:
        """Add an event, or replace the one of the same id in the whole project (api.md 6.2); returns the id."""
        with self.lock:
            events = self._events.setdefault(data_type, {})
            name = event_id or self.new_id()
            events[name] = Event(data_type, created, visible, encode(record, escaped=False))
            if self._by_name is not None:
                _note(self._by_name, record, (data_type, name))
            return name

    def new_id(self) -> str:
        """An id for an event that was sent without one."""
        with self.lock:
            self._ids += 1
            return f"sandbox-{self._ids:08d}"

    def events(self, data_type: str) -> list[Event]:
        """The events written of one data type, in the order of their first writing."""
        with self.lock:
            return list(self._events.get(data_type, {}).values())

    def events_of(self, name: str) -> list[Event]:
        """The events that were written about a person of this name, or were before they had another."""
        with self.lock:
            if self._by_name is None:
                self._by_name = {}
                for data_type, events in self._events.items():
                    for event_id, event in events.items():
                        _note(self._by_name, json.loads(event.line), (data_type, event_id))
            found = [self._events[data_type].get(each) for data_type, each in self._by_name.get(name, ())]
            return [event for event in found if event is not None]

    def records(self, data_type: str) -> dict[str, dict[str, Any]]:
        """The records written of one data type by id, in the order of their first writing."""
        with self.lock:
            return {name: json.loads(event.line) for name, event in self._events.get(data_type, {}).items()}

    def writes(self) -> list[dict[str, Any]]:
        """What was really sent, without its moment; of each request who got it, in any order."""
        sent = [each._asdict() | {"recipients": sorted(each.recipients)} for each in self.sends]
        kept = [{key: value for key, value in each.items() if key != "at"} for each in sent]
        return sorted(kept, key=str)

    def move(self, names: Iterable[str], to: Identity | None) -> None:
        """Whatever the person of these names did was done by `to`; None: it never happened."""
        moved = {name: to for name in names if name}
        for name, before in self.moved.items():
            if before is not None and any(each in moved for each in before.values()):
                self.moved[name] = to
        self.moved |= moved
        self._by_name = None
        quoted = [encode(name, escaped=False) for name in moved]  # type: ignore[arg-type]
        for events in self._events.values():
            for event_id, event in list(events.items()):
                if any(each in event.line for each in quoted):
                    line = renamed(event.line, moved)
                    if line is None:
                        del events[event_id]
                    else:
                        events[event_id] = event._replace(line=line)

    def as_known(self, event: Event) -> Event | None:
        """A seeded event under the names its person has now; None if they were erased."""
        if not self.moved:
            return event
        line = renamed(event.line, self.moved)
        return None if line is None else event._replace(line=line)


def _note(places: dict[str, Places], record: dict[str, Any], place: tuple[str, str]) -> None:
    for name in filter(None, map(record.get, NAMES)):
        places.setdefault(name, {})[place] = None


def renamed(line: bytes, moved: dict[str, Identity | None]) -> bytes | None:
    """The record with its person's new names, if they have others now; None if they are nobody's."""
    record = json.loads(line)
    # an event belongs to its address; only without one to its user id, which several people may share
    key = "email" if record.get("email") else "userId"
    name = str(record.get(key) or "").strip().lower() if key == "email" else record.get(key)
    if name not in moved:
        return line
    to = moved[name]
    if to is None:
        return None
    kept = {each: value for each, value in record.items() if each not in NAMES or value not in moved}
    return encode(kept | to, escaped=False)
