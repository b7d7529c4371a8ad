"""The documented limits per key: sliding windows, and rations of a UTC day by the world's clock (api.md 2.1)."""

import re
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from iterable_pipelines.hours import now as present

MINUTE, DAY = 60.0, 86_400.0


@dataclass(frozen=True)
class Limit:
    """At most `calls` in any `seconds`, or in each UTC day if that is DAY; counted over all paths that match."""

    name: str
    method: str
    path: str
    calls: int
    seconds: float


LIMITS = (
    Limit("export", "GET", r"/api/export/data\.(json|csv)", 4, MINUTE),
    Limit("export start", "POST", r"/api/export/start", 1, 1),
    Limit("export files", "GET", r"/api/export/\d+/files", 1, 1),
    Limit("export cancel", "DELETE", r"/api/export/\d+", 1, 1),
    Limit("list users", "GET", r"/api/lists/getUsers", 5, MINUTE),
    Limit("list preview", "GET", r"/api/lists/previewUsers", 5, MINUTE),
    Limit("list size", "GET", r"/api/lists/\d+/size", 5, MINUTE),
    Limit("campaign metrics", "GET", r"/api/campaigns/metrics", 10, MINUTE),
    Limit("campaigns", "GET", r"/api/campaigns(/\d+|/recurring/\d+/childCampaigns)?", 100, 1),
    Limit("campaign archive", "POST", r"/api/campaigns/archive", 5, 1),
    Limit("channels", "GET", r"/api/channels", 100, 1),
    Limit("lists", "GET", r"/api/lists", 100, 1),
    Limit("message types", "GET", r"/api/messageTypes", 100, 1),
    Limit("templates", "GET", r"/api/templates(/(email|embedded|push|sms)/get|/getByClientTemplateId)?", 100, 1),
    Limit("catalogs", "GET", r"/api/catalogs(/[^/]+/items)?", 100, 1),
    Limit("catalog upload", "POST", r"/api/catalogs/[^/]+/items", 100, 1),
    Limit("catalog item", "PUT", r"/api/catalogs/[^/]+/items/[^/]+", 1000, 1),
    Limit("user fields", "GET", r"/api/users/getFields", 3, 1),
    Limit("forgotten users", "GET", r"/api/users/forgotten(UserIds)?", 3, 1),
    Limit("sent messages", "GET", r"/api/users/getSentMessages", 3, 1),
    Limit("user reads", "GET", r"/api/users/(?!getFields|forgotten|getSentMessages).+", 100, 1),
    Limit("user events", "GET", r"/api/events/.+", 100, 1),
    Limit("user update", "POST", r"/api/users/update", 500, 1),
    Limit("user bulk update", "POST", r"/api/users/bulkUpdate", 5, 1),
    Limit("user merge", "POST", r"/api/users/merge", 50, 1),
    Limit("device token", "POST", r"/api/users/registerDeviceToken", 500, 1),
    Limit("forget", "POST", r"/api/users/forget", 3, 1),
    Limit("forget in a day", "POST", r"/api/users/forget", 1000, DAY),
    Limit("unforget", "POST", r"/api/users/unforget", 3, 1),
    Limit("unforget in a day", "POST", r"/api/users/unforget", 1000, DAY),
    Limit("user deletion", "DELETE", r"/api/users/.+", 100, 1),
    Limit("track", "POST", r"/api/events/track", 2000, 1),
    Limit("bulk track", "POST", r"/api/events/trackBulk", 10, 1),
)


class Limits:
    """Counts the calls of each key; `relaxed` lifts the limit on exports, for a demo.

    pace: how long a second lasts, so that a test can enforce the limits of a minute at once. now: the clock whose days
    count.
    """

    def __init__(self, relaxed: bool = False, pace: float = 1.0, now: Callable[[], datetime] = present):
        self._pace, self._now = pace, now
        self._rules = [
            (each, re.compile(each.path)) for each in LIMITS if not (relaxed and each.name.startswith("export"))
        ]
        self._calls: dict[tuple[str, str], deque[float]] = defaultdict(deque)
        self._lock = threading.Lock()

    def allow(self, key: str, method: str, path: str) -> bool:
        """Count one call; False, and not counted, if it is one too many."""
        rules = [rule for rule, pattern in self._rules if rule.method == method and pattern.fullmatch(path)]
        with self._lock:
            windows = [self._calls[(key, rule.name)] for rule in rules]
            for rule, calls in zip(rules, windows, strict=True):
                moment, span = self._clock(rule)
                while calls and calls[0] <= moment - span:
                    calls.popleft()
                if len(calls) >= rule.calls:
                    return False
            for rule, calls in zip(rules, windows, strict=True):
                calls.append(self._clock(rule)[0])
        return True

    def _clock(self, rule: Limit) -> tuple[float, float]:
        """The present and how long a call counts: in days since 1970, or in seconds that never jump."""
        if rule.seconds == DAY:
            return self._now().timestamp() // DAY, 1
        return time.monotonic(), rule.seconds * self._pace

    def retry_after(self, key: str, method: str, path: str) -> int | None:
        """Seconds until tomorrow, if today's ration refuses this call; None: a window does, and says nothing."""
        for rule, pattern in self._rules:
            spent = len(self._calls[(key, rule.name)]) >= rule.calls
            if spent and rule.seconds == DAY and rule.method == method and pattern.fullmatch(path):
                return int(DAY - self._now().timestamp() % DAY) + 1
        return None
