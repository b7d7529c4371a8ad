"""Singer's tap: discovery, then a sync of every stream it has."""

import json
from pathlib import Path

from running import json_lines, run_redirected
from truth import PAGE, TEMPLATE_TYPES, Streams, Truth

from iterable_pipelines.sandbox import Sandbox
from iterable_pipelines.sandbox.objects import TEMPLATE_MEDIUMS

NAME = "tap-iterable"
MESSAGE = ("email", "messageId", "campaignId")
FIELDS = {
    "lists": ("id",),
    "list_users": ("listId", "email"),
    "campaigns": ("id",),
    "channels": ("id",),
    "message_types": ("id",),
    "templates": ("templateId",),
    "metadata": ("table", "key"),
    "users": ("email",),
    "email_bounce": MESSAGE,
    "email_click": MESSAGE,
    "email_complaint": MESSAGE,
    "email_open": MESSAGE,
    "email_send": MESSAGE,
    "email_send_skip": MESSAGE,
    "email_subscribe": MESSAGE,
    "email_unsubscribe": MESSAGE,
}
DATA_TYPES = {
    "email_bounce": "emailBounce",
    "email_click": "emailClick",
    "email_complaint": "emailComplaint",
    "email_open": "emailOpen",
    "email_send": "emailSend",
    "email_send_skip": "emailSendSkip",
    "email_subscribe": "emailSubscribe",
    "email_unsubscribe": "emailUnSubscribe",
}


def read(sandbox: Sandbox, folder: Path) -> Streams:
    """Run the tap with everything selected, from before the first campaign, in one window."""
    config = {"api_key": sandbox.key, "start_date": "2024-12-31T00:00:00Z", "api_window_in_days": "36500"}
    (folder / "config.json").write_text(json.dumps(config))
    arguments = ("--config", str(folder / "config.json"))
    catalog = json.loads(run_redirected(sandbox, NAME, *arguments, "--discover"))
    for stream in catalog["streams"]:
        for each in stream["metadata"]:
            each["metadata"]["selected"] = True
    (folder / "catalog.json").write_text(json.dumps(catalog))
    said = run_redirected(sandbox, NAME, *arguments, "--catalog", str(folder / "catalog.json"))
    streams: Streams = {each["stream"]: [] for each in catalog["streams"]}
    for message in json_lines(said):
        if message["type"] == "RECORD":
            record = message["record"]
            streams[message["stream"]].append([record.get(field) for field in FIELDS[message["stream"]]])
    return streams


def expected(truth: Truth) -> Streams:
    """The first page of campaigns, templates and metadata keys: the tap asks for no other.

    It spells the parameter of template types wrongly, so it gets the same blast templates for each of the four.
    """
    objects = truth.world.objects
    templates = [each for medium in TEMPLATE_MEDIUMS for each in truth.templates(medium, "Blast")[:PAGE]]
    tables = [each["name"] for each in truth.rows("/api/metadata", "results")]
    keys = [each for table in tables for each in truth.first(f"/api/metadata/{table}", "results")]
    return {
        "lists": [[each["id"]] for each in objects.lists],
        "list_users": [list(each) for each in truth.members],
        "campaigns": [[each.id] for each in truth.campaigns[:PAGE]],
        "channels": [[each["id"]] for each in objects.channels],
        "message_types": [[each["id"]] for each in objects.message_types],
        "templates": [[each.template_id] for each in templates] * len(TEMPLATE_TYPES),
        "metadata": [[each[field] for field in FIELDS["metadata"]] for each in keys],
        "users": truth.keys("user", *FIELDS["users"]),
        **{stream: truth.keys(name, *FIELDS[stream]) for stream, name in DATA_TYPES.items()},
    }
