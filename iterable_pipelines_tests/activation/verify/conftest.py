"""What the tests of verification share: a sync, what was acknowledged to it, and an Iterable that may lack some."""

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from iterable_pipelines.activation.declaration import Sync
from iterable_pipelines.activation.endpoints import ENDPOINTS
from iterable_pipelines.activation.objects import load_syncs
from iterable_pipelines.activation.state import open_workspace
from iterable_pipelines.activation.verify import Verified, people, verify_sync
from iterable_pipelines.api import Iterable
from iterable_pipelines.hours import now
from iterable_pipelines.sandbox import Sandbox, running_sandbox
from iterable_pipelines.settings import Settings
from iterable_pipelines_tests.activation.conftest import QUICK, quick_client

Record = dict[str, Any]


@dataclass
class Proof:
    """A project of Iterable without users, and a sync called `people` that writes to it."""

    settings: Settings
    sandbox: Sandbox

    @property
    def sync(self) -> Sync:
        (declared,) = load_syncs(self.settings)
        return declared

    def declare(self, text: str = "") -> None:
        """Write syncs/people.yml; `text` are lines beyond the usual ones."""
        path = self.settings.project_root / "syncs" / "people.yml"
        path.parent.mkdir(exist_ok=True)
        usual = "object: user\nsource: marts.people\nprimary_key: id\nmatch: {column: email, field: email}\n"
        path.write_text(f"{usual}fields: '*'\nverify_after_seconds: 0\n{text}")

    def write(self, endpoint: str, records: Sequence[Record], flags: Record | None = None) -> None:
        """Send to Iterable, without any sync."""
        written, client = ENDPOINTS[endpoint], self.client()
        bodies = [{**(flags or {}), written.envelope: list(records)}] if written.envelope else list(records)
        for body in bodies if records else ():
            path = written.path + (body["email"] if written.method == "DELETE" else "")
            answer = client.write(
                written.method, path, b"" if written.method == "DELETE" else json.dumps(body).encode()
            )
            assert answer.status in (200, 202), answer

    def acknowledge(
        self,
        endpoint: str,
        records: Sequence[Record],
        flags: Record | None = None,
        output: str = "",
        seconds_ago: float = 1,
    ) -> None:
        """Let the state say that Iterable has said yes to records; the nth is of the row with primary key n."""
        moment = (now() - timedelta(seconds=seconds_ago)).replace(tzinfo=None)
        rows = []
        for nth, record in enumerate(records):
            named = record.get("user", record)
            name = named.get("email") or named.get("currentEmail") or named.get("sourceEmail")
            kind, value = ("email", name) if name else ("userId", named["userId"])
            key, run = f"{nth:04d}", f"run of {output or endpoint}"
            rows.append([key, key, output or endpoint, kind, value, json.dumps(record), moment, run, endpoint])
        with open_workspace(self.settings, "people", write=True) as state, state.transaction() as con:
            con.execute(
                "create temp table arrived (key text, pk text, output text, identity_kind text, identity text, "
                "payload json, last_acked_at timestamp, run_id text, endpoint text)"
            )
            con.executemany("insert into arrived values (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
            con.execute(
                "delete from state.acked using arrived where arrived.key = acked.key and arrived.output = acked.output"
            )
            con.execute(
                "insert into state.acked by name select *, ?::json as flags, md5(payload) as payload_hash, "
                "1 as mapping_version, true as member, 0 as seq from arrived",
                [json.dumps(flags or {})],
            )

    def send(
        self,
        endpoint: str,
        records: Sequence[Record],
        flags: Record | None = None,
        lost: Collection[int] = (),
        output: str = "",
    ) -> None:
        """Write records and note that all were acknowledged, though Iterable lost those whose numbers are in `lost`."""
        self.write(endpoint, [each for nth, each in enumerate(records) if nth not in lost], flags)
        self.acknowledge(endpoint, records, flags, output)

    def client(self) -> Iterable:
        return quick_client(self.settings, lambda text: None)

    def verify(self, full: bool = True, connect: Callable[[], Iterable] | None = None) -> Verified:
        return verify_sync(self.settings, self.sync, full, log=lambda text: None, connect=connect or self.client)

    def wrong(self) -> dict[str, tuple[str, str | None]]:
        """What the state says is wrong: primary key → verdict, names of fields."""
        return {
            pk: (verdict, fields)
            for pk, verdict, fields in self.state("select pk, verdict, fields from state.mismatches")
        }

    def state(self, sql: str) -> list[tuple[Any, ...]]:
        with open_workspace(self.settings, "people") as state:
            return state.con.execute(sql).fetchall()


Prove = Callable[..., Proof]


@pytest.fixture
def prove(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Prove]:
    """Makes a Proof: of a project type, with options of the sandbox."""
    monkeypatch.setattr(people, "A_SECOND", 1000.0)
    with ExitStack() as stack:

        def make(project_type: str = "hybrid", text: str = "", **options: Any) -> Proof:
            # a world that began an hour ago has few hours to look through
            start = now() - timedelta(hours=1)
            usual = {"users": 0, "activity": 0.0, "start": start, "pace": QUICK}
            sandbox = stack.enter_context(running_sandbox(project_type=project_type, **(usual | options)))
            settings = Settings(
                api_key=sandbox.key,
                base_url=sandbox.url,
                project_type=project_type,
                project_root=tmp_path,
                data_dir=tmp_path / "data",
            )
            proof = Proof(settings, sandbox)
            proof.declare(text)
            return proof

        yield make
