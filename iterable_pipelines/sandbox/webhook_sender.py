"""Webhooks on their way: what a world sends, when, and how badly; for living worlds the thread that posts it.

How often and when Iterable tries again is UNCERTAIN ("delivery is not guaranteed", api.md 7): here any answer but a
2xx, and none at all, is tried again as often as Delivery says.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from typing import NamedTuple

import requests

from iterable_pipelines.hours import Window, hour_of
from iterable_pipelines.sandbox.chance import dice, share
from iterable_pipelines.sandbox.scene import Event
from iterable_pipelines.sandbox.webhook_bodies import EVENTS, webhook_body
from iterable_pipelines.sandbox.world import World

log = logging.getLogger(__name__)

# a phone without a network tells of its events days later
_LATEST = timedelta(days=5)
# of what happened before a webhook was enabled, this long before is looked at for what becomes known after
_LOOK_BACK = timedelta(hours=6)
_AHEAD = timedelta(minutes=1)
_CONNECTIONS, _TIMEOUT, _PAUSE = 4, 10.0, 0.1


@dataclass(frozen=True)
class Delivery:
    """How webhooks arrive: shares of 1 for what is lost and sent twice, and of all spans those that end in a burst.

    delay: mean seconds on the way, so that what happens within seconds changes places. burst_seconds: the length of a
    span; in some all is held back to its end. waits: seconds before each further attempt. oauth2_scheme: the word
    before the token, `Bearer` in another reading.
    """

    lost: float = 0.01
    duplicates: float = 0.02
    delay: float = 2.0
    bursts: float = 0.1
    burst_seconds: int = 20
    waits: tuple[float, ...] = (1.0, 2.0, 4.0)
    oauth2_scheme: str = "OAuth2"


AS_USUAL = Delivery()
ORDERLY = Delivery(lost=0, duplicates=0, delay=0, bursts=0)


class Sending(NamedTuple):
    """One request: when, in epoch seconds, its body, and for a send the type of its campaign, Blast or Triggered."""

    moment: float
    body: bytes
    send_of: str | None


def webhooks_of(
    world: World, window: Window, delivery: Delivery = AS_USUAL, blast: bool = True, triggered: bool = True
) -> list[tuple[datetime, bytes]]:
    """Every webhook about what happens in `window`, by createdAt, in the order of sending; the same each time.

    What happens twice in one second to one person is told twice, with equal bodies.

    blast and triggered: whether sends of such campaigns are sent, as a webhook's two flags say.
    """
    passing = {None} | ({"Blast"} if blast else set()) | ({"Triggered"} if triggered else set())
    found = sorted(_sendings(world, _events(world, window), delivery))
    return [(datetime.fromtimestamp(each.moment, UTC), each.body) for each in found if each.send_of in passing]


def _events(world: World, window: Window) -> Iterator[Event]:
    for data_type in EVENTS:
        yield from world.events(data_type, window, window.end + _LATEST)


def _sendings(world: World, events: Iterable[Event], delivery: Delivery) -> Iterator[Sending]:
    for event in events:
        # of its own for each event, so that windows tile
        chance = dice("webhook", world.seed, event.data_type, event.created, event.line)
        if chance.random() < delivery.lost:
            continue
        known = event.visible
        if event.data_type == "emailOpen":
            # only the index that exports read is minutes late (api.md 3.6)
            known = min(known, event.created + chance.randrange(1, 20))
        moment = _burst(world.seed, known + delivery.delay * chance.expovariate(1), delivery)
        body, campaign = webhook_body(event, world.objects)
        sending = Sending(moment, body, campaign.type if campaign and event.data_type.endswith("Send") else None)
        yield sending
        if chance.random() < delivery.duplicates:
            yield sending._replace(moment=moment + 30 * chance.expovariate(1))


def _burst(seed: int, moment: float, delivery: Delivery) -> float:
    span = int(moment // delivery.burst_seconds)
    held = share(seed, "burst", span) < delivery.bursts
    return float((span + 1) * delivery.burst_seconds) if held else moment


class WebhookSender:
    """Posts what happens in a living world to its reachable webhooks, one event a request, over keep-alive.

    Without such a webhook it sleeps. `since` is the moment after which it sends, None while it sleeps; `counts` says
    how many were answered with a 2xx, tried again, and given up.
    """

    def __init__(self, world: World, delivery: Delivery) -> None:
        self.since: datetime | None = None
        self.counts: Counter[str] = Counter()
        self._world, self._hooks, self._delivery = world, world.hooks, delivery
        # in the world's time, which a test may stop; what is tried again waits in ours
        self._planned: list[Sending] = []
        self._again: list[tuple[float, int, bytes, int]] = []
        self._told: set[tuple[int, str]] = set()
        self._lock, self._stopping, self._here = threading.Lock(), threading.Event(), threading.local()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Send while the block lasts; a world that has an end sends nothing."""
        if self._world.end is not None:
            yield
            return
        thread = threading.Thread(target=self._run, name="webhooks", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            self._hooks.changed.set()
            thread.join(timeout=2 * _TIMEOUT)

    def _run(self) -> None:
        workers = ThreadPoolExecutor(_CONNECTIONS, "webhook")
        while not self._stopping.is_set():
            if any(each.reachable for each in self._hooks.all()):
                self._send_while_reachable(workers)
            self._hooks.changed.wait()
            self._hooks.changed.clear()
        workers.shutdown(cancel_futures=True)

    def _send_while_reachable(self, workers: ThreadPoolExecutor) -> None:
        self.since = since = self._world.now()
        planned_to, written = hour_of(since - _LOOK_BACK), {each: len(self._written(each)) for each in EVENTS}
        self._planned.clear()
        while not self._stopping.is_set():
            hooks, now = [each for each in self._hooks.all() if each.reachable], self._world.now()
            if not hooks:
                self.since = None
                return
            while planned_to < now + _AHEAD:
                window, known = Window.of_hour(planned_to), {each for name in EVENTS for each in self._written(name)}
                self._plan(event for event in _events(self._world, window) if event not in known)
                planned_to = window.end
            for data_type, count in written.items():
                fresh = self._written(data_type)[count:]
                self._plan(fresh)
                written[data_type] += len(fresh)
            while self._planned and self._planned[0].moment <= now.timestamp():
                sending = heappop(self._planned)
                for hook in hooks:
                    if sending.moment > since.timestamp() and hook.takes(sending.send_of):
                        workers.submit(self._post, hook.id, sending.body, 0)
            with self._lock:
                while self._again and self._again[0][0] <= time.monotonic():
                    workers.submit(self._post, *heappop(self._again)[1:])
            self._stopping.wait(_PAUSE)

    def _plan(self, events: Iterable[Event]) -> None:
        for sending in _sendings(self._world, events, self._delivery):
            heappush(self._planned, sending)

    def _written(self, data_type: str) -> list[Event]:
        """What clients wrote: nobody knows of it before it is there."""
        self._world.settle()
        return self._world.written.events(data_type)

    def _post(self, hook_id: int, body: bytes, tries: int) -> None:
        hook = self._hooks.get(hook_id)
        if hook is None or not hook.reachable:
            return
        if not hasattr(self._here, "session"):
            self._here.session = requests.Session()
            self._here.session.trust_env = False
        headers = hook.request_headers(self._delivery.oauth2_scheme)
        try:
            answer = self._here.session.post(
                hook.endpoint, body, headers=headers, timeout=_TIMEOUT, allow_redirects=False
            )
            trouble = "" if 200 <= answer.status_code < 300 else f"HTTP {answer.status_code}"
        except requests.RequestException as error:
            trouble = type(error).__name__
        fine, waits = not trouble, self._delivery.waits[tries:]
        with self._lock:
            if trouble and (hook_id, trouble) not in self._told:
                self._told.add((hook_id, trouble))
                log.warning("Webhook %d to %s is not taken: %s. This is said once", hook_id, hook.endpoint, trouble)
            if not fine and waits:
                heappush(self._again, (time.monotonic() + waits[0], hook_id, body, tries + 1))
            self.counts["answered" if fine else "tried again" if waits else "given up"] += 1
