"""Reads of single users and of who was forgotten (api.md 5.10)."""

import json
from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from iterable_pipelines.data_types import DATA_TYPE
from iterable_pipelines.hours import Window
from iterable_pipelines.sandbox.dates import BEGINNING, read_moment
from iterable_pipelines.sandbox.errors import bad_params, refusal
from iterable_pipelines.sandbox.exports import events_of
from iterable_pipelines.sandbox.world import World
from iterable_pipelines.sandbox.written import hashed

REACH = timedelta(days=14)  # how far back single-user reads look


def nested(record: dict[str, Any]) -> dict[str, Any]:
    """The record with its dotted keys of Iterable's own unfolded, as single-user reads show them."""
    fields: dict[str, Any] = {}
    for key, value in record.items():
        parent, dot, child = key.partition(".")
        if dot and parent.startswith("itbl"):
            fields.setdefault(parent, {})[child] = value
        else:
            fields[key] = value
    return fields


def as_event(record: dict[str, Any]) -> dict[str, Any]:
    """One record as GET /api/events shows it: custom fields under dataFields, Iterable's own beside (api.md 4.2)."""
    kind = record.pop("_type")
    if kind != "customEvent":
        return {"eventType": kind} | record
    own = {
        key: record.pop(key)
        for key in ("_id", "eventName", "email", "userId", "createdAt", "eventUpdatedAt", "itblInternal")
        if key in record
    }
    return own | {"eventType": kind, "dataFields": record}


def user_read_routes(world: World) -> list[Route]:
    """users/getFields, forgotten*, getSentMessages, getByEmail, byUserId, {email}; events/{email}, events/byUserId."""

    def user(email: str | None, user_id: str | None) -> Response:
        record = world.find_user(email, user_id)
        if record is None:
            reading = world.rules.missing_user or ("400" if user_id else "empty")
            if reading == "empty":
                return JSONResponse({})
            return refusal(int(reading), "error.users.noUserWithIdExists", f"No user with id {user_id or email} exists")
        names = {key: record[key] for key in ("email", "userId") if record.get(key)}
        return JSONResponse({"user": names | {"dataFields": nested(record)}})

    def by_email(request: Request) -> Response:
        email = request.path_params.get("email") or request.query_params.get("email")
        return user(email, None) if email else bad_params("email is required")

    def by_user_id(request: Request) -> Response:
        user_id = request.path_params.get("user_id") or request.query_params.get("userId")
        return user(None, user_id) if user_id else bad_params("userId is required")

    def get_fields(request: Request) -> Response:
        return JSONResponse({"fields": world.user_fields()})

    def forgotten(request: Request) -> Response:
        if world.project_type == "userid":
            return bad_params("This project is identified by userId")
        return JSONResponse({"hashedEmails": list(map(hashed, world.written.forgotten_emails))})

    def forgotten_ids(request: Request) -> Response:
        if world.project_type == "email":
            return bad_params("This project is identified by email")
        return JSONResponse({"hashedUserIds": list(map(hashed, world.written.forgotten_user_ids))})

    def latest(email: str | None, user_id: str | None, limit: int) -> list[dict[str, Any]]:
        types = [name for name in DATA_TYPE if name != "user"]
        window = Window(max(world.start, world.now() - REACH), world.now() + timedelta(seconds=1))
        # what was written shows however long ago it is said to have happened
        lines = events_of(world, types, email, user_id, window, BEGINNING)
        found = [json.loads(line) for line in lines]
        return sorted(found, key=lambda each: each["createdAt"], reverse=True)[:limit]

    def events(request: Request) -> Response:
        asked = request.query_params.get("limit", "30")
        if not asked.isdigit() or not 1 <= int(asked) <= 200:
            return bad_params("limit must be between 1 and 200")
        found = latest(request.path_params.get("email"), request.path_params.get("user_id"), int(asked))
        return JSONResponse({"events": [as_event(each) for each in found]})

    def is_blast(campaign_id: int) -> bool:
        campaign = world.objects.campaign(campaign_id)
        return campaign is not None and campaign.type == "Blast"

    def sent_messages(request: Request) -> Response:
        query = request.query_params
        try:
            first = read_moment(query["startDateTime"]) if "startDateTime" in query else world.start
            last = read_moment(query["endDateTime"]) if "endDateTime" in query else world.now() + timedelta(seconds=1)
            limit = int(query.get("limit", 10))
        except ValueError as wrong:
            return bad_params(str(wrong))
        medium = query.get("messageMedium", "").lower()
        types = [name for name in DATA_TYPE if name.endswith("Send") and name.lower().startswith(medium)]
        lines = events_of(
            world, types, query.get("email"), query.get("userId"), Window(max(first, world.now() - REACH), last)
        )
        asked, no_blasts = query.getlist("campaignIds"), query.get("excludeBlastCampaigns") == "true"
        sent = [
            each
            for each in map(json.loads, lines)
            if (str(each["campaignId"]) in asked if asked else not (no_blasts and is_blast(int(each["campaignId"]))))
        ]
        keys = ("messageId", "campaignId", "templateId", "createdAt")
        rows = [
            {key: each.get(key) for key in keys}
            for each in sorted(sent, key=lambda each: each["createdAt"], reverse=True)
        ]
        return JSONResponse({"messages": rows[:limit]})

    return [
        Route("/api/users/getFields", get_fields),
        Route("/api/users/forgotten", forgotten),
        Route("/api/users/forgottenUserIds", forgotten_ids),
        Route("/api/users/getSentMessages", sent_messages),
        Route("/api/users/getByEmail", by_email),
        Route("/api/users/byUserId", by_user_id),
        Route("/api/users/byUserId/{user_id:path}", by_user_id),
        Route("/api/users/{email:path}", by_email),
        Route("/api/events/byUserId/{user_id:path}", events),
        Route("/api/events/{email:path}", events),
    ]
