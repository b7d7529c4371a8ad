"""A client that is as careful as the real one, only less patient."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from iterable_pipelines.api import Iterable, Ledger, Patience
from iterable_pipelines.hours import Window

KEY = "0123456789abcdef0123456789abcdef"
WINDOW = Window(datetime(2026, 1, 14, 6, tzinfo=UTC), datetime(2026, 1, 14, 7, tzinfo=UTC))
BRISK = Patience(attempts=1, first_wait=0.01, longest_wait=0.02, busy_wait=0.02, longest_busy_wait=0.5)

MakeClient = Callable[..., Iterable]


@pytest.fixture
def told() -> list[str]:
    """Everything the client logged."""
    return []


@pytest.fixture
def make_client(tmp_path: Path, told: list[str]) -> MakeClient:
    """Make a client for an address; keywords change its patience."""
    ledger = Ledger(tmp_path / "ledger.db", relaxed=True)

    def make(url: str, *, trust_environment: bool = False, **patience: Any) -> Iterable:
        changed = replace(BRISK, **patience)
        return Iterable(KEY, url, ledger, log=told.append, patience=changed, trust_environment=trust_environment)

    return make
