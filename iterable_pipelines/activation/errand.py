"""A request and what becomes of it: sent as a whole, or in parts until each record is decided (R7 to R10).

Of records one of which must be wrong the first half is sent. Arrives it, the wrong one is in the other half; if not,
the other half waits. What waited goes as one request at the end: one bad record in a thousand costs eleven requests.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from iterable_pipelines.activation.answers import Reading
from iterable_pipelines.activation.outcomes import Outcome
from iterable_pipelines.activation.requests import Change, Request, prefix

_NOT_ALL_WRONG = 20


@dataclass(frozen=True)
class Replaced:
    """A record that goes as something else: `sent` is its payload, `noted` the one that counts as acknowledged.

    `note` goes into its details. With an `outcome` nothing goes, because it is so already.
    """

    sent: str
    noted: str
    note: str = ""
    outcome: Outcome | None = None


class Errand:
    """`request` is the one to send now. `attempts` and `waited` (seconds) count for it alone."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.attempts, self.waited = 0, 0.0
        # whether an attempt got no whole answer: it may have been applied, whatever the next one is answered
        self.in_doubt = False
        # who is not to be sent after all was asked for: what a part of it has done would be taken for somebody else's
        self.gated = False
        # one of these is wrong if the whole of `request` is right
        self._suspect: list[Change] = []
        self._rest: list[Change] = []
        self._reason = Outcome("rejected")
        self._arrived, self._refused = 0, 0
        self._withheld: dict[int, Outcome] = {}
        self._replaced: dict[int, Replaced] = {}
        self._taken_out: list[Change] = []

    def withhold(self, found: Mapping[int, Outcome | Replaced]) -> None:
        """Take out of the request what is not to be sent after all; the rest goes as it was found to be right."""
        if not found:
            return
        replaced = {number: each for number, each in found.items() if isinstance(each, Replaced)}
        outcomes = {number: each.outcome if isinstance(each, Replaced) else each for number, each in found.items()}
        self._withheld = {number: outcome for number, outcome in outcomes.items() if outcome}
        self._replaced = replaced
        self._taken_out = [each for each in self.request.changes if each.number in self._withheld]
        left = [
            replace(each, payload=replaced[each.number].sent) if each.number in replaced else each
            for each in self.request.changes
            if each.number not in self._withheld
        ]
        self.request = Request(left, self.request.id)

    def take_withheld(self) -> tuple[list[Change], dict[int, Outcome]]:
        """What was taken out, and why; once."""
        taken, outcomes = self._taken_out, self._withheld
        self._taken_out, self._withheld = [], {}
        return taken, outcomes

    def take_replaced(self) -> dict[int, Replaced]:
        """What goes as something else; once."""
        replaced, self._replaced = self._replaced, {}
        return replaced

    @property
    def undecided(self) -> list[Change]:
        """Every record that has no outcome yet."""
        return [*self.request.changes, *self._suspect, *self._rest]

    @property
    def is_hopeless(self) -> bool:
        """So many refused, one after the other, and nobody taken: it is not the records that are wrong."""
        return self._refused >= _NOT_ALL_WRONG and not self._arrived

    def go_on(self, reading: Reading, most_bytes: int) -> dict[int, Outcome]:
        """Take note of an answer. Returns what it decided; unless `finished`, `request` is the next one to send."""
        is_alone = len(self.request.changes) == 1
        outcomes = self._decide(reading, most_bytes)
        refused = sum(each.kind == "rejected" for each in outcomes.values())
        # many that are named at once say nothing about the others
        self._refused += refused if is_alone else 0
        self._arrived += len(outcomes) - refused
        return outcomes

    def _decide(self, reading: Reading, most_bytes: int) -> dict[int, Outcome]:
        outcomes, bad, proven = dict(reading.outcomes), list[Change](), True
        suspect, self._suspect = self._suspect, []
        if reading.then == "done" and not any(each.kind == "rejected" for each in outcomes.values()):
            # where nothing but the whole was refused, that may have had another reason
            bad, proven = suspect, bool(self._rest)
        elif reading.then == "bisect":
            bad, self._reason = reading.left, reading.rejection
            self._rest = suspect + self._rest
        elif reading.then == "smaller" and len(reading.left) == 1:
            outcomes[reading.left[0].number] = reading.rejection
            self._rest = suspect + self._rest
        elif reading.then == "smaller":
            half = len(reading.left) // 2
            self._rest = reading.left[half:] + suspect + self._rest
            self._send(reading.left[:half])
            return outcomes
        else:
            self._rest = reading.left + suspect + self._rest
        if len(bad) == 1 and not proven:
            self._send(bad)
            return outcomes
        if len(bad) == 1:
            outcomes[bad[0].number] = self._reason
        elif bad:
            half = len(bad) // 2
            self._suspect = bad[half:]
            self._send(bad[:half])
            return outcomes
        fitting = prefix(self._rest, most_bytes) if self._rest else 0
        now, self._rest = self._rest[:fitting], self._rest[fitting:]
        self._send(now)
        return outcomes

    @property
    def finished(self) -> bool:
        """Whether every record is decided."""
        return not self.request.changes

    def instead(self, change: Change) -> None:
        """Send this for the one record there was."""
        self._send([change])

    def _send(self, changes: list[Change]) -> None:
        self.request = Request(changes)
        self.attempts, self.waited, self.in_doubt = 0, 0.0, False
