"""`lookup`: one object by its key, straight from the sandbox."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from iterable_pipelines.api.lookups import LOOKUPS
from iterable_pipelines.sandbox import Sandbox, running_sandbox
from iterable_pipelines_tests.cli.command import Command, CommandHere


@pytest.fixture(scope="module")
def project() -> Iterator[Sandbox]:
    with running_sandbox(users=5, relaxed=True) as running:
        yield running


@pytest.fixture
def command(
    tmp_path: Path, project: Sandbox, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Command:
    settings = {"api_key": project.key, "base_url": project.url, "data_dir": str(tmp_path / "data")}
    return CommandHere(tmp_path, monkeypatch, capfd, **settings)


def asked(sandbox: Sandbox, path: str) -> dict:
    answer = requests.get(f"{sandbox.url}/api/{path}", headers={"Api-Key": sandbox.key}, timeout=30)
    assert answer.ok, answer.text
    return answer.json()


@pytest.mark.parametrize(
    ("what", "listing"),
    [("campaign", "campaigns"), ("channel", "channels"), ("list", "lists"), ("message_type", "messageTypes"),
     ("snippet", "snippets")],
)  # fmt: skip
def test_what_is_listed_is_found(command: Command, project: Sandbox, what: str, listing: str) -> None:
    first = asked(project, f"{listing}?page=1&pageSize=10")[listing][0]
    said = command("lookup", what, "--key", str(first["id"]))
    assert said.code == 0, said.err
    assert json.loads(said.out)["name"] == first["name"]


def test_what_needs_two_keys(command: Command, project: Sandbox) -> None:
    table = asked(project, "metadata")["results"][0]["name"]
    key = asked(project, f"metadata/{table}")["results"][0]["key"]
    said = command("lookup", "metadata", "--key", table, "--key", key)
    assert said.code == 0, said.err
    assert json.loads(said.out)["value"] == asked(project, f"metadata/{table}/{key}")["value"]
    template = asked(project, "templates?messageMedium=Email&page=1&pageSize=1")["templates"][0]
    said = command("lookup", "template", "--key", "email", "--key", str(template["templateId"]))
    assert said.code == 0, said.err
    assert json.loads(said.out)["name"] == template["name"]


@pytest.mark.parametrize("what", sorted(LOOKUPS))
def test_what_is_not_there_is_said(command: Command, what: str) -> None:
    keys = [part for name in LOOKUPS[what].keys for part in ("--key", "email" if name == "medium" else "987654321")]
    said = command("lookup", what, *keys)
    assert said.code == 1
    assert "Iterable has no" in said.err


def test_wrong_uses_name_what_is_allowed(command: Command) -> None:
    said = command("lookup", "campain", "--key", "1")
    assert said.code == 2
    assert "did you mean campaign?" in " ".join(said.err.split())
    said = command("lookup", "template", "--key", "1")
    assert said.code == 2
    assert "--key MEDIUM --key TEMPLATEID" in " ".join(said.err.split())
