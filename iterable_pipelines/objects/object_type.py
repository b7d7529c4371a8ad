"""What a declaration says of an object: where and how it is read, its columns and key, its history, how often."""

import re
from dataclasses import dataclass, field
from typing import Literal

Paging = Literal["whole", "pages", "offset", "marker"]


@dataclass(frozen=True)
class Column:
    """A column read from the field `field_name` of the object. TIMESTAMP takes epoch milliseconds and texts.

    `asked` columns are read from the question instead, because the answer does not say them.
    """

    name: str
    type: str
    field_name: str
    description: str = ""
    asked: bool = False


@dataclass(frozen=True)
class Listing:
    """All of it, in one answer or in pages: the array named `array` of every answer, or the answer itself without one.

    `passes` are the parameters of each time the whole listing is asked for. `parents` is a select that gives more of
    them, one row each. A parameter that the endpoint names in braces stands there, the others in the query.
    """

    endpoint: str
    array: str = ""
    paging: Paging = "whole"
    page_size: int = 1000
    passes: tuple[dict[str, str], ...] = ({},)
    parents: str = ""


@dataclass(frozen=True)
class OneByOne:
    """One answer for each row of the select `parents`, asked for again only when its column `version` changed.

    `gone` is the condition under which a stored row counts as gone.
    """

    endpoint: str
    parents: str
    gone: str


@dataclass(frozen=True)
class Metrics:
    """CSV of figures, 20 campaigns a request: a row for each figure. `parents` gives `campaignId` and `version`.

    The last second asked for is part of the answer where `inclusive_end`, otherwise it is not (api.md 5.2, 5.7).
    """

    endpoint: str
    parents: str
    inclusive_end: bool = False


@dataclass(frozen=True)
class ObjectType:
    """One table of the schema `objects`, and where its rows come from.

    `key` names the columns that identify a row. `history` is the name of the table that keeps every version of it, ""
    for none. `every` is how often it is refreshed. The limit it falls under is found by its endpoint (api/limits.py).
    `absent` are the statuses by which a project says that it does not have this, or a key that it may not read it.
    """

    name: str
    title: str
    read: Listing | OneByOne | Metrics
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ("id",)
    history: str = ""
    every: Literal["hour", "day"] = "hour"
    absent: frozenset[int] = field(default=frozenset({401, 403, 404}))

    @property
    def in_one_answer(self) -> bool:
        """Whether it is small: what comes in one answer passes as a DataFrame, the rest as a file."""
        return isinstance(self.read, Listing) and self.read.paging == "whole" and not self.read.parents

    @property
    def parents(self) -> tuple[str, ...]:
        """The objects its questions are made from."""
        return tuple(sorted(set(re.findall(r"objects\.(\w+)", self.read.parents))))
