"""The people of the world: who they are, when they sign up, how their profiles change.

The world has a fixed number of seats. A seat is held by one person after another, so that people come and go for ever
while their number stays the same, and who sits where at any moment is a pure function of the seed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Any

from iterable_pipelines.sandbox.chance import dice, draw, one_of, share
from iterable_pipelines.sandbox.oddities import custom_fields, encode, odd_stamp, stamp

EPOCH = 1_735_689_600  # 2025-01-01 00:00:00 UTC, a fixed point from which seats are counted
DAY = 86_400
UPDATES_PER_DAY = 0.6
FIRST_WRITTEN_LIST = 970_000  # lists that clients make; nobody is seeded onto them
LIST_IDS = (949810, 949811, 949812, 949813, 949814)
# each channel has two message types, the first of them OptOut, the second OptIn
CHANNEL_IDS, MESSAGE_TYPE_IDS = range(39_580, 39_589), range(47_250, 47_268)

FIRST = (
    "Ann",
    "Bo",
    "Cleo",
    "Dmitri",
    "Élise",
    "Fatima",
    "Günther",
    "Hana",
    "Ivo",
    "José",
    "Kim",
    "Łukasz",
    "Mary Jo",
    "Nils",
    "李",
)
LAST = ("Smith", "O'Neil", "Müller", "van der Berg", "García", "Ito", "Novák", "Brown", "Öz", "Lee", 'Q"uote', "Dubois")
DOMAINS = ("example.com", "example.org", "mail.example.net", "shop.example.co.uk", "büro.example.de")
PLACES = (
    ("Berlin", "Germany", "BE", "Europe/Berlin", "de-DE"),
    ("San José", "United States", "CA", "America/Los_Angeles", "en-US"),
    ("Hyderabad", "India", "TG", "Asia/Kolkata", "en-IN"),
    ("Lyon", "France", "ARA", "Europe/Paris", "fr-FR"),
    ("Osaka", "Japan", "27", "Asia/Tokyo", "ja-JP"),
)


@dataclass(frozen=True)
class Person:
    """One person; times are epoch seconds. `email` is None for people known only by their user id."""

    seat: int
    joined: int
    left: int
    first: str
    last: str
    email: str | None
    next_email: str | None
    email_changes: int
    user_id: str | None
    itbl_user_id: str | None
    phone: str
    tells_user_id: bool
    tells_itbl_user_id: bool
    shouts: bool

    def email_at(self, moment: int) -> str | None:
        """The address the person has at `moment`; a few people change theirs and stay the same itblUserId."""
        return self.next_email if self.next_email and moment >= self.email_changes else self.email

    def identity(self, moment: int, chance: Random) -> dict[str, Any]:
        """The identifying fields of an event of this person, as unlike each other as real ones are."""
        fields: dict[str, Any] = {}
        email = self.email_at(moment)
        roll = chance.random()
        if email is None:
            fields["userId"] = self.user_id
            if roll < 0.3:
                fields["email"] = None
        elif self.user_id and roll < 0.05:
            fields["userId"] = self.user_id
        else:
            fields["email"] = f" {email.upper()} " if self.shouts and roll < 0.5 else email
            if self.user_id and self.tells_user_id:
                fields["userId"] = self.user_id
        if self.tells_itbl_user_id:
            fields["itblUserId"] = self.itbl_user_id
        return fields


class Population:
    """The people of one world: `size` seats, filled for ever."""

    def __init__(self, seed: int, size: int, project_type: str, plain: bool = False):
        self.seed, self.size, self.project_type, self.plain = seed, size, project_type, plain
        self.person = lru_cache(maxsize=200_000)(self._person)

    def _tenure(self, seat: int) -> tuple[int, int]:
        return (90 + draw(self.seed, "tenure", seat) % 150) * DAY, draw(self.seed, "phase", seat) % (90 * DAY)

    def _turn(self, seat: int, moment: int) -> int:
        tenure, phase = self._tenure(seat)
        return (moment - EPOCH + phase) // tenure

    def at(self, seat: int, moment: int) -> Person:
        """Who holds `seat` at `moment`."""
        return self.person(seat, self._turn(seat, moment))

    def pick(self, moment: int, chance: Random) -> Person:
        """Someone who is there at `moment`; a few people are far more active than the rest."""
        return self.at(int(chance.random() ** 1.7 * self.size), moment)

    def between(self, start: int, end: int) -> Iterator[Person]:
        """Everyone who held a seat at any moment of [start, end)."""
        for seat in range(self.size):
            for turn in range(self._turn(seat, start), self._turn(seat, end - 1) + 1):
                yield self.person(seat, turn)

    def _person(self, seat: int, turn: int) -> Person:
        tenure, phase = self._tenure(seat)
        joined = EPOCH - phase + turn * tenure + draw(self.seed, "joined", seat, turn) % 3600
        chance = dice(self.seed, "person", seat, turn)
        first, last = chance.choice(FIRST), chance.choice(LAST)
        serial = f"{seat}{chr(97 + turn % 26)}"
        # the address is ascii for most; a few carry what breaks URLs, CSV and SQL
        local = one_of(
            (f"user{serial}",) * 9 + (f"user+{serial}", f"o'neil{serial}", f"jürgen{serial}", f"a/b%{serial}"),
            self.seed,
            seat,
            turn,
        )
        email: str | None = f"{local}@{chance.choice(DOMAINS)}"
        known_by_id_only, has_user_id = self._known_by(chance)
        user_id: str | None = f"u-{draw(self.seed, 'user id', seat, turn) % 10**9:09d}" if has_user_id else None
        if seat in (7, 8) and self.project_type == "email":
            user_id, known_by_id_only = "1234", False  # two addresses may share a user id (api.md 1.8)
        changes = not known_by_id_only and chance.random() < 0.08
        has_itbl = self.project_type != "email" or changes or chance.random() < 0.5
        return Person(
            seat=seat,
            joined=joined,
            left=EPOCH - phase + (turn + 1) * tenure,
            first=first,
            last=last,
            email=None if known_by_id_only else email,
            next_email=f"new.{email}" if changes else None,
            email_changes=joined + chance.randrange(10 * DAY, max(tenure - 5 * DAY, 11 * DAY)),
            user_id=user_id,
            itbl_user_id=f"{draw(self.seed, 'itbl', seat, turn):016x}" if has_itbl else None,
            phone=f"+1650{chance.randrange(10**6, 10**7)}",
            tells_user_id=chance.random() < 0.5,
            tells_itbl_user_id=has_itbl and (changes or chance.random() < 0.6),
            shouts=chance.random() < 0.04,
        )

    def _known_by(self, chance: Random) -> tuple[bool, bool]:
        """Whether a person is known by the user id only, and whether there is a user id (api.md 1.8)."""
        only_id, with_id = {"email": (0.03, 0.6), "hybrid": (0.2, 0.85), "userid": (0.4, 1.0)}[self.project_type]
        known_by_id_only = chance.random() < only_id
        return known_by_id_only, known_by_id_only or chance.random() < with_id

    def updates(self, person: Person, day: int) -> list[int]:
        """The moments of `day` (days since 1970) at which the person's profile changed, oldest first."""
        moments = [person.joined] if person.joined // DAY == day else []
        if person.next_email and person.email_changes // DAY == day:
            moments.append(person.email_changes)
        for nth in range(2):
            if share(self.seed, "update", person.seat, person.joined, day, nth) < UPDATES_PER_DAY / 2:
                moments.append(day * DAY + draw(self.seed, "moment", person.seat, person.joined, day, nth) % DAY)
        return sorted(each for each in moments if person.joined <= each < person.left)

    def last_update(self, person: Person, visible_at: int, before: int) -> int | None:
        """The profileUpdatedAt of the version an export made at `visible_at` shows; None if there is none yet.

        It is stamped up to a minute before the version is visible (api.md 3.6). Nothing changes from `before` on.
        """
        for day in range(min(visible_at, person.left, before) // DAY, person.joined // DAY - 1, -1):
            for moment in reversed(self.updates(person, day)):
                if moment < before and moment + 5 + draw(self.seed, "lag", moment, person.seat) % 57 <= visible_at:
                    return moment
        return None

    def lists(self, person: Person) -> list[int]:
        """The static lists the person is on, ascending."""
        return [each for each in LIST_IDS[:-1] if share(self.seed, "list", each, person.seat, person.joined) < 0.4]

    def on_list(self, person: Person, list_id: int, moment: int) -> bool:
        """Whether the person is on the list; the last list is dynamic and shows on no profile.

        So do any further ones, on which everybody is for some days and then is not.
        """
        if list_id in LIST_IDS:
            return list_id in self.lists(person) or (list_id == LIST_IDS[-1] and person.seat % 3 == 0)
        if list_id >= FIRST_WRITTEN_LIST:
            return False
        period = (moment + draw(self.seed, "period", list_id, person.seat) % (12 * DAY)) // (12 * DAY)
        return share(self.seed, "segment", list_id, person.seat, period) < 0.3

    def _chosen(self, ids: range, person: Person, moment: int) -> list[int]:
        """The few of these channels or message types that the person has something against, or for, this week."""
        week = moment // (7 * DAY)
        return [each for each in ids if share(self.seed, "chosen", each, person.seat, person.joined, week) < 0.03]

    def record(self, person: Person, moment: int) -> bytes:
        """The user record of the version stamped `moment`, one line without newline (api.md 4.11)."""
        constant = dice(self.seed, "profile", person.seat, person.joined)
        chance = dice(self.seed, "version", person.seat, moment)
        fields = self._profile(person, moment, constant, chance)
        keys = list(fields)
        chance.shuffle(keys)
        return encode({key: fields[key] for key in keys}, escaped=chance.random() < 0.3)

    def _profile(self, person: Person, moment: int, constant: Random, chance: Random) -> dict[str, Any]:
        email = person.email_at(moment)
        fields: dict[str, Any] = {
            "profileUpdatedAt": stamp(moment) if self.plain else odd_stamp(moment, chance),
            "signupDate": stamp(person.joined + constant.randrange(50)),
            "signupSource": constant.choice(("API", "Import", "WebForm", "ListAPI")),
            "emailListIds" if self.project_type == "email" else "userListIds": self.lists(person),
            "unsubscribedChannelIds": self._chosen(CHANNEL_IDS, person, moment),
            "unsubscribedMessageTypeIds": self._chosen(MESSAGE_TYPE_IDS[::2], person, moment),
        }
        if email is not None:
            fields["email"] = f" {email.upper()}" if person.shouts else email
            fields["itblInternal.emailDomain"] = email.rpartition("@")[2]
        elif constant.random() < 0.5:
            fields["email"] = None
        if opted_in := self._chosen(MESSAGE_TYPE_IDS[1::2], person, moment):
            fields["subscribedMessageTypeIds"] = opted_in
        if person.user_id:
            fields["userId"] = person.user_id
        if person.itbl_user_id:
            fields["itblUserId"] = person.itbl_user_id
        names = ("first_name", "last_name") if constant.random() < 0.1 else ("firstName", "lastName")
        if constant.random() < 0.9:
            fields |= dict(zip(names, (person.first, person.last), strict=True))
        city, country, region, zone, locale = chance.choice(PLACES)
        if constant.random() < 0.8:
            fields |= {"city": city, "country": country, "region": region, "timeZone": zone, "locale": locale}
        elif constant.random() < 0.5:
            fields |= {"city": None, "country": None}
        if constant.random() < 0.6:
            fields |= {"gender": constant.choice(("female", "male", "", "x", None))}
        if constant.random() < 0.5:
            fields |= {
                "phoneNumber": person.phone,
                "phoneNumberDetails": {"carrier": "Example", "countryCodeISO": "US", "lineType": "mobile"},
            }
        if constant.random() < 0.4:
            fields["devices"] = [
                {
                    "token": f"{constant.getrandbits(64):016x}",
                    "platform": "APNS",
                    "endpointEnabled": constant.random() < 0.9,
                }
            ]
        return fields | custom_fields(chance)
