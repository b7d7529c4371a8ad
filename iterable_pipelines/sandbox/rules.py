"""How the project behaves where projects differ, or where nobody knows how Iterable does (UNCERTAIN in api.md)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

PIPELINES = ("bulk", "single")
UNKNOWN_USERS = ("created", "not_found")
MISSING_USER = ("empty", "400", "500")


@dataclass(frozen=True)
class Rules:
    """The rules of one project.

    settle_seconds: how long after its answer a write shows in reads, by the world's clock; one number, or one for each
    pipeline, {"bulk": 60, "single": 1} (api.md 6.1).
    unknown_users: what becomes of an event of somebody nobody knows, `created` or `not_found`; None: single calls
    create, bulk calls do not (api.md 1.8).
    missing_user: how reads say that there is no such user, `empty`, `400` or `500`; None: {} by address and 400 by id.
    create_new_fields: what holds for requests that do not say.
    most_fields: how many fields profiles may have together (api.md 1.9).
    disallowed_events: names that may not be tracked.
    event_ids: whether custom events are shown with their id, `_id`.
    wrapped: whether reads of catalogs come in an envelope (api.md 5.8).
    existing_catalog: the status of a second creation, 400 or 409 (api.md 6.4).
    forgotten_linger: whether exports still show who was forgotten.
    resubscribes: whether lists/subscribe takes back an unsubscription from the channel.
    may_schedule, may_activate, subscription_groups: whether the project has these, which answer 403 or 404 without.
    blast_seconds: how long a blast is Running before it is Finished, by the world's clock.
    trigger_moves_campaign: whether a triggered campaign's updatedAt moves when it is triggered; nobody knows.
    senders: addresses that templates may be sent from.
    """

    settle_seconds: float | Mapping[str, float] = 0
    unknown_users: str | None = None
    missing_user: str | None = None
    create_new_fields: bool = True
    most_fields: int = 1000
    disallowed_events: Collection[str] = ()
    event_ids: bool = True
    wrapped: bool = True
    existing_catalog: int = 400
    forgotten_linger: bool = False
    resubscribes: bool = True
    may_schedule: bool = False
    may_activate: bool = False
    subscription_groups: bool = False
    blast_seconds: float = 0
    trigger_moves_campaign: bool = True
    senders: Collection[str] = ("hello@example.com",)

    def __post_init__(self) -> None:
        delays = self.settle_seconds if isinstance(self.settle_seconds, Mapping) else {}
        if not set(delays) <= set(PIPELINES):
            raise ValueError(f"settle_seconds names no pipeline: {sorted(delays)}; they are {', '.join(PIPELINES)}")
        for name, allowed in (("unknown_users", UNKNOWN_USERS), ("missing_user", MISSING_USER)):
            value = getattr(self, name)
            if value is not None and value not in allowed:
                raise ValueError(f"{name} is {value!r}; allowed are {', '.join(allowed)}, or None")
        if self.existing_catalog not in (400, 409):
            raise ValueError(f"existing_catalog is {self.existing_catalog!r}; allowed are 400 and 409")

    def delay(self, pipeline: str) -> float:
        """Seconds from the answer of a write in this pipeline to its effect."""
        return self.settle_seconds.get(pipeline, 0) if isinstance(self.settle_seconds, Mapping) else self.settle_seconds
