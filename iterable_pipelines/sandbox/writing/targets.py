"""Messages to one person: email/target and its like, and their cancelling; none is idempotent (api.md 6.5, 6.7)."""

from starlette.responses import Response

from iterable_pipelines.sandbox.bodies import Shape
from iterable_pipelines.sandbox.errors import Refused, bad_params
from iterable_pipelines.sandbox.everybody import identity
from iterable_pipelines.sandbox.identify import Failure, trimmed
from iterable_pipelines.sandbox.world import World
from iterable_pipelines.sandbox.writing.call import Call, Write, single_failure, success
from iterable_pipelines.sandbox.writing.sending import Person, Sending, moment_of
from iterable_pipelines.sandbox.written import Scheduled

MEDIUM = {
    "email": "Email",
    "push": "Push",
    "sms": "SMS",
    "inApp": "InApp",
    "webPush": "WebPush",
    "whatsApp": "WhatsApp",
}
MAKES_PEOPLE = ("email", "inApp")
FARTHEST = 365 * 86_400  # seconds
TARGET = Shape(
    dict.fromkeys(("recipientEmail", "recipientUserId", "sendAt"), "String")
    | {"campaignId": "Number", "dataFields": "Object", "metadata": "Object", "allowRepeatMarketingSends": "Boolean"},
    ("campaignId",),
)
CANCEL = Shape(
    dict.fromkeys(("email", "userId"), "String") | dict.fromkeys(("campaignId", "scheduledMessageId"), "Number")
)


def target_writes(world: World) -> list[Write]:
    """target and cancel of every medium."""
    targets = Targets(world)
    return [
        write
        for path in MEDIUM
        for write in (
            Write("POST", f"{path}/target", TARGET, targets.target),
            Write("POST", f"{path}/cancel", CANCEL, targets.cancel),
        )
    ]


class Targets:
    """Sends to single people of one world."""

    def __init__(self, world: World):
        self.world, self.sending = world, Sending(world)

    def target(self, call: Call) -> Response:
        """POST {medium}/target: now or at sendAt; email and inApp make whom they do not know."""
        asked, path = call.asked, call.path.split("/")[-2]
        campaign = self.sending.active(asked["campaignId"])
        if campaign.medium != MEDIUM[path]:
            raise Refused(bad_params(f"Campaign is not of this medium. Id: {campaign.id}"))
        now = self.world.now().timestamp()
        due = moment.timestamp() if (moment := moment_of(call, "sendAt")) else now
        if due - now > FARTHEST:
            raise Refused(bad_params("sendAt must be no more than 365 days ahead"))
        person = self._person(asked.get("recipientEmail"), asked.get("recipientUserId"), path in MAKES_PEOPLE)
        repeat, name = asked.get("allowRepeatMarketingSends") is not False, person[0] or person[1] or ""
        if call.is_lost(self.world, name):
            return success()
        message = Scheduled(len(self.world.written.scheduled) + 1, campaign.id, name)
        self.world.written.scheduled.append(message)

        def go_out() -> None:
            if not message.over:
                message.over = True
                self.sending.send(call.path, campaign, [person], max(due, now), repeat)

        if due > now:
            self.world.pipelines.schedule(due, go_out)
        else:
            go_out()
        return success()

    def cancel(self, call: Call) -> Response:
        """POST {medium}/cancel: by campaign and person, or by the message's number; 400 if nothing is waiting."""
        asked = call.asked
        name = trimmed(asked.get("email")) or asked.get("userId")
        if asked.get("scheduledMessageId") is None and not (asked.get("campaignId") and name):
            raise Refused(bad_params("campaignId and email or userId, or scheduledMessageId, are required"))
        found = [
            each
            for each in self.world.written.scheduled
            if not each.over
            and (
                each.id == asked.get("scheduledMessageId")
                or (each.campaign_id, each.name) == (asked.get("campaignId"), name)
            )
        ]
        if not found:
            raise Refused(bad_params("No scheduled message found"))
        for each in found:
            each.over = not call.is_lost(self.world, each.name)
        return success()

    def _person(self, email: str | None, user_id: str | None, make: bool) -> Person:
        """Who is meant. Raises Refused for nobody, or for somebody unknown where such a message makes no one."""
        if not email and not user_id:
            raise Refused(bad_params("recipientEmail or recipientUserId is required"))
        who = self.world.identify({"email": email, "userId": user_id, "preferUserId": True}, must_exist=not make)
        if isinstance(who, Failure):
            raise Refused(single_failure(who))
        profile = who.profile or self.world.everybody.create(who.names)
        names = identity(self.world.everybody.read(profile))
        return names.get("email"), names.get("userId")
