"""What clients wrote to the world: changed and new profiles, tracked events; in memory, on top of the seeded world."""

import threading
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from iterable_pipelines.sandbox.oddities import encode, stamp
from iterable_pipelines.sandbox.scene import Event

FORGOTTEN_EMAILS = tuple(f"forgotten{nth}@example.com" for nth in range(7))
FORGOTTEN_USER_IDS = tuple(f"u-forgotten{nth}" for nth in range(7))


def hashed(name: str) -> str:
    """A forgotten identifier as users/forgotten shows it (api.md 5.10)."""
    return sha256(name.strip().lower().encode()).hexdigest()


@dataclass
class Profile:
    """What was written about one person: `fields` lie over the seeded profile; a `newcomer` has no other."""

    fields: dict[str, Any]
    updated: int
    newcomer: bool = False

    def over(self, seeded: dict[str, Any], moment: int) -> dict[str, Any]:
        """The profile as exported: seeded fields below, written ones on top, stamped with the later of both moments."""
        return seeded | self.fields | {"profileUpdatedAt": stamp(max(moment, self.updated))}


@dataclass
class Written:
    """All that was written. Profiles go by the seat they change, or by the name a newcomer was given."""

    profiles: dict[str, Profile] = field(default_factory=dict)
    _events: dict[str, dict[str, Event]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def profile(self, key: str, moment: int, newcomer: bool) -> Profile:
        """The profile written under `key`, made if there is none, its time moved to `moment`."""
        with self._lock:
            found = self.profiles.setdefault(key, Profile({}, moment, newcomer))
            found.updated = moment
            return found

    def track(self, data_type: str, record: dict[str, Any], created: int, visible: int, event_id: str | None) -> str:
        """Add an event, or replace the one of the same id (api.md 6.2); returns the id."""
        with self._lock:
            events = self._events.setdefault(data_type, {})
            name = event_id or f"sandbox-{len(events):08d}"
            events[name] = Event(data_type, created, visible, encode(record, escaped=False))
            return name

    def events(self, data_type: str) -> list[Event]:
        """The events written of one data type, in the order of their first writing."""
        with self._lock:
            return list(self._events.get(data_type, {}).values())
