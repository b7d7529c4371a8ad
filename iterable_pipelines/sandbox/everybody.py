"""Everybody in the project as they are now: the seeded people, and what was written over and beside them."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any

from iterable_pipelines.sandbox.chance import dice
from iterable_pipelines.sandbox.oddities import encode, stamp
from iterable_pipelines.sandbox.people import Person, Population
from iterable_pipelines.sandbox.profiles import Fields, Profile, Profiles, seat_of


class Everybody:
    """Finds, shows, changes and removes people by what identifies them in this type of project."""

    def __init__(self, people: Population, now: Callable[[], datetime]):
        self.people, self._now = people, now
        self.written = Profiles()
        self.list_key = "emailListIds" if people.project_type == "email" else "userListIds"
        self._directory = lru_cache(maxsize=4)(self._names)

    def moment(self) -> int:
        """The present in epoch seconds, by the world's clock."""
        return int(self._now().timestamp())

    def find(self, email: str | None, user_id: str | None) -> Profile | None:
        """The person of this address (lower-cased, trimmed), else of this user id; None for nobody."""
        found = self.by_email(email) if email else None
        return found or (self.by_user_id(user_id) if user_id else None)

    def by_email(self, email: str) -> Profile | None:
        """The person who has this address now, whether seeded or written."""
        return self.written.by_email(email) or self._seated("email", email)

    def by_user_id(self, user_id: str) -> Profile | None:
        """The person who has this user id now; the first of several."""
        return self.written.by_user_id(user_id) or self._seated("userId", user_id)

    def _seated(self, key: str, name: str) -> Profile | None:
        if not self.people.size:
            return None
        moment = self.moment()
        seat = self._directory(moment // 60).get(name)
        if seat is None:
            return None
        person = self.people.at(seat, moment)
        written = self.written.seats.get(seat_of(person))
        if written is None:
            return Profile(person=person)
        # whoever was renamed is no longer found by the name the seed gave them
        return None if written.gone or written.fields.get(key, name) != name else written

    def _names(self, minute: int) -> dict[str, int]:
        """Who sits where in this minute, by address and by user id."""
        people = [self.people.at(seat, minute * 60) for seat in reversed(range(self.people.size))]
        by_id = {each.user_id: each.seat for each in people if each.user_id}
        return by_id | {email: each.seat for each in people if (email := each.email_at(minute * 60))}

    def former(self, email: str | None, user_id: str | None, since: int) -> list[Profile]:
        """Seeded people who had this name, and left since; exports still show them."""
        moment = self.moment()
        return [
            Profile(person=each)
            for each in self.people.between(since, moment + 1)
            if each.left <= moment
            and ((email and each.email_at(each.left) == email) or each.user_id == (user_id or "-"))
        ]

    def read(self, profile: Profile) -> Fields:
        """The whole profile as it is now; {} while a seeded person's first version is not visible yet."""
        moment, updated = self.moment(), 0
        seeded: Fields = {}
        if profile.person is not None:
            updated = self.people.last_update(profile.person, moment, moment + 1) or 0
            seeded = json.loads(self.people.record(profile.person, updated)) if updated else {}
        return profile.over(seeded, updated)

    def create(self, fields: Fields, source: str = "API") -> Profile:
        """Somebody new; `fields` hold the names, `source` is what their signupSource says."""
        moment, profile = self.moment(), Profile()
        born = {"signupDate": stamp(moment), "signupSource": source}
        if self.people.project_type != "email":  # always there in these (api.md 1.8)
            name = fields.get("userId") or fields.get("email") or ""
            born["itblUserId"] = sha256(name.encode()).hexdigest()[:16]
        kept = {name: value for name, value in fields.items() if value is not None}
        self.written.store(profile, born | kept, moment)
        return profile

    def change(self, profile: Profile, fields: Fields) -> None:
        """Lay `fields` over a profile; None clears one."""
        written = profile.fields | fields
        if profile.person is None:
            written = {name: value for name, value in written.items() if value is not None}
        self.written.store(profile, written, self.moment())

    def members(self, list_id: int) -> list[tuple[str | None, str | None]]:
        """The address and user id of everybody on a list now, as written or as seeded."""
        moment, found = self.moment(), []
        for seat in range(self.people.size):
            person = self.people.at(seat, moment)
            written = self.written.seats.get(seat_of(person))
            fields = written.fields if written else {}
            lists = fields.get(self.list_key)
            on_it = list_id in lists if lists is not None else self.people.on_list(person, list_id, moment)
            if on_it and not (written and written.gone):
                names = {"email": person.email_at(moment), "userId": person.user_id} | fields
                found.append((names["email"], names["userId"]))
        number = str(list_id).encode()
        for profile in list(self.written.newcomers):
            if number in profile.line and list_id in (fields := profile.fields).get(self.list_key, ()):
                found.append((fields.get("email"), fields.get("userId")))
        return found

    def with_device(self, token: str) -> list[Profile]:
        """Everybody to whom this device or its like was given."""
        held = json.dumps(token).encode()
        moment = self.moment()
        seated = [self.people.at(seat, moment) for seat in range(self.people.size)]
        seats = [self.written.seats.get(seat_of(each)) or Profile(person=each) for each in seated]
        return [each for each in seats if not each.gone] + [
            each for each in self.written.newcomers if held in each.line
        ]

    def records(self, begin: int, end: int, visible: int, last: int) -> Iterator[bytes]:
        """The lines of a user export of [begin, end), by profileUpdatedAt, as shown at `visible`."""
        for person in self._shuffled(begin, end):
            moment = self.people.last_update(person, visible, last)
            written = self.written.seats.get(seat_of(person))
            if written and written.gone:
                continue
            if written and written.updated <= visible:
                if begin <= max(written.updated, moment or 0) < end:
                    seeded = json.loads(self.people.record(person, moment)) if moment else {}
                    yield encode(written.over(seeded, moment or 0), escaped=False)
            elif moment is not None and begin <= moment < end:
                yield self.people.record(person, moment)
        for profile in list(self.written.newcomers):
            if begin <= profile.updated < end:
                yield profile.export_line()

    def seeded(self, begin: int, end: int, visible: int, last: int) -> Iterator[bytes]:
        """As `records`, as if nobody had ever written anything."""
        for person in self._shuffled(begin, end):
            moment = self.people.last_update(person, visible, last)
            if moment is not None and begin <= moment < end:
                yield self.people.record(person, moment)

    def _shuffled(self, begin: int, end: int) -> list[Person]:
        people = list(self.people.between(begin, end))
        dice(self.people.seed, "order of users", begin, end).shuffle(people)
        return people


def identity(profile: Fields) -> dict[str, Any]:
    """The names in a profile, lower-cased and trimmed as Iterable compares them."""
    email, user_id = (profile.get("email") or "").strip().lower(), profile.get("userId")
    return ({"email": email} if email else {}) | ({"userId": user_id} if user_id else {})
