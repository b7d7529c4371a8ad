"""One write as it was asked, and the answers in their shapes (api.md 1.3, 6.1)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from starlette.responses import JSONResponse, Response

from iterable_pipelines.sandbox.bodies import Shape
from iterable_pipelines.sandbox.errors import Refused, refusal
from iterable_pipelines.sandbox.faults import Fault
from iterable_pipelines.sandbox.identify import Failure, Row, trimmed
from iterable_pipelines.sandbox.world import World
from iterable_pipelines.sandbox.written import Dropped

USER_FAILURES = ("invalid", "notFound", "invalidData", "conflict", "forgotten")
EVENT_FAILURES = ("invalid", "notFound", "forgotten")
KINDS = ("Emails", "UserIds")
# outbound R16: what the single endpoints answer, by reason and kind of identifier
SINGLE: dict[tuple[str, str], tuple[int, str, str]] = {
    ("invalid", "Emails"): (400, "InvalidEmailAddressError", "Invalid email: {}"),
    ("invalid", "UserIds"): (400, "InvalidUserIdError", "Invalid userId: {}"),
    ("notFound", "Emails"): (400, "UnknownEmailError", "Unknown email: {}"),
    ("notFound", "UserIds"): (400, "UnknownUserIdError", "Unknown userId: {}"),
    ("conflict", "Emails"): (409, "EmailAlreadyExists", "Email already exists: {}"),
    ("conflict", "UserIds"): (409, "UserIdAlreadyExists", "UserId already exists: {}"),
    ("forgotten", "Emails"): (409, "ForgottenUserError", "User has been forgotten"),
    ("forgotten", "UserIds"): (409, "ForgottenUserError", "User has been forgotten"),
    ("invalidData", "Emails"): (400, "BadParams", "Invalid data for email: {}"),
    ("invalidData", "UserIds"): (400, "BadParams", "Invalid data for userId: {}"),
}


@dataclass
class Call:
    """One request: its path, its body, and the fault it met, if that is one about what is applied.

    at: the parts of the path that are parameters. query: the other parameters.
    """

    path: str
    asked: Row
    fault: Fault | None = None
    at: Mapping[str, Any] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)

    def is_dropped(self, world: World, row: Row, event_id: str | None = None) -> bool:
        """Whether this row is only answered as if it was applied (fault `lie`); then it is noted."""
        return self.is_lost(world, trimmed(row.get("email")) or row.get("userId", ""), event_id)

    def is_lost(self, world: World, name: str, event_id: str | None = None) -> bool:
        """As `is_dropped`, of what has a name and is no person: an item, a template, a campaign."""
        if self.fault is None or self.fault.chance.random() >= self.fault.options.get("share", 0.01):
            return False
        world.written.dropped.append(Dropped(self.path, name, event_id))
        return True


class Write(NamedTuple):
    """One write the sandbox has: its method, its path below /api, its body (None: it has none), and what it does."""

    method: str
    path: str
    shape: Shape | None
    answer: Callable[[Call], Response]


@dataclass
class Outcome:
    """The answer of a write of many: counts, and failures by identifier, never by position (api.md 6.1)."""

    done: int = 0
    failed: list[Failure] = field(default_factory=list)
    no_op: list[tuple[str, str]] = field(default_factory=list)
    filtered: set[str] = field(default_factory=set)
    created: set[str] = field(default_factory=set)
    disallowed: dict[str, int] = field(default_factory=dict)

    def _named(self, reason: str, kind: str) -> list[str]:
        return [each.name for each in self.failed if each.reason == reason and each.kind == kind]

    def as_users(self) -> Response:
        """UserBulkUpdateListResponse: 200 even with failures inside."""
        no_op = {f"noOp{kind}": [name for each, name in self.no_op if each == kind] for kind in KINDS}
        return JSONResponse(self._common(USER_FAILURES) | no_op)

    def as_events(self) -> Response:
        """BulkTrackResponse: fewer lists, and the names of events that may not be tracked."""
        answer = self._common(EVENT_FAILURES) | {"disallowedEventNames": list(self.disallowed)}
        answer["failCount"] += sum(self.disallowed.values())
        return JSONResponse(answer)

    def _common(self, reasons: tuple[str, ...]) -> dict[str, Any]:
        return {
            "successCount": self.done,
            "failCount": len(self.failed),
            # deprecated duplicates
            "invalidEmails": self._named("invalid", "Emails"),
            "invalidUserIds": self._named("invalid", "UserIds"),
            "filteredOutFields": sorted(self.filtered),
            "createdFields": sorted(self.created),
            "failedUpdates": {reason + kind: self._named(reason, kind) for reason in reasons for kind in KINDS},
        }

    def raise_single(self) -> None:
        """Raise Refused if the one row there was failed."""
        if self.failed:
            raise Refused(single_failure(self.failed[0]))


def single_failure(failure: Failure) -> Response:
    """The answer of a single endpoint about somebody it cannot write."""
    status, code, message = SINGLE[failure.reason, failure.kind]
    return refusal(status, code, message.format(failure.name))


def success(message: str = "", params: Row | None = None) -> Response:
    """The envelope of a write that went well."""
    return JSONResponse({"msg": message, "code": "Success", "params": params})
