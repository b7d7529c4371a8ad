"""Airbyte's connector: check, discover, and a full refresh of every stream it has."""

import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from running import PeerFailed, json_lines, run_redirected
from truth import PAGE, TEMPLATE_TYPES, Streams, Truth

from iterable_pipelines.data_types import DATA_TYPE
from iterable_pipelines.sandbox import Sandbox
from iterable_pipelines.sandbox.objects import TEMPLATE_MEDIUMS

NAME = "airbyte-source-iterable"
COMMAND = "source-iterable"
SLICE = timedelta(days=90)  # of templates
# what version 1.0.1 does not know
UNREAD = re.compile(r"user|inAppRecall|embedded.*|whatsApp.*|rcs.*|journeyExit|unknownSession")
EVENT_STREAMS = {
    re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower().replace("un_subscribe", "unsubscribe"): name
    for name in DATA_TYPE
    if not UNREAD.fullmatch(name)
}
FIELDS: dict[str, tuple[str, ...]] = {
    "lists": ("id",),
    "list_users": ("listId", "email"),
    "campaigns": ("id",),
    "channels": ("id",),
    "message_types": ("id",),
    "metadata": ("name",),
    "templates": ("templateId",),
    "users": ("email", "userId"),
    **dict.fromkeys(EVENT_STREAMS, ("email", "userId", "messageId", "campaignId")),
}


def read(sandbox: Sandbox, folder: Path) -> Streams:
    """Run the three commands. Raises PeerFailed for a refused check and for every error among the messages."""
    config = {"api_key": sandbox.key, "start_date": "2024-12-31T00:00:00Z", "end_date": iso(sandbox.world.now())}
    (folder / "config.json").write_text(json.dumps(config))

    def messages(command: str, *arguments: str) -> list[dict[str, Any]]:
        said = run_redirected(sandbox, COMMAND, command, "--config", str(folder / "config.json"), *arguments)
        found = json_lines(said)
        for each in found:
            if each["type"] == "TRACE" and each["trace"]["type"] == "ERROR":
                raise PeerFailed(f"{COMMAND} {command}: {each['trace']['error']['message']}")
        return found

    statuses = [each["connectionStatus"] for each in messages("check") if each["type"] == "CONNECTION_STATUS"]
    if [each["status"] for each in statuses] != ["SUCCEEDED"]:
        raise PeerFailed(f"{COMMAND} check: {statuses}")
    (catalog,) = [each["catalog"] for each in messages("discover") if each["type"] == "CATALOG"]
    chosen = [
        {"stream": each, "sync_mode": "full_refresh", "destination_sync_mode": "overwrite"}
        for each in catalog["streams"]
    ]
    (folder / "catalog.json").write_text(json.dumps({"streams": chosen}))
    streams: Streams = {each["name"]: [] for each in catalog["streams"]}
    for message in messages("read", "--catalog", str(folder / "catalog.json")):
        if message["type"] == "RECORD":
            name, data = message["record"]["stream"], message["record"]["data"]
            streams[name].append(key_of(name, data))
    return streams


def key_of(stream: str, data: dict[str, Any]) -> list[Any]:
    """What is compared of a record."""
    if stream == "campaigns_metrics":
        sends = [value for name, value in data["data"].items() if re.fullmatch(r"Total .*\b(Sends|Sent)", name)]
        return [data["data"]["id"], *(sends or [None])]
    if stream == "events":
        return [data["_type"], data["data"].get("messageId")]
    return [data.get(field) for field in FIELDS[stream]]


def expected(truth: Truth) -> Streams:
    """The first page of campaigns, and of templates in each slice of 90 days: the connector asks for no other."""
    objects, start = truth.world.objects, datetime.fromisoformat("2024-12-31T00:00:00+00:00")
    templates = [
        each
        for medium in TEMPLATE_MEDIUMS
        for kind in TEMPLATE_TYPES
        for each in first_pages(truth.templates(medium, kind), start)
    ]
    did = [each for _, name in truth.members if "@" in name for each in truth.events_of(name, start)]
    return {
        "lists": [[each["id"]] for each in objects.lists],
        "list_users": [list(each) for each in truth.members],
        "campaigns": [[each.id] for each in truth.campaigns[:PAGE]],
        "campaigns_metrics": truth.sends(truth.campaigns[:PAGE]),
        "channels": [[each["id"]] for each in objects.channels],
        "message_types": [[each["id"]] for each in objects.message_types],
        "metadata": [[each["name"]] for each in truth.rows("/api/metadata", "results")],
        "templates": [[each.template_id] for each in templates],
        "users": truth.keys("user", *FIELDS["users"]),
        "events": [[each["_type"], each.get("messageId")] for each in did],
        **{stream: truth.keys(name, *FIELDS[stream]) for stream, name in EVENT_STREAMS.items()},
    }


def first_pages(templates: list[Any], start: datetime) -> list[Any]:
    """The first page of each slice by the templates' creation."""
    slices: dict[int, list[Any]] = {}
    for each in templates:
        slices.setdefault(int((each.created - start.timestamp()) // SLICE.total_seconds()), []).append(each)
    return [each for found in slices.values() for each in found[:PAGE]]


def iso(moment: datetime) -> str:
    """2026-11-02T00:00:00Z."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
