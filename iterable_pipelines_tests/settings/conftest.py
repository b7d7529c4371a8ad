"""A project folder of its own for each test, and an environment in which nobody has set anything."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from iterable_pipelines.settings import Settings, SettingsError, load_settings


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project folder, which is not the working directory."""
    for name in list(os.environ):
        if name.upper().startswith("ITERABLE_") or name == "DAGSTER_HOME":
            monkeypatch.delenv(name)
    root = tmp_path / "project"
    root.mkdir()
    monkeypatch.setenv("ITERABLE_PROJECT_ROOT", str(root))
    monkeypatch.chdir(tmp_path)
    return root


@pytest.fixture
def given(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Settings]:
    """Load the settings with variables, a `.env` and an `iterable.yml`."""

    def load(dotenv: str = "", yml: str = "", **variables: str) -> Settings:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        if dotenv:
            (folder / ".env").write_text(dotenv)
        if yml:
            (folder / "iterable.yml").write_text(yml)
        return load_settings()

    return load


@pytest.fixture
def refused(given: Callable[..., Settings]) -> Callable[..., str]:
    """The text with which settings are refused."""

    def load(**written: str) -> str:
        with pytest.raises(SettingsError) as refusal:
            given(**written)
        assert refusal.value.__cause__ is None and refusal.value.__context__ is None
        return str(refusal.value)

    return load
