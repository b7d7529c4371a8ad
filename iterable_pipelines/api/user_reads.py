"""One person, straight from Iterable: the profile, the newest events, the in-app messages (api.md 5.10)."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from iterable_pipelines.api.client import Iterable
from iterable_pipelines.api.errors import Broken, Refused

MOST_EVENTS = 200
# how Iterable says that it knows nobody by that name (api.md 1.3, 1.8)
_UNKNOWN = ("error.users.noUser", "UnknownEmailError", "UnknownUserIdError")


@dataclass(frozen=True)
class Person:
    """Whom to ask for: by email, or by user id. Exactly one of the two."""

    email: str | None = None
    user_id: str | None = None

    @property
    def query(self) -> dict[str, str]:
        """As parameters, which carry any sign."""
        return {"userId": self.user_id} if self.user_id else {"email": self.email or ""}

    @property
    def path(self) -> str:
        """As the end of a path, where there is no twin with parameters; every sign that means something is encoded."""
        return f"byUserId/{quote(self.user_id, safe='')}" if self.user_id else quote(self.email or "", safe="")


def read_user(client: Iterable, person: Person) -> dict[str, Any] | None:
    """The profile: email, userId, dataFields; None for nobody, in either of the ways in which Iterable says so."""
    path = "/api/users/byUserId" if person.user_id else "/api/users/getByEmail"
    answer = _get(client, path, person.query)
    user = answer.get("user") if answer else None
    return user if isinstance(user, dict) else None


def read_events(client: Iterable, person: Person, limit: int) -> list[dict[str, Any]]:
    """Up to `limit` (1 to 200) events of the last weeks, system events and the project's own; nobody has none."""
    return _rows(_get(client, f"/api/events/{person.path}", {"limit": limit}), "events")


def read_messages(client: Iterable, person: Person, limit: int) -> list[dict[str, Any]]:
    """Up to `limit` in-app messages that an app of theirs would show now, read ones in the inbox included."""
    return _rows(_get(client, "/api/inApp/getMessages", person.query | {"count": limit}), "inAppMessages")


def _get(client: Iterable, path: str, params: dict[str, Any]) -> dict[str, Any] | None:
    try:
        return client.get(path, params)
    except Refused as error:
        if error.status == 404 or (error.code or "").startswith(_UNKNOWN):
            return None
        raise


def _rows(answer: dict[str, Any] | None, key: str) -> list[dict[str, Any]]:
    rows = answer.get(key, []) if answer else []
    if not isinstance(rows, list) or not all(isinstance(each, dict) for each in rows):
        raise Broken(f"the answer's {key} is no list of objects")
    return rows
