"""What was acknowledged, as something that can be looked for: a promise, and what became of it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from iterable_pipelines.api.user_reads import Person

# mismatch, missing: not found as it was sent. drifted: found once, and not any more, because somebody else changed it.
# pending: too young to be looked for. unseen: Iterable shows too little to tell, such as the newest 200 events only
Verdict = Literal["verified", "mismatch", "missing", "drifted", "pending", "unseen"]
WRONG: tuple[Verdict, ...] = ("mismatch", "missing", "drifted")


@dataclass(frozen=True)
class Promise:
    """A record that Iterable acknowledged. `was_right`: it has been found as it was sent since then.

    result: what Iterable made of it, such as {"campaignId": …}.
    """

    key: str
    output: str
    pk: str
    endpoint: str
    flags: dict[str, Any]
    payload: dict[str, Any]
    identity_kind: str | None
    identity: str | None
    acked_at: datetime
    was_right: bool = False
    result: dict[str, Any] = field(default_factory=dict)

    @property
    def user(self) -> dict[str, Any]:
        """The part of the payload that names the user: commerce has it in a block of its own (C2)."""
        found = self.payload.get("user")
        return found if isinstance(found, dict) else self.payload

    @property
    def person(self) -> Person | None:
        """Whom to ask Iterable for; None where nothing names anybody any more."""
        if self.endpoint == "email_change":
            return Person(email=self.payload.get("newEmail"))
        if self.endpoint == "merge":
            source = self.payload.get("sourceEmail")
            return Person(email=source) if source else Person(user_id=self.payload.get("sourceUserId"))
        if self.identity:
            return Person(email=self.identity) if self.identity_kind == "email" else Person(user_id=self.identity)
        return None


@dataclass(frozen=True)
class Finding:
    """What a reading says of a promise: `fields` are the names of what differs, `found` is what was there instead."""

    verdict: Verdict
    fields: tuple[str, ...] = ()
    found: Any = None

    def for_promise(self, promise: Promise) -> "Finding":
        """What was right once, and is wrong now, has drifted."""
        if self.verdict in WRONG and promise.was_right:
            return Finding("drifted", self.fields, self.found)
        return self


VERIFIED = Finding("verified")
MISSING = Finding("missing")
UNSEEN = Finding("unseen")
