"""workflows/triggerWorkflow: a person, or everybody on a list, enters a journey; not idempotent (api.md 6.5, 6.7)."""

from starlette.responses import Response

from iterable_pipelines.sandbox.bodies import WHO, Shape
from iterable_pipelines.sandbox.errors import Refused, bad_params
from iterable_pipelines.sandbox.everybody import identity
from iterable_pipelines.sandbox.identify import Failure
from iterable_pipelines.sandbox.world import World
from iterable_pipelines.sandbox.writing.call import Call, Write, single_failure, success
from iterable_pipelines.sandbox.writing.sending import Sending
from iterable_pipelines.sandbox.written import Send

TRIGGER = Shape(WHO | {"workflowId": "Number", "listId": "Number", "dataFields": "Object"}, ("workflowId",))


def journey_writes(world: World) -> list[Write]:
    """The one write of workflows/."""
    return [Write("POST", "workflows/triggerWorkflow", TRIGGER, Journeys(world).trigger)]


class Journeys:
    """Lets people into the journeys of one world."""

    def __init__(self, world: World):
        self.world, self.sending = world, Sending(world)
        self._busy: dict[tuple[int, int], float] = {}  # journey and list, until when

    def trigger(self, call: Call) -> Response:
        """POST workflows/triggerWorkflow: a list only when its last trigger of this journey is over."""
        asked, world = call.asked, self.world
        journey = next((each for each in world.objects.journeys if each["id"] == asked["workflowId"]), None)
        if journey is None or journey["isArchived"] or not journey["enabled"]:
            raise Refused(bad_params(f"Workflow not found or not active. Id: {asked['workflowId']}"))
        list_id, now = asked.get("listId"), world.now()
        lists: tuple[int, ...] = (list_id,) if list_id is not None else ()
        if bool(lists) == bool(asked.get("email") or asked.get("userId")):
            raise Refused(bad_params("Either listId, or email or userId, is required"))
        if lists:
            self.sending.check_lists(lists)
            if self._busy.get((journey["id"], lists[0]), 0) > now.timestamp():
                raise Refused(bad_params(f"List {list_id} is already being triggered"))
            people = self.sending.members(lists)
        else:
            who = world.identify(asked, must_exist=True)
            if isinstance(who, Failure) or who.profile is None:
                raise Refused(single_failure(who) if isinstance(who, Failure) else bad_params("Unknown user"))
            names = identity(world.everybody.read(who.profile))
            people = [(names.get("email"), names.get("userId"))]
        if not call.is_lost(world, str(journey["id"])):
            if lists:
                self._busy[journey["id"], lists[0]] = now.timestamp() + world.rules.delay("bulk")
            recipients = tuple(email or user_id or "" for email, user_id in people)
            world.written.sends.append(Send(call.path, journey["id"], recipients, now, lists))
        return success()
