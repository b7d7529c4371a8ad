"""A small project by hand whose hours are old: two people, three hours, two streams, all of it audited."""

from datetime import datetime
from typing import Any

from iterable_pipelines.data_types import STREAMS
from iterable_pipelines.hours import HOUR, parse_hour
from iterable_pipelines.landing import Manifest
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse, load_hours
from iterable_pipelines_tests.landing_by_hand import land

START = parse_hour("2026-11-01T03")
HOURS = [START, START + HOUR, START + 2 * HOUR]
EMAIL, PURCHASE = "iterable_activity", "iterable_purchase_activity"
TYPES = ("emailSend", "emailOpen", "purchase")
DAYS = 9
# the first two hours are older than the retention, the third is not
MOMENT = HOURS[2] + DAYS * 24 * HOUR
EIGHT_DAYS = 8 * 24 * 60
ADA, BOB = "ada@x.example", "bob@x.example"


def project_of(project: Settings, **changes: Any) -> Settings:
    """A project of two streams, three data types and no users, with a retention of the first stream."""
    given = {"data_types": TYPES, "skip_users": True, "start_date": START, "retention": {EMAIL: DAYS}}
    return project.model_copy(update=given | changes)


def event(email: str, hour: datetime, **fields: Any) -> dict[str, Any]:
    return {
        "email": email,
        "createdAt": f"{hour:%Y-%m-%d %H}:05:00 +00:00",
        "campaignId": 1,
        "campaignName": "one",
    } | fields


def import_hour(project: Settings, manifest: Manifest, hour: datetime) -> None:
    """Land an hour of each type as its last audit found it: both were sent to, Ada opened and bought."""
    land(project, manifest, "emailSend", hour, [event(ADA, hour), event(BOB, hour)], EIGHT_DAYS)
    land(project, manifest, "emailOpen", hour, [event(ADA, hour)], EIGHT_DAYS)
    land(project, manifest, "purchase", hour, [event(ADA, hour, total=12.5)], EIGHT_DAYS)


def load(project: Settings, manifest: Manifest, warehouse: Warehouse, hours: list[datetime] = HOURS) -> int:
    """Load what has landed; returns how many hours of a stream were loaded because they changed."""
    return sum(
        len(load_hours(warehouse, manifest, project, stream.name, hours, "run", log=lambda text: None).hours)
        for stream in STREAMS
    )


def note_built(warehouse: Warehouse) -> None:
    """Let it look as if the models had counted all that is loaded."""
    with warehouse.transaction() as con:
        for table in ("profiles.profile_builds", "marts.builds"):
            con.execute(f"create schema if not exists {table.partition('.')[0]}")
            con.execute(f"create or replace table {table} as select max(load_id) as built_to from streams.loads")


def files(project: Settings) -> list[str]:
    """The landed files that are there, each as its hour and data type."""
    found = (project.landing_dir / "events").glob("*/*/*.parquet")
    return sorted(f"{each.parts[-3].partition('=')[2]} {each.parts[-2].partition('=')[2]}" for each in found)
