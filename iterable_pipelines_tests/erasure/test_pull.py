"""Iterable's lists of the forgotten become tombstones: all of a list, or nothing (D24)."""

from collections.abc import Iterator

import pytest

from iterable_pipelines.api import Iterable as Client
from iterable_pipelines.api import Ledger, Refused
from iterable_pipelines.erasure.errors import ErasureRefused
from iterable_pipelines.erasure.pull import pull
from iterable_pipelines.erasure.tombstones import Tombstones, hash_of
from iterable_pipelines.hours import parse_hour
from iterable_pipelines.sandbox import running_sandbox
from iterable_pipelines.sandbox.server import Sandbox
from iterable_pipelines.settings import Settings


@pytest.fixture(params=["email", "userid", "hybrid"])
def listed(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A sandbox of each type of project, which lists seven forgotten of each kind it knows."""
    world = {"users": 5, "start": parse_hour("2026-11-01"), "end": parse_hour("2026-11-02")}
    with running_sandbox(**world, project_type=request.param, relaxed=True) as sandbox:
        yield sandbox


def client_of(sandbox: Sandbox, project: Settings) -> Client:
    return Client(sandbox.key, sandbox.url, Ledger(project.ledger_path, relaxed=True))


def test_lists_come_and_go(listed: Sandbox, project: Settings) -> None:
    project = project.model_copy(update={"project_type": listed.world.project_type})
    client, tombstones, written = client_of(listed, project), Tombstones(project), listed.world.written
    expected = {"email": 7, "userid": 7, "hybrid": 14}[project.project_type]
    assert pull(client, project, lambda text: None).added == expected
    assert len(tombstones.hashes()) == expected
    of_one_kind = written.forgotten_emails if project.project_type != "userid" else written.forgotten_user_ids
    back = next(iter(of_one_kind))
    # somebody who asked us directly stays forgotten, whatever the list says
    tombstones.add("email", [hash_of("ada@x.example")], "request")
    del of_one_kind[back]
    pulled = pull(client, project, lambda text: None)
    assert (pulled.added, pulled.lifted) == (0, 1)
    assert hash_of(back) not in tombstones.hashes() and hash_of("ada@x.example") in tombstones.hashes()
    of_one_kind.clear()
    before = tombstones.hashes()
    with pytest.raises(ErasureRefused, match="erase run --approve lift"):
        pull(client, project, lambda text: None)
    assert tombstones.hashes() == before
    assert pull(client, project, lambda text: None, approve_lift=True).lifted == 6


def test_half_an_answer_changes_nothing(project: Settings) -> None:
    class Half:
        """Answers as a proxy of somebody's would."""

        def __init__(self, answer: dict[str, object]) -> None:
            self.answer = answer

        def get(self, path: str) -> dict[str, object]:
            return self.answer

    for answer in (
        {},
        {"hashedEmails": None},
        {"hashedEmails": ["ada@x.example"]},
        {"hashedEmails": [hash_of("a"), 7]},
    ):
        with pytest.raises(Refused) as refused:
            pull(Half(answer), project)  # type: ignore[arg-type]
        assert "ada@x.example" not in str(refused.value)
    assert not Tombstones(project).hashes()
