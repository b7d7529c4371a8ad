"""Which path takes which body and does what: the table of every write the sandbox has."""

import json
from collections.abc import Callable
from typing import NoReturn

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from iterable_pipelines.sandbox.bodies import DEVICE, EVENT, ITEM, PERSON, SUBSCRIPTIONS, WHO, Shape, check
from iterable_pipelines.sandbox.errors import Refused, refusal
from iterable_pipelines.sandbox.identify import Row
from iterable_pipelines.sandbox.world import World
from iterable_pipelines.sandbox.writing.call import Call, Write
from iterable_pipelines.sandbox.writing.campaigns import campaign_writes
from iterable_pipelines.sandbox.writing.catalogs import catalog_writes
from iterable_pipelines.sandbox.writing.commerce import Commerce
from iterable_pipelines.sandbox.writing.devices import Devices
from iterable_pipelines.sandbox.writing.events import Events
from iterable_pipelines.sandbox.writing.identities import Identities
from iterable_pipelines.sandbox.writing.journeys import journey_writes
from iterable_pipelines.sandbox.writing.lists import Lists
from iterable_pipelines.sandbox.writing.metadata import metadata_writes
from iterable_pipelines.sandbox.writing.snippets import snippet_writes
from iterable_pipelines.sandbox.writing.subscription_groups import subscription_group_writes
from iterable_pipelines.sandbox.writing.subscriptions import Subscriptions
from iterable_pipelines.sandbox.writing.targets import target_writes
from iterable_pipelines.sandbox.writing.templates import template_writes
from iterable_pipelines.sandbox.writing.users import Users

LARGEST_BODY = 4_000_000
PURCHASE = {"id": "String", "createdAt": "Number", "campaignId": "Number", "templateId": "Number"}
MEMBERS = {"listId": "Number", "updateExistingUsersOnly": "Boolean", "channelUnsubscribe": "Boolean"}
MERGE = dict.fromkeys(("sourceEmail", "sourceUserId", "destinationEmail", "destinationUserId"), "String")
ARRAY_MERGE = Shape({"field": "String", "dedupeBy": "String"}, ("field",))


def write_routes(world: World) -> list[Route]:
    """The routes of every write, each through the same door: body read and checked, one write at a time."""

    def route(write: Write) -> Route:
        def answer(body: bytes, request: Request) -> Response:
            path, fault = request.url.path, getattr(request.state, "fault", None)
            try:
                asked = _read(body, write.shape, path) if write.shape else {}
                call = Call(path, asked, fault, request.path_params, request.query_params)
                with world.written.lock:
                    world.settle()
                    return write.answer(call)
            except Refused as refused:
                return refused.answer

        async def respond(request: Request) -> Response:
            body = await request.body()
            if len(body) > LARGEST_BODY:
                return refusal(413, "BatchTooLarge", "Request body is larger than 4 MB")
            return await run_in_threadpool(answer, body, request)

        return Route(f"/api/{write.path}", respond, methods=[write.method])

    return [route(each) for writes in WRITES for each in writes(world)]


def _read(body: bytes, shape: Shape, path: str) -> Row:
    """The body as JSON. Raises Refused if it is none, or not of the shape."""
    try:
        asked: Row = json.loads(body, parse_constant=_no_number)
    except ValueError as wrong:
        raise Refused(refusal(400, "BadJsonBody", f"[{path}] Invalid JSON body", {"obj": str(wrong)})) from wrong
    check(shape, asked, path)
    return asked


def people_writes(world: World) -> list[Write]:
    """Users, events, purchases, carts, lists, subscriptions and devices."""
    users, events, identities = Users(world), Events(world), Identities(world)
    commerce, lists, devices = Commerce(users, events), Lists(users, events), Devices(users)
    subscriptions = Subscriptions(users)
    posts: dict[str, tuple[Shape, Callable[[Call], Response]]] = {
        "users/update": (PERSON, users.update),
        "users/bulkUpdate": (Shape({"users": [PERSON], "createNewFields": "Boolean"}, ("users",)), users.bulk_update),
        "users/updateEmail": (
            Shape(dict.fromkeys(("currentEmail", "currentUserId", "newEmail"), "String"), ("newEmail",)),
            identities.update_email,
        ),
        "users/merge": (Shape(MERGE | {"arrayMerge": [ARRAY_MERGE]}), identities.merge),
        "users/forget": (Shape(WHO), identities.forget),
        "users/unforget": (Shape(WHO), identities.unforget),
        "users/updateSubscriptions": (SUBSCRIPTIONS, subscriptions.update),
        "users/bulkUpdateSubscriptions": (
            Shape({"updateSubscriptionsRequests": [SUBSCRIPTIONS]}, ("updateSubscriptionsRequests",)),
            subscriptions.bulk_update,
        ),
        "users/registerDeviceToken": (
            Shape(WHO | {"preferUserId": "Boolean", "device": DEVICE}, ("device",)),
            devices.register,
        ),
        "users/registerBrowserToken": (
            Shape(WHO | {"browserToken": "String"}, ("browserToken",)),
            devices.register_browser,
        ),
        "users/disableDevice": (Shape(WHO | {"token": "String"}, ("token",)), devices.disable),
        "events/track": (EVENT, events.track),
        "events/trackBulk": (Shape({"events": [EVENT]}, ("events",)), events.track_bulk),
        "commerce/trackPurchase": (
            Shape(
                PURCHASE | {"user": PERSON, "items": [ITEM], "total": "Number", "dataFields": "Object"},
                ("user", "items", "total"),
            ),
            commerce.track_purchase,
        ),
        "commerce/updateCart": (Shape({"user": PERSON, "items": [ITEM]}, ("user", "items")), commerce.update_cart),
        "lists": (Shape({"name": "String", "description": "String"}, ("name",)), lists.create),
        "lists/subscribe": (Shape(MEMBERS | {"subscribers": [PERSON]}, ("listId", "subscribers")), lists.subscribe),
        "lists/unsubscribe": (Shape(MEMBERS | {"subscribers": [PERSON]}, ("listId", "subscribers")), lists.unsubscribe),
    }
    return [
        *(Write("POST", path, shape, answer) for path, (shape, answer) in posts.items()),
        Write("DELETE", "users/byUserId/{user_id:path}", None, identities.delete),
        Write("DELETE", "users/{email:path}", None, identities.delete),
        Write("DELETE", "lists/{id:int}", None, lists.delete),
    ]


def _no_number(text: str) -> NoReturn:
    """NaN and the infinities are not JSON."""
    raise ValueError(f"Unexpected token {text}")


WRITES = (
    people_writes,
    catalog_writes,
    template_writes,
    campaign_writes,
    target_writes,
    journey_writes,
    snippet_writes,
    metadata_writes,
    subscription_group_writes,
)
