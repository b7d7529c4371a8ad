"""What a write is answered: as it came, for whoever sent it to judge. Nothing is repeated here."""

import io
import json
from collections.abc import Callable
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


class SentBody(io.BytesIO):
    """A body that tells when its last byte was handed to the network: from then on a limit may count it as seen."""

    def __init__(self, body: bytes, sent: Callable[[], None]) -> None:
        super().__init__(body)
        self._sent, self._left = sent, len(body)

    def __len__(self) -> int:
        return self._left

    def read(self, size: int | None = -1) -> bytes:
        """The next bytes; nothing once all were taken, and with that, sent."""
        part = super().read(size)
        if not part:
            self._sent()
        return part
