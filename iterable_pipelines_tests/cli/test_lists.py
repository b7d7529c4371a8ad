"""`iterable-pipelines lists`: what it shows of lists, of trouble and of the time a round takes."""

from collections.abc import Callable
from pathlib import Path

import pytest

from iterable_pipelines_tests.cli.command import CommandHere
from iterable_pipelines_tests.objects.list_turns import Lists, lists_of, world_of


@pytest.fixture
def on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[[Lists], CommandHere]:
    """The command line of the project whose lists they are."""

    def command(lists: Lists) -> CommandHere:
        settings = {"base_url": lists.sandbox.url, "data_dir": str(lists.settings.data_dir), "skip_users": "true"}
        return CommandHere(tmp_path, monkeypatch, capfd, api_key="sandbox", **settings)

    return command


def test_before_anything_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    said = CommandHere(tmp_path, monkeypatch, capfd, api_key="sandbox", base_url="http://127.0.0.1:9")("lists")
    assert said.code == 1
    assert "Nothing is imported yet" in said.err and "Next: iterable-pipelines" in said.err


def test_lists_their_age_and_their_trouble(on: Callable[[Lists], CommandHere]) -> None:
    with lists_of(world_of(more_lists=20, users=30), skip_users=True) as lists:
        command = on(lists)
        planned = command("lists", "--plan")
        assert planned.code == 0, planned.err
        assert "25 lists: 0 come with the user records, 25 are asked for" in planned.out
        assert "25 lists are due. To ask for them takes 25 requests and 4.0 minutes" in planned.out
        lists.sandbox.fault("status", "/api/lists/getUsers", match={"listId": "950000"}, times=None, status=500)
        lists.turn()
        asked = len(lists.sandbox.requests())
        said = command("lists", "--plan")
        assert said.code == 0, said.err
        (row,) = [line for line in said.out.splitlines() if "Segment 0 " in line]
        assert "yes" in row and "never" in row and "in 5 min" in row and ", 1 try" in row
        assert "List 950000: GET /api/lists/getUsers?listId=950000: HTTP 500" in said.out
        (row,) = [line for line in said.out.splitlines() if "Segment 1 " in line]
        assert "0 min" in row and "in 25 min" in row and f" {len(lists.truth(950001))} " in row
        assert "1 lists in live campaigns are more than an hour old, the first: 950000" in said.out
        assert "0 lists are due" in said.out
        assert len(lists.sandbox.requests()) == asked


def test_a_list_is_trusted_by_command(on: Callable[[Lists], CommandHere]) -> None:
    with lists_of(world_of(more_lists=1, users=30)) as lists:
        lists.turn()
        command = on(lists)
        assert "List 950000 is taken as it comes from now on." in command("lists", "--trust", "950000").out
        assert lists.state(950000).trusted
        assert "held against its count again" in command("lists", "--trust", "950000").out
        assert not lists.state(950000).trusted
        refused = command("lists", "--trust", "7")
        assert refused.code == 2 and "no list 7" in refused.err
