"""The profiles clients wrote, by the names that identify them; lean enough for a million people."""

import json
from dataclasses import dataclass
from typing import Any

from iterable_pipelines.sandbox.oddities import stamp
from iterable_pipelines.sandbox.people import Person

Fields = dict[str, Any]


@dataclass(slots=True, eq=False)
class Profile:
    """What was written about one person: over the seeded `person`, or all there is of a newcomer.

    line: the fields as JSON, which takes a third of the memory of a dict. updated: epoch seconds, 0 if nothing was
    written yet. gone: deleted, merged away or forgotten.
    """

    line: bytes = b"{}"
    updated: int = 0
    person: Person | None = None
    gone: bool = False

    @property
    def fields(self) -> Fields:
        """What was written; over a seeded profile, None for what was cleared."""
        fields: Fields = json.loads(self.line)
        return fields

    def over(self, seeded: Fields, moment: int) -> Fields:
        """The profile as exported: seeded fields below, written ones on top, stamped with the later of both moments."""
        if not self.updated:
            return seeded
        written = self.fields
        both = seeded | written | {"profileUpdatedAt": stamp(max(moment, self.updated))}
        return {name: value for name, value in both.items() if value is not None or name not in written}

    def same(self, other: "Profile | None") -> bool:
        """Whether both are of one person."""
        return self is other or (other is not None and self.person is not None and self.person == other.person)

    def export_line(self) -> bytes:
        """A newcomer's record as exported, without a newline."""
        return self.line[:-1] + b',"profileUpdatedAt":"' + stamp(self.updated).encode() + b'"}'


class Profiles:
    """Every written profile, in order of first writing, found by address and by user id."""

    def __init__(self) -> None:
        self.newcomers: dict[Profile, None] = {}
        self.seats: dict[str, Profile] = {}
        self._by_email: dict[str, Profile] = {}
        # in email-based projects several people may share a user id (api.md 1.8)
        self._by_user_id: dict[str, tuple[Profile, ...]] = {}

    def everyone(self) -> list[Profile]:
        """Every profile anything was written to, and that still is."""
        return [each for each in (*self.seats.values(), *self.newcomers) if not each.gone]

    def by_email(self, email: str) -> Profile | None:
        """Who was given this address by a write."""
        return self._by_email.get(email)

    def by_user_id(self, user_id: str) -> Profile | None:
        """Who was given this user id by a write; the first of several."""
        return next(iter(self._by_user_id.get(user_id, ())), None)

    def store(self, profile: Profile, fields: Fields, moment: int) -> None:
        """Make `fields` all that is written of `profile`, and remember its names."""
        before = profile.fields if profile.updated else {}
        profile.line, profile.updated = json.dumps(fields, separators=(",", ":")).encode(), moment
        if profile.person is None:
            self.newcomers[profile] = None
        else:
            self.seats[seat_of(profile.person)] = profile
        if before.get("email") != fields.get("email") or before.get("userId") != fields.get("userId"):
            self._forget_names(profile, before)
            if email := fields.get("email"):
                self._by_email[email] = profile
            if user_id := fields.get("userId"):
                self._by_user_id[user_id] = (*self._by_user_id.get(user_id, ()), profile)

    def remove(self, profile: Profile) -> None:
        """The person is gone; of a seeded one it is remembered, so that the seed does not bring them back."""
        self._forget_names(profile, profile.fields)
        self.newcomers.pop(profile, None)
        profile.line, profile.gone = b"{}", True
        if profile.person is not None:
            self.seats[seat_of(profile.person)] = profile

    def _forget_names(self, profile: Profile, fields: Fields) -> None:
        email, user_id = fields.get("email"), fields.get("userId")
        if email and self._by_email.get(email) is profile:
            del self._by_email[email]
        if user_id in self._by_user_id:
            left = tuple(each for each in self._by_user_id[user_id] if each is not profile)
            self._by_user_id[user_id] = left
            if not left:
                del self._by_user_id[user_id]


def seat_of(person: Person) -> str:
    """What tells the holder of a seat from those before and after."""
    return f"seat {person.seat} since {person.joined}"
