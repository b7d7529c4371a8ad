"""What took long to make up, kept as long as there is room for it: what was not asked for longest goes first."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Remembered(Generic[K, V]):
    """Values by key, of a weight together of at most `most`; one is kept whatever it weighs. For several threads."""

    def __init__(self, most: int, make: Callable[[K], V], weigh: Callable[[V], int]) -> None:
        """`make` is called for a key that is not remembered, perhaps by two threads at once."""
        self._most, self._make, self._weigh = most, make, weigh
        self._values: OrderedDict[K, V] = OrderedDict()
        self._weight = 0
        self._lock = threading.Lock()

    def __call__(self, key: K) -> V:
        """The value of a key, remembered or made."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        value = self._make(key)
        with self._lock:
            if key not in self._values:
                self._values[key] = value
                self._weight += self._weigh(value)
            while self._weight > self._most and len(self._values) > 1:
                _, forgotten = self._values.popitem(last=False)
                self._weight -= self._weigh(forgotten)
        return value
