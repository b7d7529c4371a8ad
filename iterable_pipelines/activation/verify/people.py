"""Users asked for one by one, in a few threads, and what their profiles and events say of what was acknowledged."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from typing import Any

from iterable_pipelines.activation.verify.events import find_events
from iterable_pipelines.activation.verify.promises import UNSEEN, Finding, Promise
from iterable_pipelines.activation.verify.readings import READ_BACK
from iterable_pipelines.api import Iterable as Client
from iterable_pipelines.api import Refused
from iterable_pipelines.api.user_reads import MOST_EVENTS, Person, read_events, read_user

# 100 a second are allowed; the rest is left to the lookups of others (outbound.md 1.9)
A_SECOND = 80.0
_READERS = 4

Found = tuple[Promise, Finding]


class People:
    """Reads users. `connect` makes a client, one for each thread; `lookups` counts the requests so far."""

    def __init__(self, connect: Callable[[], Client], now: Callable[[], datetime]) -> None:
        self.lookups = 0
        self._connect, self._now = connect, now
        self._own, self._lock = threading.local(), threading.Lock()

    def look_for(self, groups: Iterable[Sequence[Promise]]) -> Iterator[Found]:
        """What became of the promises, group by group, each of which is about one user.

        Raises IterableError where Iterable cannot be asked at all; what was found before was given out before.
        """
        waiting: deque[Future[list[Found]]] = deque()
        begun = time.monotonic()
        with ThreadPoolExecutor(_READERS) as pool:
            try:
                for nth, group in enumerate(groups):
                    time.sleep(max(0.0, begun + nth / A_SECOND - time.monotonic()))
                    waiting.append(pool.submit(self._look_for_one, group))
                    while len(waiting) > 4 * _READERS or (waiting and waiting[0].done()):
                        yield from waiting.popleft().result()
                while waiting:
                    yield from waiting.popleft().result()
            finally:
                for each in waiting:
                    each.cancel()

    def _look_for_one(self, promises: Sequence[Promise]) -> list[Found]:
        profiles: dict[Person, dict[str, Any] | None] = {}
        found: list[Found] = []
        events = [each for each in promises if READ_BACK[each.endpoint].by == "events"]
        try:
            for promise in promises:
                how, person = READ_BACK[promise.endpoint], promise.person
                judge = how.judge
                if how.look:
                    found.append((promise, self._ask(how.look, promise)))
                if judge and person:
                    if person not in profiles:
                        profiles[person] = self._ask(read_user, person)
                    found.append((promise, judge(promise, profiles[person])))
            person = events[0].person if events else None
            if person:
                records = self._ask(read_events, person, MOST_EVENTS)
                found += zip(events, find_events(events, records, self._now()), strict=True)
        except Refused as refused:
            # a name that cannot be asked for is this user's trouble; a key or an address that is wrong, everybody's
            if refused.status not in (None, 400):
                raise
        told = {id(promise) for promise, _ in found}
        return found + [(each, UNSEEN) for each in promises if id(each) not in told]

    def _ask(self, read: Callable[..., Any], *question: Any) -> Any:
        if not hasattr(self._own, "client"):
            self._own.client = self._connect()
        with self._lock:
            self.lookups += 1
        return read(self._own.client, *question)
