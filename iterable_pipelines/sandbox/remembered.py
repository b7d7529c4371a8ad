"""What took long to make up, kept as long as there is room for it: what was not asked for longest goes first."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Remembered(Generic[K, V]):
    """Values by key, never None, of a weight together of at most `most`; one is kept whatever it weighs.

    For several threads.
    """

    def __init__(self, most: int, make: Callable[[K], V], weigh: Callable[[V], int]) -> None:
        """`make` is called for a key that is not remembered, by one thread at a time; it must not ask for another."""
        self._most, self._make, self._weigh = most, make, weigh
        self._values: OrderedDict[K, V] = OrderedDict()
        self._weight = 0
        # threads that ask for the same at once would all make it, and none would have it sooner
        self._lock, self._making = threading.Lock(), threading.Lock()

    def __call__(self, key: K) -> V:
        """The value of a key, remembered or made."""
        value = self._known(key)
        if value is None:
            with self._making:
                value = self._known(key)
                if value is None:
                    value = self._make(key)
                    self._keep(key, value)
        return value

    def _known(self, key: K) -> V | None:
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key]

    def _keep(self, key: K, value: V) -> None:
        with self._lock:
            self._values[key] = value
            self._weight += self._weigh(value)
            while self._weight > self._most and len(self._values) > 1:
                _, forgotten = self._values.popitem(last=False)
                self._weight -= self._weigh(forgotten)
