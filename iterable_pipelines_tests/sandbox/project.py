"""One project of one's own in the sandbox, and an ordinary client of its writes and reads."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests

from iterable_pipelines.sandbox import Sandbox, World, running_sandbox
from iterable_pipelines.sandbox.world import utc

NOW = utc("2026-11-02T12:00:00")


class Project:
    """A sandbox, its world, and what one asks it."""

    def __init__(self, sandbox: Sandbox):
        self.sandbox, self.world = sandbox, sandbox.world
        self.session = requests.Session()
        self.session.headers["Api-Key"] = sandbox.key

    def post(self, path: str, **body: Any) -> requests.Response:
        return self.session.post(f"{self.sandbox.url}/api/{path}", json=body, timeout=30)

    def get(self, path: str, **params: Any) -> requests.Response:
        return self.session.get(f"{self.sandbox.url}/api/{path}", params=params, timeout=30)

    def put(self, path: str, **body: Any) -> requests.Response:
        return self.session.put(f"{self.sandbox.url}/api/{path}", json=body, timeout=30)

    def patch(self, path: str, **body: Any) -> requests.Response:
        return self.session.patch(f"{self.sandbox.url}/api/{path}", json=body, timeout=30)

    def delete(self, path: str, **body: Any) -> requests.Response:
        return self.session.delete(f"{self.sandbox.url}/api/{path}", json=body or None, timeout=30)

    def bulk(self, *users: dict[str, Any], **more: Any) -> dict[str, Any]:
        """The answer to users/bulkUpdate."""
        return self.post("users/bulkUpdate", users=list(users), **more).json()

    def user(self, name: str) -> dict[str, Any] | None:
        """The profile's fields as read over HTTP, by address or user id; None for nobody."""
        if "@" in name:
            found = self.get("users/getByEmail", email=name).json().get("user")
        else:
            found = self.get("users/byUserId", userId=name).json().get("user")
        return found and found["dataFields"]

    def export(self, data_type: str) -> list[dict[str, Any]]:
        lines = self.get("export/data.json", dataTypeName=data_type, range="All").content.splitlines()
        return [json.loads(line) for line in lines]


@contextmanager
def project(
    project_type: str = "email", users: int = 0, world: World | None = None, **options: Any
) -> Iterator[Project]:
    """An empty project, one with `users` seeded people, or `world`; its clock stands still, limits are hardly felt."""
    world = world or World(users=users, start=utc("2026-10-31"), end=NOW, project_type=project_type)
    with running_sandbox(world=world, relaxed=True, pace=0.001, **options) as sandbox:
        yield Project(sandbox)


def failures(answer: dict[str, Any]) -> dict[str, list[str]]:
    """The lists of failures that are not empty."""
    return {name: names for name, names in answer["failedUpdates"].items() if names}
