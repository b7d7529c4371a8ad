"""What tests of campaigns share: a project with lists and campaigns at the sandbox, and a clock that can be set."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests

from iterable_pipelines.api import Iterable, Patience
from iterable_pipelines.campaigns.calls import Report, call
from iterable_pipelines.campaigns.ledger import Call, CallLedger
from iterable_pipelines.campaigns.procedures import Procedure, TriggerCampaign
from iterable_pipelines.hours import now
from iterable_pipelines.sandbox.server import Sandbox
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse
from iterable_pipelines_tests.activation.conftest import QUICK, empty_project, quick_client

# message types of e-mail
MARKETING, TRANSACTIONAL = 47252, 47250
PEOPLE = ("ann@example.com", "bo@example.com", "cy@example.com")


@dataclass
class Town:
    """A project, three people on one list and one of them on another, and what was said."""

    settings: Settings
    sandbox: Sandbox
    said: list[str] = field(default_factory=list)
    # how far the clock of the calls is ahead
    ahead: timedelta = timedelta()

    def __post_init__(self) -> None:
        self.all, self.some = (self.post("lists", name=name)["listId"] for name in ("All", "Some"))
        people = [{"email": each} for each in PEOPLE]
        self.post("lists/subscribe", listId=self.all, subscribers=people)
        self.post("lists/subscribe", listId=self.some, subscribers=people[:1])
        self.post("templates/email/upsert", clientTemplateId="c", name="One", messageTypeId=MARKETING)
        found = self.get("templates/getByClientTemplateId", clientTemplateId="c")["templates"]
        self.template = found[0]["templateId"]

    @property
    def journey(self) -> int:
        """One that people can enter."""
        return next(int(each["id"]) for each in self.get("journeys", pageSize=50)["journeys"] if each["enabled"])

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        headers = {"Api-Key": self.sandbox.key}
        return requests.post(f"{self.sandbox.url}/api/{path}", json=body, headers=headers, timeout=30).json()  # type: ignore[no-any-return]

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        headers = {"Api-Key": self.sandbox.key}
        return requests.get(f"{self.sandbox.url}/api/{path}", params=params, headers=headers, timeout=30).json()  # type: ignore[no-any-return]

    def create(self, **more: Any) -> int:
        """A campaign: triggered, or with `listIds` a blast."""
        return int(self.post("campaigns/create", name="Sale", templateId=self.template, **more)["campaignId"])

    def state(self, campaign_id: int) -> str:
        return str(self.get(f"campaigns/{campaign_id}")["campaignState"])

    def clock(self) -> datetime:
        return now() + self.ahead

    @property
    def client(self) -> Iterable:
        return quick_client(self.settings, self.said.append, Patience(attempts=2, first_wait=0.0))

    def call(self, procedure: Procedure, approve: bool = True, **more: Any) -> Report:
        told = {"client": self.client, "log": self.said.append, "clock": self.clock}
        return call(self.settings, procedure, "ann", approve=approve, **told, **more)

    def trigger(self, campaign_id: int, **more: Any) -> Report:
        """Trigger to everybody."""
        return self.call(TriggerCampaign(campaign_id=campaign_id, list_ids=[self.all]), **more)

    @property
    def calls(self) -> list[Call]:
        """What the ledger holds, the newest first."""
        return CallLedger(self.settings).calls()

    def writes(self, path: str) -> int:
        """How many requests came there."""
        return sum(each.method == "POST" for each in self.sandbox.requests(f"/api/{path}"))

    @property
    def recipients(self) -> list[tuple[str, ...]]:
        """To whom campaigns were really sent, send by send."""
        return [each.recipients for each in self.sandbox.sends]

    def published(self, sql: str) -> list[tuple[Any, ...]]:
        return Warehouse.of(self.settings).read(sql)


@pytest.fixture
def make_town(tmp_path: Path) -> Iterator[Callable[..., Town]]:
    """Makes a project; `options` are those of `running_sandbox`."""
    running = []

    def make(**options: Any) -> Town:
        opened = empty_project(tmp_path, "email", pace=QUICK, **options)
        settings, sandbox = opened.__enter__()
        running.append(partial(opened.__exit__, None, None, None))
        return Town(settings, sandbox)

    yield make
    for close in running:
        close()


@pytest.fixture
def town(make_town: Callable[..., Town]) -> Town:
    """A project that may do everything."""
    return make_town(may_schedule=True, may_activate=True)
