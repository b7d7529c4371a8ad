"""What the tests of track calls share: streams that fill up, and destinations that are declared and sent to."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from iterable_pipelines.data_types import DATA_TYPE
from iterable_pipelines.hours import parse_hour
from iterable_pipelines.landing import Manifest
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse, load_hours
from iterable_pipelines.track_calls import Sent, deliver, load_destinations, send
from iterable_pipelines_tests.landing_by_hand import land
from iterable_pipelines_tests.track_calls.receiver import KEY, Receiver, receiving

URL_ENV, KEY_ENV = "SEGMENT_URL", "SEGMENT_KEY"
TO_HTTP = f"to: {{url_env: {URL_ENV}, key_env: {KEY_ENV}}}\nsince: 2026-11-01\n"
TO_FOLDER = "to: {folder: out}\nsince: 2026-11-01\n"
H3 = parse_hour("2026-11-01T03")


def click(minute: int, **fields: Any) -> dict[str, Any]:
    """A click as an export has it."""
    return {
        "createdAt": f"2026-11-01 03:{minute:02d}:00 +00:00",
        "email": "ada@example.com",
        "url": "https://a.b",
    } | fields


@dataclass
class Tracks:
    """A project whose streams can be loaded into, and the calls that came out of it."""

    settings: Settings
    manifest: Manifest

    @property
    def warehouse(self) -> Warehouse:
        return Warehouse.of(self.settings, log=lambda text: None)

    def load(
        self, records: list[dict[str, Any]], data_type: str = "emailClick", hour: datetime = H3, minutes_after: int = 10
    ) -> None:
        """Land an hour, as if it had been fetched that late, and load it."""
        land(self.settings, self.manifest, data_type, hour, records, minutes_after)
        self.warehouse.prepare()
        stream = DATA_TYPE[data_type].stream
        load_hours(self.warehouse, self.manifest, self.settings, stream, [hour], "run", log=lambda text: None)

    def here(self, *statements: str) -> None:
        """Run SQL in the warehouse."""
        self.warehouse.prepare()
        with self.warehouse.transaction() as con:
            for statement in statements:
                con.execute(statement)

    def webhook(self, digest: str, record: dict[str, Any], data_type: str = "emailClick") -> None:
        """A row that only a webhook has told of."""
        body = {"eventName": data_type, "email": record["email"], "dataFields": record}
        self.warehouse.prepare()
        with self.warehouse.transaction() as con:
            con.execute(
                f"insert into streams.{DATA_TYPE[data_type].stream} by name select ? as data_type, ? as event_id, "
                "? as _webhook_id, ? as email, ?::timestamp as created_at, date_trunc('hour', created_at) as _hour, "
                "? as record, ? as webhook, 'webhook' as _source, now()::timestamp as _loaded_at, "
                "nextval('streams.load_ids') as _load_id",
                [
                    data_type,
                    digest,
                    digest,
                    record["email"],
                    record["createdAt"][:19],
                    json.dumps(record),
                    json.dumps(body),
                ],
            )

    def declare(self, text: str, name: str = "segment") -> None:
        """Write track_calls/<name>.yml."""
        path = self.settings.project_root / "track_calls" / f"{name}.yml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def send(self, name: str = "segment") -> Sent:
        """Send what is new to a destination."""
        (declared,) = [each for each in load_destinations(self.settings) if each.name == name]
        return send(self.settings, declared, log=lambda text: None)

    def files(self) -> list[Path]:
        """What lies in the folder `out`, in the order of its names."""
        return sorted((self.settings.project_root / "out").glob("*.ndjson"))

    def calls(self) -> list[dict[str, Any]]:
        """The calls in the folder `out`."""
        return [json.loads(line) for file in self.files() for line in file.read_bytes().splitlines()]


@pytest.fixture
def tracks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tracks:
    """A project without events."""
    # whoever waits here waits for a receiver that a test has told to fail
    monkeypatch.setattr(
        deliver, "PATIENCE", replace(deliver.PATIENCE, attempts=3, first_wait=0.01, longest_wait=0.05, busy_wait=0.01)
    )
    settings = Settings(
        api_key="sandbox",
        base_url="http://127.0.0.1:9",
        project_root=tmp_path,
        data_dir=tmp_path / "data",
        start_date=parse_hour("2026-11-01"),
    )
    return Tracks(settings, Manifest(settings.landing_dir))


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A receiver, and the variables that name it."""
    with receiving() as running:
        monkeypatch.setenv(URL_ENV, running.url)
        monkeypatch.setenv(KEY_ENV, KEY)
        yield running
