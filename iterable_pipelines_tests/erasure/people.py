"""A small project by hand: Ada, who is forgotten, in everything that a project has, and others who stay."""

from typing import Any

from iterable_pipelines.data_types import STREAMS
from iterable_pipelines.erasure.tombstones import Tombstones, hash_of
from iterable_pipelines.hours import HOUR, parse_hour
from iterable_pipelines.landing import Manifest
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse, load_hours
from iterable_pipelines_tests.landing_by_hand import land

START = parse_hour("2026-11-01T03")
ADA, ADA_BEFORE, BOB, CAT = "ada.lovelace@x.example", "ada.byron@x.example", "bob@x.example", "cat@x.example"
ADA_ID, ADA_ITBL = "user-ada-1815", "itbl-ada-000001"
FAMILY_ID = "family-of-ada-and-cat"


def event(email: str, minute: int = 1, **fields: Any) -> dict[str, Any]:
    """A record with Ada's or somebody's names, and whatever else."""
    names = {"userId": ADA_ID, "itblUserId": ADA_ITBL} if email in (ADA, ADA_BEFORE) else {}
    moment = {"createdAt": f"2026-11-01 03:{minute:02d}:00 +00:00"}
    return moment | {"email": email, "campaignId": 1, "campaignName": "one"} | names | fields


def user(email: str, **fields: Any) -> dict[str, Any]:
    names = {"userId": ADA_ID, "itblUserId": ADA_ITBL} if email == ADA else {"itblUserId": f"itbl-{email}"}
    return {"email": email, "profileUpdatedAt": "2026-11-01 03:05:00 +00:00"} | names | fields


SENDS = [event(ADA), event(ADA.upper(), 2), event(ADA_BEFORE, 3), event(BOB, 4), event(CAT, 5, campaignId=2)]
CUSTOM = [
    event(BOB, 6, eventName="invited", friendEmail=ADA, note=f"asked {ADA}, and x.{ADA}", link=f"?to={ADA}&n=1"),
    event(BOB, 7, eventName="invited", friend={"id": ADA_ID}, quantity="1815"),
    event(ADA, 8, eventName="joined"),
]
OPENS_AT_FIRST = [event(ADA, 9), event(BOB, 9)]
OPENS = [*OPENS_AT_FIRST, event(ADA, 10), event(CAT, 10, campaignId=2)]
CLICKS = [event(ADA, 11, campaignId=3)]
USERS = [user(ADA, phoneNumber="+44 1815"), user(BOB, referredBy=ADA), user(CAT)]


def import_people(project: Settings, manifest: Manifest, warehouse: Warehouse) -> None:
    """Land one hour, one type of it twice, load it, and publish the copy for readers."""
    first = {
        "emailSend": SENDS,
        "customEvent": CUSTOM,
        "emailOpen": OPENS_AT_FIRST,
        "emailClick": CLICKS,
        "user": USERS,
    }
    for data_type, records in first.items():
        land(project, manifest, data_type, START, records)
    land(project, manifest, "emailOpen", START, OPENS, minutes_after=200)
    land(project, manifest, "emailSend", START + HOUR, [])
    load(project, manifest, warehouse)
    warehouse.publish()


def load(project: Settings, manifest: Manifest, warehouse: Warehouse) -> int:
    """Load what has landed; returns how many parts were loaded because they changed."""
    return sum(
        len(load_hours(warehouse, manifest, project, stream.name, [START], "run", log=lambda text: None).hours)
        for stream in STREAMS
    )


def forget(project: Settings, *addresses: str) -> None:
    """Tombstones for these addresses, as somebody asked for them."""
    Tombstones(project).add("email", [hash_of(each) for each in addresses], "request")
