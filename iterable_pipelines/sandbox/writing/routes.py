"""Which path takes which body and does what: the table of every write the sandbox has."""

import json
from collections.abc import Callable
from typing import Any, NoReturn

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from iterable_pipelines.sandbox.bodies import DEVICE, EVENT, ITEM, PERSON, SUBSCRIPTIONS, WHO, Shape, check
from iterable_pipelines.sandbox.errors import Refused, refusal
from iterable_pipelines.sandbox.world import World
from iterable_pipelines.sandbox.writing.call import Call
from iterable_pipelines.sandbox.writing.commerce import Commerce
from iterable_pipelines.sandbox.writing.devices import Devices
from iterable_pipelines.sandbox.writing.events import Events
from iterable_pipelines.sandbox.writing.identities import Identities
from iterable_pipelines.sandbox.writing.lists import Lists
from iterable_pipelines.sandbox.writing.subscriptions import Subscriptions
from iterable_pipelines.sandbox.writing.users import Users

LARGEST_BODY = 4_000_000
PURCHASE = {"id": "String", "createdAt": "Number", "campaignId": "Number", "templateId": "Number"}
MEMBERS = {"listId": "Number", "updateExistingUsersOnly": "Boolean", "channelUnsubscribe": "Boolean"}
MERGE = dict.fromkeys(("sourceEmail", "sourceUserId", "destinationEmail", "destinationUserId"), "String")
ARRAY_MERGE = Shape({"field": "String", "dedupeBy": "String"}, ("field",))
Write = Callable[[Call], Response]


def write_routes(world: World) -> list[Route]:
    """The routes that write users, events, purchases, carts, lists, subscriptions and devices."""
    users, events, identities = Users(world), Events(world), Identities(world)
    commerce, lists, devices = Commerce(users, events), Lists(users, events), Devices(users)
    subscriptions = Subscriptions(users)
    writes: dict[str, tuple[Shape, Write]] = {
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

    def answer(write: Write, call: Call) -> Response:
        with world.written.lock:
            world.settle()
            try:
                return write(call)
            except Refused as refused:
                return refused.answer

    def post(path: str, shape: Shape, write: Write) -> Route:
        def read(body: bytes, request: Request) -> Response:
            try:
                asked = json.loads(body, parse_constant=_no_number)
                check(shape, asked, path)
            except Refused as refused:
                return refused.answer
            except ValueError as wrong:
                return refusal(400, "BadJsonBody", f"[{path}] Invalid JSON body", {"obj": str(wrong)})
            return answer(write, Call(path, asked, _fault(request)))

        async def respond(request: Request) -> Response:
            body = await request.body()
            if len(body) > LARGEST_BODY:
                return refusal(413, "BatchTooLarge", "Request body is larger than 4 MB")
            return await run_in_threadpool(read, body, request)

        return Route(path, respond, methods=["POST"])

    def delete_user(request: Request) -> Response:
        names = request.path_params
        return answer(
            lambda call: identities.delete(names.get("email"), names.get("user_id"), call), _empty_call(request)
        )

    def delete_list(request: Request) -> Response:
        return answer(lambda call: lists.delete(request.path_params["id"]), _empty_call(request))

    return [
        *(post(f"/api/{path}", shape, write) for path, (shape, write) in writes.items()),
        Route("/api/users/byUserId/{user_id:path}", delete_user, methods=["DELETE"]),
        Route("/api/users/{email:path}", delete_user, methods=["DELETE"]),
        Route("/api/lists/{id:int}", delete_list, methods=["DELETE"]),
    ]


def _fault(request: Request) -> Any:
    return getattr(request.state, "fault", None)


def _empty_call(request: Request) -> Call:
    return Call(request.url.path, {}, _fault(request))


def _no_number(text: str) -> NoReturn:
    """NaN and the infinities are not JSON."""
    raise ValueError(f"Unexpected token {text}")
