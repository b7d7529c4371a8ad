"""What tests of loading webhooks share: bodies from the spool through landing into the tables, and what is in them."""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from iterable_pipelines.hours import HOUR, parse_hour
from iterable_pipelines.landing import Manifest
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse
from iterable_pipelines.streams.webhooks import Told, load_webhooks
from iterable_pipelines.webhooks.body import read_body
from iterable_pipelines.webhooks.land import Moved, land
from iterable_pipelines.webhooks.spool import Spool

START = parse_hour("2026-11-01")


def silent(text: str) -> None:
    """A log that nobody reads."""


def at(seconds: float, hour: datetime = START) -> str:
    """A moment of an hour as Iterable spells it."""
    return f"{hour + timedelta(seconds=seconds):%Y-%m-%d %H:%M:%S} +00:00"


def body(name: str, moment: str, **fields: Any) -> dict[str, Any]:
    """The body of a webhook about ann, unless the fields say otherwise."""
    about = {"email": "ann@x.example"} | fields
    return {"email": about["email"], "eventName": name, "dataFields": about | {"createdAt": moment}}


def spool_of(project: Settings) -> Spool:
    return Spool(project.spool_path)


def receive(project: Settings, bodies: Iterable[dict[str, Any] | bytes], received_at: datetime) -> int:
    """Put bodies into the spool as the receiver does; returns how many are new to it."""
    raw = [each if isinstance(each, bytes) else json.dumps(each, ensure_ascii=False).encode() for each in bodies]
    return spool_of(project).add([(read_body(each), received_at) for each in raw])


def move(project: Settings, manifest: Manifest) -> Moved:
    return land(spool_of(project), manifest, project, "run", log=silent)


def bring(
    project: Settings,
    manifest: Manifest,
    warehouse: Warehouse,
    bodies: Iterable[dict[str, Any] | bytes] = (),
    received_at: datetime = START + HOUR,
) -> Told:
    """Bodies all the way from the spool into the tables."""
    receive(project, bodies, received_at)
    move(project, manifest)
    return load_webhooks(warehouse, manifest, project, "run", log=silent)


def rows(warehouse: Warehouse, stream: str, columns: str, where: str = "true") -> list[tuple[Any, ...]]:
    return sorted(warehouse.read(f"select {columns} from streams.{stream} where {where}"), key=repr)
