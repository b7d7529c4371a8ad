"""Read of one user's in-app messages (api.md 5.10)."""

import json
from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from iterable_pipelines.hours import Window
from iterable_pipelines.sandbox.dates import read_moment
from iterable_pipelines.sandbox.errors import bad_params, refusal
from iterable_pipelines.sandbox.exports import events_of
from iterable_pipelines.sandbox.world import World

_PLATFORMS = (None, "iOS", "Android", "Web", "OTT")


def in_app_read_routes(world: World) -> list[Route]:
    """inApp/getMessages."""

    def get_messages(request: Request) -> Response:
        query = request.query_params
        email, user_id = query.get("email"), query.get("userId")
        if bool(email) == bool(user_id):
            return bad_params("Specify either an email or a userId")
        if not query.get("count", "").isdigit():
            return bad_params("count is required")
        if query.get("platform") not in _PLATFORMS:
            return bad_params(f"Invalid platform: {query['platform']}")
        if user_id and world.find_user(None, user_id) is None:
            return refusal(400, "error.users.noUserWithIdExists", f"No user with id {user_id} exists")
        sent = of("inAppSend", email, user_id)
        over = {each["messageId"] for kind in ("inAppRecall", "inAppDelete") for each in of(kind, email, user_id)}
        read = {each["messageId"] for each in of("inAppOpen", email, user_id)}
        live = [each for each in sent if each["messageId"] not in over and _millis(each["expiresAt"]) > _now(world)]
        newest = sorted(live, key=lambda each: _millis(each["createdAt"]), reverse=True)[: int(query["count"])]
        return JSONResponse({"inAppMessages": [_shown(each, each["messageId"] in read) for each in newest]})

    def of(data_type: str, email: str | None, user_id: str | None) -> list[dict[str, Any]]:
        lines = events_of(world, [data_type], email, user_id, Window(world.start, world.now() + timedelta(seconds=1)))
        return [json.loads(line) for line in lines]

    return [Route("/api/inApp/getMessages", get_messages)]


def _shown(sent: dict[str, Any], read: bool) -> dict[str, Any]:
    """A message as an app gets it; times are epoch milliseconds, as the SDKs read them."""
    return {
        "messageId": sent["messageId"],
        "campaignId": sent["campaignId"],
        "createdAt": _millis(sent["createdAt"]),
        "expiresAt": _millis(sent["expiresAt"]),
        "content": {
            "html": "<html><body>Hi</body></html>",
            "inAppDisplaySettings": {"top": {"percentage": 0}, "bottom": {"displayOption": "AutoExpand"}},
            "webInAppDisplaySettings": {"position": "Center"},
        },
        "customPayload": {},
        "trigger": {"type": "immediate"},
        "saveToInbox": sent["messageContext"]["saveToInbox"],
        "inboxMetadata": {"title": sent.get("campaignName") or "News", "subtitle": "", "icon": ""},
        "priorityLevel": sent["priorityLevel"],
        "read": read,
        "jsonOnly": False,
        "messageType": {},
        "typeOfContent": {},
    }


def _millis(text: str) -> int:
    return int(read_moment(text).timestamp() * 1000)


def _now(world: World) -> int:
    return int(world.now().timestamp() * 1000)
