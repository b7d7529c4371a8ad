"""A promise about an hour, and the answer to whether it is kept."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Check:
    """One promise about an hour. `blocking` ones stop what comes after when they fail."""

    name: str
    description: str
    blocking: bool


@dataclass(frozen=True)
class Outcome:
    """The answer to one check for one hour, with the numbers behind it. `severe`: an error rather than a warning."""

    check: Check
    hour: datetime
    passed: bool
    text: str
    numbers: dict[str, int]
    severe: bool
