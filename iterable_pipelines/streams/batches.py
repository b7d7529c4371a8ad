"""Landed parts in batches of a bounded number of rows: as many as one transaction takes."""

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar


class Counted(Protocol):
    """Whatever says how many rows it holds."""

    @property
    def rows(self) -> int: ...


Part = TypeVar("Part", bound=Counted)


def batches(parts: Iterable[Part], most_rows: int) -> Iterator[list[Part]]:
    """The parts in their order; a part with more rows than `most_rows` comes alone."""
    batch: list[Part] = []
    rows = 0
    for part in parts:
        if batch and rows + part.rows > most_rows:
            yield batch
            batch, rows = [], 0
        batch.append(part)
        rows += part.rows
    if batch:
        yield batch
