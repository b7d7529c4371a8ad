"""What was answered and happens later: bulk and single calls are two queues, each in order (api.md 6.1, 6.2).

What was scheduled for a moment is a third, in the order of these moments.
"""

from bisect import insort
from collections import deque
from collections.abc import Callable

from iterable_pipelines.sandbox.rules import PIPELINES

Effect = Callable[[], object]
SCHEDULE = "schedule"


class Pipelines:
    """Writes that were accepted and have not happened yet."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[tuple[float, Effect]]] = {name: deque() for name in (*PIPELINES, SCHEDULE)}

    def submit(self, name: str, due: float, effect: Effect) -> None:
        """Let `effect` happen at `due`, and never before what this pipeline took earlier."""
        self._waiting[name].append((due, effect))

    def schedule(self, due: float, effect: Effect) -> None:
        """Let `effect` happen at `due`, whatever else is waiting; it looks itself whether it still should."""
        insort(self._waiting[SCHEDULE], (due, effect), key=lambda each: each[0])

    def settle(self, until: float | None = None) -> None:
        """Let happen what is due at `until`, by the world's clock; None: everything."""
        while heads := [each for each in self._waiting.values() if each and (until is None or each[0][0] <= until)]:
            min(heads, key=lambda queue: queue[0][0]).popleft()[1]()

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))
