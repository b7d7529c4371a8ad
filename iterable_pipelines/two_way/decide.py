"""What is to be done with one record, from what became of it on either side (Y3, Y4). Pure.

A record's content on a side is its hash, ABSENT where there is none; a deletion is a change like any other.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from iterable_pipelines.two_way.declaration import Rule

ABSENT = ""
# once sent, and once again: a write that Iterable does not carry out then is reported
MOST_ATTEMPTS = 2

# none: as it was. agree: both are alike. forget: both are gone. keep: deleted on one side, and left alone on the other
Action = Literal[
    "none", "agree", "forget", "keep", "to_remote", "to_local", "delete_remote", "delete_local", "conflict"
]
Winner = Literal["warehouse", "iterable"]


@dataclass(frozen=True)
class Side:
    """What a side has now, and whether that is something else than at the last agreement."""

    hash: str
    changed: bool

    @property
    def gone(self) -> bool:
        """Whether there is nothing."""
        return self.hash == ABSENT


def decide(local: Side, remote: Side, winner: Winner | None, deletes: bool) -> Action:
    """The action. `winner` is who wins a conflict, None for nobody; `deletes`: whether deletions travel."""
    if local.hash == remote.hash:
        if not (local.changed or remote.changed):
            return "none"
        return "forget" if local.gone else "agree"
    if local.changed and not remote.changed:
        if local.gone:
            return "delete_remote" if deletes else "keep"
        return "to_remote"
    if remote.changed and not local.changed:
        if remote.gone:
            return "delete_local" if deletes else "keep"
        return "to_local"
    if not local.changed:
        return "none"
    # what was changed wins over what was deleted, and comes back (Y4)
    if local.gone:
        return "to_local"
    if remote.gone:
        return "to_remote"
    if winner is None:
        return "conflict"
    return "to_remote" if winner == "warehouse" else "to_local"


def winner_of(rule: Rule, local_at: datetime | None, remote_at: datetime | None) -> Winner | None:
    """Who wins a conflict. Of two moments that are not both known, or alike, none is the newest."""
    if rule == "warehouse" or rule == "iterable":
        return rule
    if rule == "manual" or local_at is None or remote_at is None or local_at == remote_at:
        return None
    return "warehouse" if local_at > remote_at else "iterable"


# plain: nothing is awaited. settled: our write shows. unsettled: what was before it still shows, and may. again: it has
# to be sent again. not_applied: it was, and still does not show. overtaken: something else shows
Seen = Literal["plain", "settled", "unsettled", "again", "not_applied", "overtaken"]


@dataclass(frozen=True)
class Awaited:
    """A write of ours that was not seen yet (Y5). `earlier`: what Iterable may show until then.

    in_doubt: whether nobody knows that it arrived.
    """

    hash: str
    earlier: frozenset[str]
    sent_at: datetime
    attempts: int
    in_doubt: bool


def look(awaited: Awaited | None, shown: str, now: datetime, settle: timedelta) -> Seen:
    """What it means that Iterable shows this."""
    if awaited is None:
        return "plain"
    if shown == awaited.hash:
        return "settled"
    if shown not in awaited.earlier:
        return "overtaken"
    if awaited.in_doubt:
        return "again"
    if now - awaited.sent_at < settle:
        return "unsettled"
    return "again" if awaited.attempts < MOST_ATTEMPTS else "not_applied"
