"""Records that are sent as a run would, without a plan: what is written down, what arrives, what is noted."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from iterable_pipelines.activation.endpoints import ENDPOINTS
from iterable_pipelines.activation.merge import merge
from iterable_pipelines.activation.objects import EventSync, UserSync
from iterable_pipelines.activation.outbox import Outbox
from iterable_pipelines.activation.send import Pace, Sender, Tally
from iterable_pipelines.activation.stages import send_stages
from iterable_pipelines.activation.state import Workspace, open_workspace
from iterable_pipelines.sandbox.server import Sandbox
from iterable_pipelines.settings import Settings
from iterable_pipelines_tests.activation.conftest import AT_ONCE, QUICK, empty_project, quick_client

RUN = "run-1"
USERS = UserSync(
    name="people", object="user", source="marts.people", primary_key="id", match={"column": "email", "field": "email"}
)
EVENTS = EventSync(
    name="people",
    object="event",
    source="marts.events",
    primary_key="id",
    match={"column": "user_id", "field": "userId"},
    event_name="event",
    created_at="at",
    first_run="backfill",
)


def user(email: str, **fields: Any) -> dict[str, Any]:
    """One user record."""
    return {"email": email, "dataFields": fields} if fields else {"email": email}


def event(user_id: str, name: str, nth: int, **fields: Any) -> dict[str, Any]:
    """One event record."""
    return {"userId": user_id, "eventName": name, "id": f"e-{nth}", "createdAt": 1772366400 + nth, "dataFields": fields}


@dataclass
class Sending:
    """A state with records written down, and where they go."""

    settings: Settings
    sandbox: Sandbox
    workspace: Workspace
    sync: Any = USERS
    pace: Pace = AT_ONCE
    said: list[str] = field(default_factory=list)

    def write_down(self, endpoint: str, payloads: Sequence[dict[str, Any]], flags: str = "{}", **more: Any) -> None:
        """Note records that are to be sent, as changes of the run; the pk of each is its number."""
        con = self.workspace.con
        ((before,),) = con.execute("select coalesce(max(number), 0) from state.changes").fetchall()
        rows = []
        for number, payload in enumerate(payloads, before + 1):
            who = payload.get("user") or payload
            kind = next((each for each in ("email", "userId", "currentEmail") if each in who), None)
            row = {
                "run_id": RUN,
                "number": number,
                "op": "add",
                "endpoint": endpoint,
                "flags": flags,
                "stage": ENDPOINTS[endpoint].stage,
                "needs": "",
                "key": str(number),
                "pk": str(number),
                "output": endpoint,
                "identity_kind": kind,
                "identity": str(who[kind]).lower() if kind == "email" else who.get(kind),
                "payload": json.dumps(payload, separators=(",", ":")),
                "payload_hash": f"hash-{number}",
                "mapping_version": 1,
                "member": True,
                "seq": 0,
            }
            rows.append(row | more)
        con.register("rows", pa.Table.from_pylist(rows))
        con.execute("insert into state.changes by name select * from rows")

    def send(self, gate: Any = None) -> Tally:
        """Send all of it."""
        clients = partial(quick_client, self.settings, self.said.append)
        sender = Sender(Outbox(self.workspace, RUN), self.sync, clients, self.pace, self.said.append, gate)
        send_stages(self.workspace, RUN, sender, self.pace, self.said.append)
        return sender.tally

    def merge(self) -> None:
        """Bring what is known into the state."""
        merge(self.workspace, RUN)

    def outcomes(self) -> dict[str, tuple[str, str]]:
        """By pk, what became of each record: (kind, code)."""
        found = self.workspace.con.execute(
            "select pk, kind, code from state.outcomes join state.changes using (number) order by number"
        )
        return {pk: (kind, code) for pk, kind, code in found.fetchall()}

    def sent(self, path: str = "/api/") -> list[dict[str, Any]]:
        """The bodies that arrived."""
        return [json.loads(each.body) for each in self.sandbox.requests(path) if each.method == "POST"]

    def answer(self, body: dict[str, Any], status: int = 200, times: int = 1, after: int = 0) -> None:
        """Let Iterable answer like this."""
        self.sandbox.fault("status", "/api/", times=times, after=after, status=status, body=body)

    def patient(self, **pace: Any) -> None:
        """Change how long it is tried."""
        self.pace = replace(self.pace, **pace)


@pytest.fixture
def sending(tmp_path: Path) -> Iterator[Callable[..., Sending]]:
    """Makes a state and a sandbox; `options` are those of `running_sandbox`."""
    with ExitStack() as running:

        def make(sync: Any = USERS, project_type: str = "hybrid", **options: Any) -> Sending:
            settings, sandbox = running.enter_context(empty_project(tmp_path, project_type, pace=QUICK, **options))
            workspace = running.enter_context(open_workspace(settings, sync.name, write=True))
            return Sending(settings, sandbox, workspace, sync)

        yield make
