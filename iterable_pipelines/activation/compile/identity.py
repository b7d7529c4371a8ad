"""Whom a record is of: identifiers normalised, required, validated, and put where the project expects them (I2–I8)."""

import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from iterable_pipelines.activation.project import ProjectType
from iterable_pipelines.activation.records import Identity, Issue

PLACEHOLDER = "@placeholder.email"
_EMAIL = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")
_USER_ID = re.compile(r"[!-~](?:[ -~]*[!-~])?")
_LONGEST_EMAIL = 254


@dataclass(frozen=True, slots=True)
class Who:
    """The identifiers on the top level of a record, and `spare`: one that becomes data of a user record (I3)."""

    email: str | None
    user_id: str | None
    spare: dict[str, str] = field(default_factory=dict)

    @property
    def top(self) -> dict[str, Any]:
        """The members of the record that name the user."""
        if self.email is None:
            return {"userId": self.user_id}
        return {"email": self.email} if self.user_id is None else {"email": self.email, "userId": self.user_id}

    @property
    def identity(self) -> Identity:
        """One of them, by which records of the same user are told."""
        if self.email is not None:
            return Identity("email", self.email)
        return Identity("userId", self.user_id or "")


@dataclass(frozen=True)
class Identifying:
    """The rules of one run. `by`: which of two identifiers a hybrid project keeps. `creates`: whether unknown users are
    created (I6). `longest`: characters of a userId.
    """

    project: ProjectType
    by: Literal["email", "userId"] | None = None
    creates: bool = True
    placeholder: bool = False
    longest: int = 52

    def who(self, email: Any, user_id: Any, issues: list[Issue]) -> Who | None:
        """The user of two values of a row; None, with an Issue, for nobody or somebody who cannot be."""
        before = len(issues)
        address, known = email_of(email, issues), user_id_of(user_id, issues, self.longest)
        if len(issues) > before:
            return None
        if self.project == "userid":
            if known is None:
                issues.append(Issue("missing_identifier", "userId is required (project type: userid)"))
                return None
            return Who(None, known, {} if address is None else {"email": address})
        if known is None:
            if address is None:
                issues.append(Issue("missing_identifier", "email or userId is required"))
                return None
            return Who(address, None)
        if self.project == "hybrid" and address is not None and self.by is not None:
            return Who(address, None, {"userId": known}) if self.by == "email" else Who(None, known, {"email": address})
        if address is None and self.project == "email" and self.placeholder:
            address = email_of(placeholder(known), issues, "userId")
            return None if address is None else Who(address, known)
        return Who(address, known)

    def preference(self, who: Who) -> dict[str, bool]:
        """`preferUserId`, for the three kinds of record that have it: users, the user of an order, devices (I6)."""
        return {"preferUserId": self.creates} if self.project == "email" and who.email is None else {}


def placeholder(user_id: str) -> str:
    """The address that stands for a user without one: Iterable never mails that domain (I8)."""
    return f"{user_id}{PLACEHOLDER}".lower()


def email_of(value: Any, issues: list[Issue], path: str = "email") -> str | None:
    """An address, stripped and in lower case; None if it is blank or, with an Issue, no address (I2, I5)."""
    if value is None:
        return None
    if isinstance(value, str):
        text = value.strip().lower()
        if not text:
            return None
        if _EMAIL.fullmatch(text) and (len(text) <= 63 or len(text.encode()) <= _LONGEST_EMAIL):
            return text
    issues.append(Issue("invalid_email", "not an e-mail address", path))
    return None


def user_id_of(value: Any, issues: list[Issue], longest: int = 52, path: str = "userId") -> str | None:
    """A userId as text; None if it is blank or, with an Issue, cannot be one (I2, I5)."""
    if value is None:
        return None
    text = identifier(value)
    if text is not None:
        if not text or text.isspace():
            return None
        if len(text) <= longest and _USER_ID.fullmatch(text):
            return text
    message = f"not 1 to {longest} printable ASCII characters without blanks around them"
    issues.append(Issue("invalid_user_id", message, path))
    return None


def identifier(value: Any) -> str | None:
    """Text, or a whole number as text, 123.0 too; None for all else (I2)."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return None
    if isinstance(value, int | UUID):
        return str(value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, Decimal) and value.is_finite() and value == value.to_integral_value():
        return str(int(value))
    return None


def whole_number(value: Any, code: str, path: str, issues: list[Issue]) -> int | None:
    """An id of Iterable's that must be there."""
    text = (identifier(value) or "").strip()
    if text.isascii() and text.isdigit() and 0 < int(text) < 2**63:
        return int(text)
    issues.append(Issue(code, "not a whole number", path))
    return None
