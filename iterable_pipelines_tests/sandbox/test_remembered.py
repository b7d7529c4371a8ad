"""What is made up is made once, however many ask, and forgotten when there is no room."""

import time
from concurrent.futures import ThreadPoolExecutor

from iterable_pipelines.sandbox.remembered import Remembered


def test_what_several_threads_ask_for_is_made_once() -> None:
    made = []

    def make(key: str) -> str:
        made.append(key)
        time.sleep(0.05)
        return key.upper()

    remembered = Remembered(10, make, len)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(remembered, "ab" * 8)) == list("AB" * 8)
    assert sorted(made) == ["a", "b"]


def test_what_was_not_asked_for_longest_goes_first() -> None:
    made = []

    def make(key: str) -> str:
        made.append(key)
        return key

    remembered = Remembered(3, make, len)
    for key in ("a", "b", "c", "a", "d", "a", "c", "b"):
        assert remembered(key) == key
    assert made == ["a", "b", "c", "d", "b"]
    # one is kept, whatever it weighs
    assert remembered("too long") == remembered("too long") == "too long"
    assert made[5:] == ["too long"]
