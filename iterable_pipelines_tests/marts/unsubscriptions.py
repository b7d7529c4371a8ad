"""Tells by brute force, in plain Python, who left what, when, and who came back."""

import json
from collections import defaultdict
from datetime import datetime
from typing import Any

from iterable_pipelines_tests.marts.recount import Row, Truth
from iterable_pipelines_tests.profiles.recount import Record, key_of, moment, text, whole

_FIELDS = {"channel": "unsubscribedChannelIds", "message_type": "unsubscribedMessageTypeIds"}
_EVENT_FIELDS = {"channel": "channelIds", "message_type": "messageTypeIds"}


def history(truth: Truth) -> dict[Any, Row]:
    """iterable__user_unsubscription_history by person, kind, id and moment."""
    found: dict[Any, Row] = {}
    for (person, kind, number), statements in _statements(truth).items():
        open_row: Row | None = None
        for at, _, is_off, by in sorted(statements, key=lambda each: each[:3]):
            if is_off and open_row is None:
                open_row = found[person, kind, number, at] = _row(truth, person, kind, number, at, by)
            elif not is_off and open_row is not None:
                open_row |= {"resubscribed_at": at, "is_current": False}
                open_row = None
    return found


def current(truth: Truth) -> dict[Any, Row]:
    """iterable__user_unsubscriptions by person, channel, message type and whether the whole channel was left."""
    found: dict[Any, Row] = {}
    for row in history(truth).values():
        if not row["is_current"]:
            continue
        types = {row["message_type_id"]: row["message_type_name"]}
        if row["is_unsubscribed_channel_wide"]:
            types = {
                key: it["name"]
                for key, it in truth.objects["message_types"].items()
                if it["channelId"] == row["channel_id"] and not it["_gone"]
            } or {None: None}
        for message_type, name in types.items():
            key = (row["unique_user_key"], row["channel_id"], message_type, row["is_unsubscribed_channel_wide"])
            found[key] = {
                column: value
                for column, value in row.items()
                if column not in ("unsubscribed_at", "resubscribed_at", "is_current")
            } | {"message_type_id": message_type, "message_type_name": name, "updated_at": row["unsubscribed_at"]}
    return found


def _statements(truth: Truth) -> dict[tuple[str, str, int], list[tuple[datetime, int, bool, Record]]]:
    found: dict[Any, list[Any]] = defaultdict(list)
    for data_type, record in truth.events:
        at, raw = moment(record, "createdAt"), key_of(record, truth.project_type)
        if data_type in ("emailSubscribe", "emailUnSubscribe") and at and raw:
            for kind, field in _EVENT_FIELDS.items():
                for number in _ids(record, field):
                    found[truth.links[raw], kind, number].append((at, 0, data_type == "emailUnSubscribe", record))
    by_events = list(found)
    for person, user in truth.known.items():
        at = moment(user, "profileUpdatedAt")
        for kind, field in _FIELDS.items():
            off = _ids(user, field)
            told = {number for whose, what, number in by_events if (whose, what) == (person, kind)}
            on = told - off if text(user, field) is not None else set()
            if kind == "message_type":
                on |= _ids(user, "subscribedMessageTypeIds") - off
            for number in off | on:
                found[person, kind, number].append((at, 1, number in off, {}))
    return found


def _ids(record: Record, field: str) -> set[int]:
    value = record.get(field)
    if isinstance(value, str):
        value = json.loads(value)
    return {number for each in value or [] if (number := whole({"it": each}, "it")) is not None}


def _row(truth: Truth, person: str, kind: str, number: int, at: datetime, by: Record) -> Row:
    message_type = truth.object("message_types", number) if kind == "message_type" else {}
    channel_id = number if kind == "channel" else message_type.get("channelId")
    channel = truth.object("channels", channel_id)
    return {
        "unique_user_key": person,
        "is_unsubscribed_channel_wide": kind == "channel",
        "channel_id": channel_id,
        "channel_name": channel.get("name"),
        "channel_type": channel.get("channelType"),
        "message_medium": channel.get("messageMedium"),
        "message_type_id": number if kind == "message_type" else None,
        "message_type_name": message_type.get("name"),
        "unsubscribed_at": at,
        "resubscribed_at": None,
        "is_current": True,
        "source": "event" if by else "user",
        "unsub_source": text(by, "unsubSource"),
        "campaign_id": whole(by, "campaignId"),
    }
