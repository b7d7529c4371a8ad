"""subscriptions/{group}/{id}: one list, channel or message type at a time; few projects have it (api.md 1.3, 6.5)."""

from typing import Any

from starlette.responses import JSONResponse, Response

from iterable_pipelines.sandbox.bodies import Shape
from iterable_pipelines.sandbox.errors import Refused, bad_params, not_found
from iterable_pipelines.sandbox.identify import Row
from iterable_pipelines.sandbox.profiles import Fields
from iterable_pipelines.sandbox.world import World
from iterable_pipelines.sandbox.writing.call import Call, Outcome, Write
from iterable_pipelines.sandbox.writing.users import Change, Users

GROUPS = ("emailList", "messageType", "messageChannel")
ACTIONS = ("subscribe", "unsubscribe")
MANY = Shape({"users": ["String"], "usersByUserId": ["String"]})


def subscription_group_writes(world: World) -> list[Write]:
    """Every write of subscriptions/ but the double opt-in."""
    groups = SubscriptionGroups(Users(world))
    path = "subscriptions/{group}/{id:int}"
    return [
        Write("PUT", path, MANY, groups.many),
        *(
            Write(method, f"{path}/{name}", None, answer)
            for method, answer in (("PATCH", groups.subscribe), ("DELETE", groups.unsubscribe))
            for name in ("user/{email}", "byUserId/{user_id}")
        ),
    ]


class SubscriptionGroups:
    """Subscribes people of one world to single groups, and unsubscribes them."""

    def __init__(self, users: Users):
        self.users, self.world = users, users.world

    def many(self, call: Call) -> Response:
        """PUT …?action=subscribe or unsubscribe: whoever is unknown is left out in silence."""
        action = call.query.get("action", "")
        if action not in ACTIONS:
            raise Refused(bad_params(f"Invalid action: {action}"))
        rows = [{"email": each} for each in call.asked.get("users") or ()]
        rows += [{"userId": each} for each in call.asked.get("usersByUserId") or ()]
        self._write(call, rows, action)
        return _accepted(action)

    def subscribe(self, call: Call) -> Response:
        """PATCH …/user/{email} or …/byUserId/{userId}."""
        return self._one(call, "subscribe")

    def unsubscribe(self, call: Call) -> Response:
        """DELETE …/user/{email} or …/byUserId/{userId}."""
        return self._one(call, "unsubscribe")

    def _one(self, call: Call, action: str) -> Response:
        self._write(call, [{"email": call.at.get("email"), "userId": call.at.get("user_id")}], action).raise_single()
        return _accepted(action)

    def _write(self, call: Call, rows: list[Row], action: str) -> Outcome:
        if not self.world.rules.subscription_groups:
            raise Refused(not_found("Endpoint not found"))
        key, wanted = self._array(call.at["group"], call.at["id"], action == "subscribe")
        number = call.at["id"]

        def array(row: Row, before: Fields) -> Fields:
            kept = [each for each in before.get(key) or () if each != number]
            return {key: sorted([*kept, number]) if wanted else kept}

        return self.users.write(call, "bulk", rows, change=Change(array, must_exist=True))

    def _array(self, group: str, number: int, subscribe: bool) -> tuple[str, bool]:
        """The array of a profile that says it, and whether the number belongs there. Raises Refused for what is not."""
        objects = self.world.objects
        known: dict[str, list[dict[str, Any]]] = dict(
            zip(GROUPS, (objects.lists, objects.message_types, objects.channels), strict=True)
        )
        found = next((each for each in known.get(group, ()) if each["id"] == number), None)
        if found is None:
            raise Refused(bad_params(f"Invalid subscription group: {group}/{number}"))
        if group == "emailList":
            return self.world.everybody.list_key, subscribe
        if group == "messageChannel":
            return "unsubscribedChannelIds", not subscribe
        if found["subscriptionPolicy"] == "OptIn":
            return "subscribedMessageTypeIds", subscribe
        return "unsubscribedMessageTypeIds", not subscribe


def _accepted(action: str) -> Response:
    """202 with a code that no list of codes has (api.md 1.3)."""
    return JSONResponse({"msg": f"Accepted a request to {action}", "code": "Accepted", "params": None}, 202)
