"""What the tests of orchestration share: definitions of a project on a sandbox."""

from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from iterable_pipelines.sandbox import Sandbox

DefinitionsOn = Callable[..., dg.Definitions]


@pytest.fixture
def definitions_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DefinitionsOn:
    """Makes the definitions of a project below `tmp_path` that imports from a sandbox; keywords are settings."""

    def make(sandbox: Sandbox, **settings: str) -> dg.Definitions:
        given = {
            "api_key": sandbox.key,
            "base_url": sandbox.url,
            "data_dir": str(tmp_path),
            "start_date": "2026-11-01",
            "skip_users": "true",
            "requests_relaxed": "true",
        }
        for name, value in (given | settings).items():
            monkeypatch.setenv(f"ITERABLE_{name.upper()}", value)
        from iterable_pipelines.definitions import defs

        return defs()

    return make
