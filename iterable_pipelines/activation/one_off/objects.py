"""What can be written once: one line per object, with its names, its operations, and how its columns are called.

The names and operations are Skyvia's too (outbound.md 4.1): INSERT into CatalogItems is insert of catalog_items.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Operation = Literal["insert", "update", "upsert", "delete"]
_USER = {"email": ("email", "recipientEmail"), "userId": ("userId", "recipientUserId")}


@dataclass(frozen=True)
class Writable:
    """An object: which sync it is, and the mode for each operation.

    settings: fields of that sync that name a column, with what the column may be called, in any spelling. fields:
    whether other columns become fields, under their own names (`own`), or members that Iterable knows (`known`).
    whole: the member that holds all fields, as exports show it.
    """

    object: str
    operations: Mapping[Operation, str]
    settings: Mapping[str, tuple[str, ...]]
    fields: Literal["none", "own", "known"] = "none"
    whole: str = ""
    identifiers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


_INSERT: Mapping[Operation, str] = {"insert": "insert"}
_ALL: Mapping[Operation, str] = {"insert": "insert", "update": "update", "upsert": "upsert", "delete": "remove"}

OBJECTS: dict[str, Writable] = {
    "catalog_items": Writable(
        "catalog",
        _ALL,
        {"catalog_column": ("catalogName", "catalog"), "item_id": ("itemId", "id")},
        "own",
        "value",
    ),
    "catalogs": Writable(
        "whole_catalog",
        {"insert": "insert", "delete": "remove"},
        {"catalog_column": ("catalogName", "name", "catalog")},
    ),
    "templates": Writable(
        "template",
        {"insert": "insert", "update": "update", "upsert": "upsert"},
        {
            "medium_column": ("medium", "messageMedium"),
            "client_template_id": ("clientTemplateId",),
            "template_id": ("templateId", "id"),
        },
        "known",
    ),
    "lists": Writable(
        "whole_list",
        {"insert": "insert", "delete": "remove"},
        {
            "list_name": ("name", "listName"),
            "list_description": ("description", "listDescription"),
            "list_id": ("listId", "id"),
        },
    ),
    "campaigns": Writable(
        "campaign",
        _INSERT,
        {
            "campaign_name": ("name", "campaignName"),
            "template_id": ("templateId",),
            "list_ids": ("listIds",),
            "suppression_list_ids": ("suppressionListIds",),
            "schedule_send": ("scheduleSend",),
            "send_at": ("sendAt",),
            "send_mode": ("sendMode",),
            "start_time_zone": ("startTimeZone",),
            "default_time_zone": ("defaultTimeZone",),
            "data_fields": ("dataFields",),
            "campaign_data_fields": ("campaignDataFields",),
        },
    ),
    "events": Writable(
        "event",
        _INSERT,
        {
            "event_name": ("eventName", "event"),
            "id": ("id", "eventId"),
            "created_at": ("createdAt",),
            "campaign_id": ("campaignId",),
            "template_id": ("templateId",),
        },
        "own",
        "dataFields",
        _USER,
    ),
    "in_app_messages": Writable(
        "in_app",
        _INSERT,
        {"campaign_id": ("campaignId",), "send_at": ("sendAt",)},
        "own",
        "dataFields",
        _USER,
    ),
    "snippets": Writable("snippet", _ALL, {"snippet": ("name",)}, "known"),
    "metadata": Writable(
        "metadata",
        {"upsert": "upsert", "delete": "remove"},
        {"table_column": ("table", "tableName"), "key": ("key",), "value": ("value",)},
    ),
    "users": Writable(
        "user",
        {"insert": "insert", "update": "update", "upsert": "upsert"},
        {"new_email": ("newEmail",)},
        "own",
        "dataFields",
        _USER,
    ),
}
