"""A receiver for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from iterable_pipelines_tests.webhooks.receiving import Running, running_receiver


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Running]:
    """A receiver with a spool of its own and the bounds of every day."""
    with running_receiver(tmp_path) as running:
        yield running
