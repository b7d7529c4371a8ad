"""What a write is answered: as it came, for whoever sent it to judge. Nothing is repeated here."""

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Answer:
    """The answer to one write. `retry_after` is what a 429 asks for, in seconds; None where it says nothing."""

    status: int
    body: bytes
    retry_after: float | None = None

    def json(self) -> dict[str, Any] | None:
        """The body as a JSON object; None if it is none."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return None
        return found if isinstance(found, dict) else None
