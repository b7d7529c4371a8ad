"""`erase request` and `erase queue`: who is queued, what is refused, and that nobody is named."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from iterable_pipelines.cli.app import app
from iterable_pipelines.cli.console import CannotGoOn
from iterable_pipelines.erasure.requests import Requests
from iterable_pipelines.settings import load_settings


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "PROJECT_ROOT": str(tmp_path),
        "API_KEY": "k",
        "BASE_URL": "http://127.0.0.1:9",
        "PROJECT_TYPE": "email",
        "DATA_DIR": str(tmp_path / "data"),
    }.items():
        monkeypatch.setenv(f"ITERABLE_{name}", value)


def run(*arguments: str) -> str:
    """What a command says."""
    return CliRunner().invoke(app, ["erase", *arguments], catch_exceptions=False).output


def test_who_is_asked_for_is_counted_and_never_named(tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("name,email\nBo,bo@ex.com\nAna, ANA@ex.com \nNobody,\n")
    told = run("request", "--email", "ana@ex.com", "--file", str(file))
    assert "2 queued to forget, 1 waited already" in told
    told += run("queue")
    assert "waiting: forget" in told and "Promised: 2 by 20" in told
    assert "ex.com" not in told
    assert Requests(load_settings()).level().waiting == {"forget": 2}


def test_nothing_is_queued_where_anything_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("email\nana@ex.com\nsecret-name\n")
    with pytest.raises(CannotGoOn, match="line 3: not an e-mail address") as said:
        run("request", "--file", str(file))
    assert "secret" not in str(said.value)
    with pytest.raises(CannotGoOn, match="do not forget by userId"):
        run("request", "--user-id", "u1")
    file.write_text("address\nana@ex.com\n")
    with pytest.raises(CannotGoOn, match="no column email or user_id"):
        run("request", "--file", str(file))
    assert Requests(load_settings()).level().waiting == {}
    assert "Nobody was asked for yet" in run("queue")
