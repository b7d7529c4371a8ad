"""`sync list` names audiences whose file is gone, and `sync retire` closes them (outbound.md P9)."""

from collections.abc import Callable

import pytest

from iterable_pipelines_tests.activation.audiences.test_over_http import AUDIENCE, members
from iterable_pipelines_tests.activation.conftest import Activation
from iterable_pipelines_tests.cli.command import CommandHere
from iterable_pipelines_tests.cli.test_sync import settings_of


def test_p9_an_orphan_is_named_and_retired(
    activation_project: Callable[..., Activation], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    project = activation_project()
    path = project.sync("win_back", AUDIENCE + "on_delete: exit_members\n")
    members(project, "ana")
    project.run("win_back")
    here = CommandHere(project.settings.project_root, monkeypatch, capfd, **settings_of(project))
    assert "its file is gone" not in here("sync", "list").out
    path.unlink()
    assert "its file is gone, and in Iterable its key win_back_90_days is as it was" in here("sync", "list").out
    refused = here("sync", "retire", "win_back")
    assert refused.code == 1 and "sync retire win_back --approve delete" in refused.err
    retired = here("sync", "retire", "win_back", "--approve", "delete")
    assert retired.code == 0 and "succeeded" in retired.out
    found = project.sandbox.world.find_user("ana@x.example")
    assert found and found["win_back_90_days"] is False
    assert "its file is gone" not in here("sync", "list").out
    unknown = here("sync", "retire", "win_back")
    assert unknown.code == 1 and "there is no audience or trait of that name" in unknown.err
