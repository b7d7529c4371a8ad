"""What became of a record (outbound.md 1.12), and whether a later run tries it again."""

from dataclasses import dataclass
from typing import Literal

# acknowledged: acked, accepted (Iterable works on it), noop (nothing to change). rejected: by Iterable, or invalid: by
# us, unsent. pending: deferred (not now), aborted (never tried), unknown (in doubt). skipped: by rule
Kind = Literal["acked", "accepted", "noop", "skipped", "invalid", "rejected", "deferred", "aborted", "unknown"]
Standing = Literal["acknowledged", "rejected", "pending", "skipped"]

STANDING: dict[Kind, Standing] = {
    "acked": "acknowledged",
    "accepted": "acknowledged",
    "noop": "acknowledged",
    "skipped": "skipped",
    "invalid": "rejected",
    "rejected": "rejected",
    "deferred": "pending",
    "aborted": "pending",
    "unknown": "pending",
}

# worth another try in every run for RETRY_HORIZON_DAYS: somebody may mend it at Iterable. All other rejections are
# final until the row's content or the mapping changes
TRIED_AGAIN = frozenset(
    {
        *("user_not_found", "identity_conflict", "email_already_exists", "list_not_found"),
        *("ambiguous_template", "template_not_found", "list_in_use"),
    }
)
RETRY_HORIZON_DAYS = 14


def newest_outcomes(which: str) -> str:
    """SQL of the newest outcome of each change, of the rows of state.outcomes that the condition chooses."""
    return (
        f"(from state.outcomes where {which} "
        "qualify row_number() over (partition by run_id, number order by noted_at desc, kind) = 1)"
    )


@dataclass(frozen=True)
class Outcome:
    """What became of one record. `message` holds nothing of a person; `details` are codes of further failures (R2).

    result: what Iterable made of it, as JSON text: the id of a list or a campaign.
    """

    kind: Kind
    code: str = ""
    message: str = ""
    path: str = ""
    details: tuple[str, ...] = ()
    result: str | None = None

    @property
    def standing(self) -> Standing:
        """One of the four that every row is in at all times."""
        return STANDING[self.kind]
