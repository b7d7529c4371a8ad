"""Whose turn it is: five requests a minute are shared among all lists that have to be asked for.

Every list has a deadline, and among those that may be asked again the nearest deadline goes first. Lists in live
campaigns have an hour; any other has a day, and half of one before its first reading. So live lists go first, then
those never read, then the stalest; and a list that waited for a day goes before live ones: nobody starves.

The limit is the project's, and other programs may ask for lists too. So whoever was read rests: lists in live campaigns
until the next turn, the others until they have all had their turn with a third of the budget.
"""

import heapq
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from iterable_pipelines.api import LIMITS, SEEN_WITHIN, Limit
from iterable_pipelines.objects.list_members.tables import READING, MemberList

# a turn begins every half hour and ends before the next one does
TURN_EVERY, TURN = timedelta(minutes=30), timedelta(minutes=28)
# a list read now is left alone until the next turn, where it is still young enough to be read within its hour
REST = timedelta(minutes=25)
_REST_PER_LIST = 3 * timedelta(seconds=LIMITS["list users"].seconds / LIMITS["list users"].calls)
LIVE_AGE, OTHER_AGE, FIRST_READING = timedelta(hours=1), timedelta(days=1), timedelta(hours=12)
# after a try that brought nothing; doubled by each further one
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(minutes=5), timedelta(hours=6)
# a list of a million takes more than an hour to come (api.md 5.3): others go on beside it
READERS = 8


def due_at(each: MemberList, others: int = 0) -> datetime:
    """From when on the list may be asked for: rarely while it fails, and not all the time if it is a long one.

    `others` is how many lists there are to ask for that are in no live campaign.
    """
    state = each.state
    if state.failures and state.tried_at:
        return state.tried_at + min(_FIRST_PAUSE * (1 << min(state.failures - 1, 10)), _LONGEST_PAUSE)
    if state.read_at is None:
        return state.noticed_at
    if each.live:
        return state.read_at + REST
    return state.read_at + max(REST, others * _REST_PER_LIST, timedelta(seconds=4 * state.seconds))


def deadline(each: MemberList) -> datetime:
    """When it should have been asked for again at the latest."""
    if each.state.read_at is None:
        return each.state.noticed_at + (timedelta() if each.live else FIRST_READING)
    return each.state.read_at + (LIVE_AGE if each.live else OTHER_AGE)


class Queue:
    """Lists that wait: those that may not be asked for yet, and those that may, the nearest deadline first."""

    def __init__(self, lists: Iterable[MemberList]) -> None:
        self._resting: list[tuple[datetime, int, MemberList]] = []
        self._ready: list[tuple[datetime, int, MemberList]] = []
        asked_for = [each for each in lists if each.state.known_by == READING]
        self._others = sum(not each.live for each in asked_for)
        for each in asked_for:
            self.put(each)

    def put(self, each: MemberList) -> None:
        """Let a list wait."""
        heapq.heappush(self._resting, (due_at(each, self._others), each.id, each))

    def resting(self) -> dict[int, datetime]:
        """From when on each list may be asked for, of those that `take` has not looked at yet."""
        return {list_id: at for at, list_id, _ in self._resting}

    def take(self, moment: datetime) -> MemberList | None:
        """The list whose turn it is at `moment`, taken out of the queue; None if all of them rest."""
        while self._resting and self._resting[0][0] <= moment:
            each = heapq.heappop(self._resting)[2]
            heapq.heappush(self._ready, (deadline(each), each.id, each))
        return heapq.heappop(self._ready)[2] if self._ready else None


@dataclass(frozen=True)
class Plan:
    """When each list that is due will be asked for, and when the last of them is done; `requests` is what goes there.

    Lists in live campaigns that come again before the last one are counted in.
    """

    turns: dict[int, datetime]
    requests: int
    done_at: datetime


def plan_lists(lists: Iterable[MemberList], moment: datetime, limit: Limit, seen_within: float = SEEN_WITHIN) -> Plan:
    """Play what turns will do from `moment` on until every list that is due has been asked for once.

    A list is taken to last as long as last time, one never read as long as the mean, and every try to succeed. What
    comes next keeps its distance from a request that was seen, after `seen_within` seconds at the latest.
    """
    lists = [each for each in lists if each.state.known_by == READING]
    known = [each.state.seconds for each in lists if each.state.read_at]
    usual = sum(known) / len(known) if known else 0.0
    queue = Queue(lists)
    to_go = {list_id for list_id, at in queue.resting().items() if at <= moment}
    turns: dict[int, datetime] = {}
    readers = [moment] * READERS
    gone = deque([moment - timedelta(days=1)] * limit.calls, maxlen=limit.calls)
    span, done_at, requests = timedelta(seconds=limit.seconds + limit.margin), moment, 0
    while to_go:
        # a reader that is free takes the next list, and waits with it for the budget
        free = _inside_turns(heapq.heappop(readers), moment)
        each = queue.take(free)
        if each is None:
            break
        at = max(free, gone[0] + span)
        seconds = each.state.seconds if each.state.read_at else usual
        end = at + timedelta(seconds=seconds)
        gone.append(at + timedelta(seconds=min(seconds, seen_within)))
        heapq.heappush(readers, end)
        queue.put(replace(each, state=replace(each.state, read_at=at, tried_at=at, failures=0, seconds=seconds)))
        turns.setdefault(each.id, at)
        to_go.discard(each.id)
        requests, done_at = requests + 1, max(done_at, end)
    return Plan(turns, requests, done_at)


def _inside_turns(at: datetime, first: datetime) -> datetime:
    """The moment, or the beginning of the next turn if it lies between two; the first turn begins at `first`."""
    passed, into = divmod(at - first, TURN_EVERY)
    return at if into < TURN else first + (passed + 1) * TURN_EVERY
