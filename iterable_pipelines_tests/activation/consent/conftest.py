"""People who leave and come back at Iterable, what the import knows of it, and syncs that would subscribe them."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from iterable_pipelines.activation import outbox as outbox_module
from iterable_pipelines.activation import plan as plan_module
from iterable_pipelines.activation import send as send_module
from iterable_pipelines.activation.consent import gate as gate_module
from iterable_pipelines.activation.report import RunReport
from iterable_pipelines.sandbox.writing.events import Events
from iterable_pipelines_tests.activation.conftest import Activation

ANA = "ana@ex.com"
NEWS, OFFERS = 39_580, 39_581
LIST = 7_000
_USERS = "email, user_id, record::json as record, fetched::timestamp as _fetched_at, true as _current"
_EVENTS = (
    "data_type, email, user_id, happened::timestamp as created_at, record::json as record, message_id, "
    "campaign_id::bigint as campaign_id"
)


class People:
    """A project whose clock stands still, an hour ahead of what states note; `tick` lets ten seconds pass."""

    def __init__(self, project: Activation) -> None:
        self.project, self.sandbox = project, project.sandbox
        self.moment = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
        self.tick()
        self.sandbox.world.objects.lists.append(
            {"id": LIST, "name": "News", "createdAt": 1_700_000_000_000, "listType": "Standard"}
        )

    def tick(self) -> datetime:
        self.moment += timedelta(seconds=10)
        self.sandbox.world.stop_clock(self.moment)
        return self.moment

    def pass_an_hour(self) -> None:
        self.moment += timedelta(hours=1)
        self.tick()

    def now(self) -> datetime:
        return self.moment

    def utc(self) -> datetime:
        return self.moment.replace(tzinfo=None)

    def ask(self, path: str, **body: Any) -> None:
        """Somebody else's request."""
        answer = requests.post(
            f"{self.sandbox.url}/api/{path}", json=body, headers={"Api-Key": self.sandbox.key}, timeout=30
        )
        answer.raise_for_status()

    def has(self, email: str = ANA, **arrays: list[int]) -> None:
        """The arrays of a user as they are from now on, without any event."""
        self.ask("users/updateSubscriptions", email=email, **arrays)

    def event(self, data_type: str, email: str = ANA, **record: Any) -> None:
        """What happens to somebody's subscriptions, as an event of now."""
        Events(self.sandbox.world).record(data_type, {"email": email}, record)

    def arrays(self, email: str = ANA) -> dict[str, list[int]]:
        """What a user has now."""
        found = self.sandbox.world.find_user(email) or {}
        found["emailListIds"] = found.pop("userListIds", [])
        names = ("emailListIds", "unsubscribedChannelIds", "unsubscribedMessageTypeIds", "subscribedMessageTypeIds")
        return {name: found[name] for name in names if name in found}

    def imports(self, *emails: str) -> None:
        """The import catches up."""
        users = [
            {"email": each, "user_id": None, "record": json.dumps(record), "fetched": str(self.utc())}
            for each in emails or (ANA,)
            if (record := self.sandbox.world.find_user(each))
        ]
        events = [
            {
                "data_type": kind,
                "email": each.get("email"),
                "user_id": each.get("userId"),
                "happened": each["createdAt"][:19],
                "record": json.dumps(each),
                "message_id": each.get("messageId"),
                "campaign_id": each.get("campaignId"),
            }
            for kind in ("emailSubscribe", "emailUnSubscribe", "hostedUnsubscribeClick")
            for each in self.sandbox.world.written_events(kind)
        ]
        self._copy("iterable_users", _USERS, users)
        self._copy("iterable_activity", _EVENTS, events)

    def _copy(self, table: str, columns: str, rows: list[dict[str, Any]]) -> None:
        if rows:
            file = self.project.settings.project_root / f"{table}.json"
            file.write_text("\n".join(map(json.dumps, rows)))
            read = f"read_json('{file}', columns={{{', '.join(f'{name}: VARCHAR' for name in rows[0])}}})"
            self.project.table(f"streams.{table}", f"select {columns} from {read}")

    def rows(self, columns: str, *rows: str) -> None:
        """The source of the sync."""
        self.project.table("m.t", f"select * from (values {', '.join(rows)}) t({columns})")

    def sync(self, text: str) -> None:
        """The sync, of the name s."""
        self.project.sync("s", f"source: m.t\nprimary_key: id\nmatch: {{column: email, field: email}}\n{text}")

    def run(self, **options: Any) -> RunReport:
        """Run it; only its own requests are in the sandbox's log then."""
        self.sandbox.log.clear()
        return self.project.run("s", **options)

    def sent(self) -> list[dict[str, Any]]:
        """The records of subscriptions that were sent."""
        return [
            each
            for body in self.project.requests("/api/users/bulkUpdateSubscriptions")
            for each in body["updateSubscriptionsRequests"]
        ]

    def opted_in(self) -> str:
        """Now, as SQL."""
        return f"timestamp '{self.utc()}'"


@pytest.fixture
def people(activation_project: Callable[..., Activation], monkeypatch: pytest.MonkeyPatch) -> People:
    """A hybrid project with one list, and the clock of plans and gates."""
    made = People(activation_project())
    monkeypatch.setattr(plan_module, "now", made.now)
    monkeypatch.setattr(gate_module, "now", made.now)
    monkeypatch.setattr(gate_module, "utc_now", made.utc)
    return made


@pytest.fixture
def one_clock(people: People, monkeypatch: pytest.MonkeyPatch) -> People:
    """The same people, and what states note of requests goes by their clock too."""
    monkeypatch.setattr(outbox_module, "moment", people.utc)
    monkeypatch.setattr(send_module, "moment", people.utc)
    return people
