"""What was fetched, on disk: a line of JSON for each object, and one for each question that is remembered."""

import json
from dataclasses import dataclass, field
from typing import IO, Any

from iterable_pipelines.api import IterableError
from iterable_pipelines.objects.questions import Question


@dataclass
class Fetched:
    """How many answers it took, whether what is not among them is gone, and in words what was refused or is missing.

    `error` is what went wrong with a part; the rest is there all the same.
    """

    requests: int = 0
    complete: bool = True
    notes: list[str] = field(default_factory=list)
    error: IterableError | None = None

    def lacks(self, note: str) -> None:
        """Note that something is missing, so that nothing may be taken for gone."""
        self.complete = False
        self.notes.append(note)


class Lines:
    """Writes numbered lines: {"line", "asked", "record"} for an object, {"line", "question", …} for a question.

    Keys are sorted, so that a record is the same text as long as it says the same.
    """

    def __init__(self) -> None:
        self._count = 0

    def add_record(self, file: IO[str], question: Question, record: Any) -> None:
        """Add an object, with what was asked for."""
        self._add(file, {"asked": question.asked, "record": record})

    def add_question(self, file: IO[str], question: Question, outcome: str, version: str | None) -> None:
        """Add a question, with the version it was answered in and, where nothing came, why."""
        self._add(file, {"question": question.name, "outcome": outcome, "version": version})

    def _add(self, file: IO[str], line: dict[str, Any]) -> None:
        # to a text first: json.dump would take five times as long
        file.write(json.dumps({"line": self._count} | line, ensure_ascii=False, sort_keys=True) + "\n")
        self._count += 1
