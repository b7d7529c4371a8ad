"""What tests of content share: a project, and what became of its rows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from iterable_pipelines.activation.objects import load_syncs
from iterable_pipelines.activation.verify import Verified, verify_sync
from iterable_pipelines.api import Iterable
from iterable_pipelines_tests.activation.conftest import Activation, quick_client


@dataclass
class Content:
    """An empty project, and a sandbox to write content to."""

    project: Activation

    @property
    def client(self) -> Iterable:
        return quick_client(self.project.settings, self.project.said.append)

    def template(self, medium: str) -> int:
        """Make a template; its id."""
        self.client.write("POST", f"/api/templates/{medium}/upsert", b'{"clientTemplateId": "base"}')
        shown = self.client.get("/api/templates/getByClientTemplateId", {"clientTemplateId": "base"})
        # campaigns that were made of it have copies, which keep its name
        made, *_ = shown["templates"]
        return int(made["templateId"])

    def outcomes(self, name: str) -> dict[str, tuple[str, str]]:
        """By primary key, what the newest run of a sync made of each row: outcome and code."""
        rows = self.project.published(
            f"select pk, outcome, code from activation.sync_rows where sync = '{name}' and run_id = "
            f"(select arg_max(run_id, started_at) from activation.sync_runs where sync = '{name}')"
        )
        return {pk: (outcome, code) for pk, outcome, code in rows}

    def verify(self, name: str) -> Verified:
        (sync,) = [each for each in load_syncs(self.project.settings) if each.name == name]
        return verify_sync(self.project.settings, sync, True, self.project.said.append, lambda: self.client)


@pytest.fixture
def content(activation_project: Callable[..., Activation]) -> Callable[..., Content]:
    """Makes a project; `options` are those of `running_sandbox`."""

    def make(**options: Any) -> Content:
        return Content(activation_project(**options))

    return make
