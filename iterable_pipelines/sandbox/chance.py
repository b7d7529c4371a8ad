"""Chance that can be repeated: every draw is a pure function of the seed and of what it is drawn for."""

from collections.abc import Sequence
from hashlib import blake2b
from random import Random
from typing import TypeVar

Item = TypeVar("Item")


def draw(*parts: object) -> int:
    """A 64-bit number that depends on nothing but `parts`; the same on every machine and Python."""
    text = "\x1f".join(map(str, parts)).encode()
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big")


def share(*parts: object) -> float:
    """A number in [0, 1) that depends on nothing but `parts`."""
    return draw(*parts) / 2**64


def dice(*parts: object) -> Random:
    """A generator of its own for `parts`, so that one part of the world never shifts another's draws."""
    return Random(draw(*parts))


def one_of(items: Sequence[Item], *parts: object) -> Item:
    """One of `items`, chosen by `parts`."""
    return items[draw(*parts) % len(items)]
