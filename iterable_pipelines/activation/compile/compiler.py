"""What every object's compiler can do. One compiler serves one run of one sync."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from iterable_pipelines.activation.records import Compiled, Identity, Record

# a row as Arrow gives it: column → str, int, float, Decimal, bool, date, datetime, list, dict, bytes … or None
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Acknowledged:
    """What Iterable has of a record whose row is gone: for telling it so (on_leave, P5, P8).

    `result`: what Iterable made of it, such as {"listId": …}.
    """

    key: str
    pk: str
    output: str
    identity: Identity | None
    payload: dict[str, Any]
    seq: int
    result: dict[str, Any] = field(default_factory=dict)


class Compiler(Protocol):
    """Rows to records. `columns` are those it reads, None for all; `mapping` is what a mapping change is (G11)."""

    @property
    def columns(self) -> frozenset[str] | None:
        """The columns of the source that matter: no other causes traffic (S4)."""
        ...

    @property
    def mapping(self) -> dict[str, Any]:
        """JSON that is equal as long as equal rows give equal records; a compiler can be made of it again (G10)."""
        ...

    @property
    def needs_before(self) -> bool:
        """Whether `compile` looks at what was acknowledged of the row before (I8)."""
        ...

    def compile(self, pk: str, row: Row, seq: int = 0, before: Acknowledged | None = None) -> Compiled:
        """The records of a row, or what is wrong with it.

        `seq` counts the entries of its key so far (P3). `before` is what Iterable acknowledged of the row's record of
        output `user`; it is given only where `needs_before` asks for it.
        """
        ...

    def leave(self, acknowledged: Acknowledged) -> Record | None:
        """What tells Iterable that a row is gone; None where it is to keep what it has."""
        ...
