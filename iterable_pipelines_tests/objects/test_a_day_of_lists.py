"""Five hundred lists, five requests a minute, one day, through real sockets: nothing is late and the plan was right."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from iterable_pipelines.api import LIMITS, SEEN_WITHIN
from iterable_pipelines.hours import HOUR, now
from iterable_pipelines.objects.list_members.order import TURN, TURN_EVERY, Plan, plan_lists
from iterable_pipelines.objects.list_members.tables import READING
from iterable_pipelines.objects.list_members.turn import take_turn
from iterable_pipelines.sandbox import World
from iterable_pipelines_tests.objects.list_turns import START, lists_of, scaled

# how long a second of the day lasts: a minute is 60 ms, the day 86 seconds
PACE = 0.001
GET_USERS = "/api/lists/getUsers"
# what the ledger adds to a limit does not shrink with its seconds
MARGIN = scaled(PACE)["list users"].margin / PACE
LIMIT = replace(LIMITS["list users"], seconds=LIMITS["list users"].seconds + MARGIN - LIMITS["list users"].margin)


class FastClock:
    """A clock that shows START when it is made, and then goes a thousand times as fast as the machine's."""

    def __init__(self, pace: float) -> None:
        self._pace, self._begun = pace, now()

    def __call__(self, moment: datetime) -> datetime:
        return START + (moment - self._begun) / self._pace

    def sleep_until(self, moment: datetime) -> None:
        time.sleep(max(0.0, (moment - self(now())).total_seconds() * self._pace))


class FastWorld(World):
    """A world that lives by a fast clock."""

    clock: FastClock
    stands_at: datetime | None = None

    def now(self) -> datetime:
        return self.stands_at or self.clock(now())


def test_a_day_of_five_hundred_lists() -> None:
    world = FastWorld(users=20, start=START - timedelta(days=200), more_lists=499)
    world.clock = FastClock(PACE)
    plans: list[tuple[datetime, Plan]] = []
    with lists_of(world, PACE) as lists:
        clock = world.clock = FastClock(PACE)
        for number in range(48):
            clock.sleep_until(START + number * TURN_EVERY)
            turn = take_turn(lists.connect, lists.warehouse, lists.settings, lambda text: None, clock, TURN)
            if number in (7, 17, 27, 37):
                moment = START + (number + 1) * TURN_EVERY
                plans.append((moment, plan_lists(turn.lists.values(), moment, LIMIT, SEEN_WITHIN / PACE)))
        requests = lists.sandbox.requests(GET_USERS)
        sizes = lists.sandbox.requests("/api/lists/9")
        members = {each.id: lists.now_on(each.id) for each in turn.lists.values()}
    asked_for = [each for each in turn.lists.values() if each.state.known_by == READING]
    live = [each for each in asked_for if each.live]
    assert (len(asked_for), len(live)) == (500, 42)

    # the budget was never passed, by the server's own count and by its log
    assert {each.status for each in [*requests, *sizes]} == {200}
    times = sorted(each.monotonic for each in requests)
    assert min(last - first for first, last in zip(times, times[5:], strict=False)) >= 60 * PACE
    assert len(requests) > 0.75 * 5 * 60 * 24

    # every list was read, and those in live campaigns were never an hour old
    moments: dict[int, list[datetime]] = {each.id: [] for each in asked_for}
    for request in requests:
        moments[int(dict(request.params)["listId"])].append(clock(datetime.fromtimestamp(request.wall, UTC)))
    assert all(moments.values())
    oldest = max(
        later - earlier
        for each in live
        for earlier, later in pairwise([START, *moments[each.id], START + timedelta(days=1)])
    )
    assert oldest < HOUR

    # a round took as long as was foretold
    for moment, plan in plans:
        assert len(plan.turns) > 300
        done_at = max(next(each for each in moments[list_id] if each >= moment) for list_id in plan.turns)
        assert abs(done_at - plan.done_at) < 0.1 * (plan.done_at - moment)

    # people came and went, and who is there now is who was there when the list was read
    right = 0
    for each in asked_for:
        world.stands_at = each.state.read_at
        right += lists.truth(each.id) == members[each.id]
    # between asking and answering somebody may have moved
    assert right >= 495
