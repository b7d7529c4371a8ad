"""Whom a row of a request means, by the rules of the project's type (api.md 1.8, outbound I3 and I6)."""

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NamedTuple

from iterable_pipelines.sandbox.everybody import Everybody
from iterable_pipelines.sandbox.profiles import Profile
from iterable_pipelines.sandbox.written import Written

ADDRESS = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
USER_ID = re.compile(r"[ -~]{0,51}[!-~]")  # printable ASCII, at most 52, the last no blank
Row = dict[str, Any]


class Failure(NamedTuple):
    """Why a row cannot be written, and the identifier the answer names for it (outbound 1.11)."""

    reason: str
    kind: str
    name: str


@dataclass(slots=True)
class Somebody:
    """Whom a row means: a profile, or somebody new; `names` are the identifiers they have from then on."""

    profile: Profile | None
    names: dict[str, str]


def trimmed(email: Any) -> str | None:
    """An address as Iterable compares and answers it: lower-cased, without blanks around it; None for none."""
    return str(email).strip().lower() or None if email is not None else None


def placeholder(user_id: str) -> str:
    """The address an email-based project makes up for a user id (api.md 1.8)."""
    return f"{sha256(user_id.encode()).hexdigest()[:24]}@placeholder.email"


class Identify:
    """Resolves rows against everybody there is at the moment."""

    def __init__(self, everybody: Everybody, written: Written):
        self.everybody, self.written = everybody, written
        self.project_type = everybody.people.project_type

    def __call__(self, row: Row, must_exist: bool = False) -> Somebody | Failure:
        """Who `row` means, or why it means nobody that can be written."""
        fields = row.get("dataFields") or {}
        email, user_id = trimmed(row.get("email")), row.get("userId")
        inner_email, inner_user_id = trimmed(fields.get("email")), fields.get("userId")
        malformed = self._malformed((email, inner_email), (user_id, inner_user_id))
        if malformed:
            return malformed
        if self.project_type == "email":
            found = self._by_address(email, user_id, inner_user_id, bool(row.get("preferUserId")) and not must_exist)
        elif self.project_type == "userid":
            found = self._by_user_id(user_id, inner_email or email, inner_user_id, email)
        else:
            found = self._by_either(email, user_id, inner_email, inner_user_id)
        if isinstance(found, Somebody) and found.profile is None and must_exist:
            return Failure("notFound", "Emails", email) if email else Failure("notFound", "UserIds", user_id or "")
        return found

    def _malformed(self, emails: tuple[Any, ...], user_ids: tuple[Any, ...]) -> Failure | None:
        for name in emails:
            if name is not None and not ADDRESS.fullmatch(name):
                return Failure("invalid", "Emails", name)
            if name in self.written.forgotten_emails:
                return Failure("forgotten", "Emails", name)
        for name in user_ids:
            if name is not None and not (isinstance(name, str) and USER_ID.fullmatch(name)):
                return Failure("invalid", "UserIds", str(name))
            if name in self.written.forgotten_user_ids:
                return Failure("forgotten", "UserIds", name)
        return None

    def _by_address(
        self, email: str | None, user_id: str | None, inner_user_id: str | None, prefer: bool
    ) -> Somebody | Failure:
        """Email-based: the address says who; the user id sent beside it overwrites the profile's."""
        user_id = user_id or inner_user_id
        if email:
            return Somebody(self.everybody.by_email(email), _names(email, user_id))
        if not user_id:
            return Failure("invalid", "UserIds", "")
        profile = self.everybody.by_user_id(user_id)
        if profile is None and not prefer:
            return Failure("notFound", "UserIds", user_id)
        return Somebody(profile, _names(None if profile else placeholder(user_id), user_id))

    def _by_user_id(
        self, user_id: str | None, address: str | None, inner_user_id: str | None, email: str | None
    ) -> Somebody | Failure:
        """UserID-based: only the user id says who; an address is data that nobody else may have."""
        if not user_id:
            return Failure("invalid", "Emails", email) if email else Failure("invalid", "UserIds", "")
        profile = self.everybody.by_user_id(user_id)
        return self._taken(profile, address, inner_user_id) or Somebody(
            profile, _names(address, inner_user_id or user_id)
        )

    def _by_either(
        self, email: str | None, user_id: str | None, inner_email: str | None, inner_user_id: str | None
    ) -> Somebody | Failure:
        """Hybrid: both are unique, and both together must not mean two people."""
        if not email and not user_id:
            return Failure("invalid", "UserIds", "")
        by_id = self.everybody.by_user_id(user_id) if user_id else None
        by_email = self.everybody.by_email(email) if email else None
        # a profile that has no user id yet gets the one sent; one that has another is somebody else
        if by_email and user_id and not by_email.same(by_id) and (by_id or self._has_user_id(by_email)):
            return Failure("conflict", "Emails", email or "")
        profile = by_id or by_email
        address, new_user_id = inner_email or email, inner_user_id or user_id
        return self._taken(profile, address, new_user_id) or Somebody(profile, _names(address, new_user_id))

    def _has_user_id(self, profile: Profile) -> bool:
        return bool(self.everybody.read(profile).get("userId"))

    def _taken(self, profile: Profile | None, email: str | None, user_id: str | None) -> Failure | None:
        owner = self.everybody.by_email(email) if email else None
        if owner and not owner.same(profile):
            return Failure("conflict", "Emails", email or "")
        owner = self.everybody.by_user_id(user_id) if user_id else None
        if owner and not owner.same(profile):
            return Failure("conflict", "UserIds", user_id or "")
        return None


def _names(email: str | None, user_id: str | None) -> dict[str, str]:
    return ({"email": email} if email else {}) | ({"userId": user_id} if user_id else {})
