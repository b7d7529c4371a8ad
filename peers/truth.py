"""What the sandbox's world holds, as keys that can be compared with what a peer read of it.

A key is what identifies a record, with one value of it where there is one. The keys of a stream are compared as a
multiset, so that a record read twice counts as two.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import requests

from iterable_pipelines.data_types import DATA_TYPE
from iterable_pipelines.sandbox import Sandbox
from iterable_pipelines.sandbox.objects import Campaign
from iterable_pipelines.sandbox.people import LIST_IDS

Streams = dict[str, list[Any]]

PAGE = 20  # campaigns and templates, for those who ask for no page size (api.md 5.1, 5.5)
TEMPLATE_TYPES = ("Base", "Blast", "Triggered", "Workflow")
SENDS = {"Email": "emailSend", "Push": "pushSend", "SMS": "smsSend", "InApp": "inAppSend", "WebPush": "webPushSend"}


class Truth:
    """The plain world of a sandbox, at the moment its clock stands at."""

    def __init__(self, sandbox: Sandbox):
        self.sandbox, self.world = sandbox, sandbox.world
        world = self.world
        self.campaigns = world.objects.campaigns(int(world.now().timestamp()))
        self.records = {name: world.all_records(name) for name in DATA_TYPE}
        self.events = [{"_type": name} | each for name in DATA_TYPE if name != "user" for each in self.records[name]]
        # the list and the address of everybody on it, or the user id of those who have none
        self.members = [
            (list_id, email or user_id or "") for list_id in LIST_IDS for email, user_id in world.members(list_id) or ()
        ]

    def keys(self, data_type: str, *fields: str) -> list[Any]:
        """These fields of every record of a data type; None where a record lacks one."""
        return [[each.get(field) for field in fields] for each in self.records[data_type]]

    def sends(self, campaigns: Iterable[Campaign]) -> list[Any]:
        """How many messages each campaign sent; None for a medium without metrics."""
        sent = Counter((name, each.get("campaignId")) for name in SENDS.values() for each in self.records[name])
        return [[each.id, sent[SENDS[each.medium], each.id] if each.medium in SENDS else None] for each in campaigns]

    def templates(self, medium: str, kind: str) -> list[Campaign]:
        """The campaigns whose template is of this medium and type, by template id."""
        found = [each for each in self.campaigns if each.medium == medium and each.template_type == kind]
        return sorted(found, key=lambda each: each.template_id)

    def rows(self, path: str, key: str) -> list[dict[str, Any]]:
        """Every page of a listing of what stands beside the world: catalogs, snippets, metadata, webhooks."""
        found: list[dict[str, Any]] = []
        page: int | None = 1
        while page:
            answer = self._get(f"{path}?page={page}&pageSize=1000")
            found += answer[key]
            page = page + 1 if "nextPageUrl" in answer else None
        return found

    def first(self, path: str, key: str) -> list[dict[str, Any]]:
        """The first page of such a listing, for those who ask for no other."""
        rows: list[dict[str, Any]] = self._get(path)[key]
        return rows

    def _get(self, path: str) -> dict[str, Any]:
        answer = requests.get(self.sandbox.url + path, headers={"Api-Key": self.sandbox.key}, timeout=30)
        answer.raise_for_status()
        body: dict[str, Any] = answer.json()
        params: dict[str, Any] = body.get("params", body)
        return params

    def events_of(self, name: str, since: datetime) -> list[dict[str, Any]]:
        """What the person of this address or user id did since a moment."""
        by = "email" if "@" in name else "userId"
        return [
            each
            for each in self.events
            if str(each.get(by) or "").strip().lower() == name.lower()
            and datetime.fromisoformat(each["createdAt"]) >= since
        ]
