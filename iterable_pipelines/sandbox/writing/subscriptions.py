"""users/updateSubscriptions and users/bulkUpdateSubscriptions: every array given overwrites the one before."""

from starlette.responses import JSONResponse, Response

from iterable_pipelines.sandbox.bodies import SUBSCRIPTION_ARRAYS
from iterable_pipelines.sandbox.errors import Refused, bad_params
from iterable_pipelines.sandbox.identify import Failure, Row
from iterable_pipelines.sandbox.profiles import Fields
from iterable_pipelines.sandbox.writing.call import Call, single_failure, success
from iterable_pipelines.sandbox.writing.users import Change, Users


class Subscriptions:
    """Who wants which lists, channels and message types."""

    def __init__(self, users: Users):
        self.users, self.world = users, users.world

    def update(self, call: Call) -> Response:
        """POST users/updateSubscriptions."""
        self._aligned(call.asked)
        self.users.write(call, "single", [call.asked | {"dataFields": None}], change=self._change()).raise_single()
        return success()

    def bulk_update(self, call: Call) -> Response:
        """POST users/bulkUpdateSubscriptions: 409 for all if one row means two people (api.md 6.1)."""
        rows = [row | {"dataFields": None} for row in call.asked["updateSubscriptionsRequests"]]
        for row in rows:
            self._aligned(row)
            who = self.world.identify(row)
            if isinstance(who, Failure) and who.reason == "conflict":
                raise Refused(single_failure(who))
        outcome = self.users.write(call, "bulk", rows, change=self._change())

        def named(kind: str, malformed: bool) -> list[str]:
            found = [each for each in outcome.failed if each.kind == kind]
            return [each.name for each in found if (each.reason == "invalid") is malformed]

        return JSONResponse(
            {
                "successCount": outcome.done,
                "failCount": len(outcome.failed),
                "invalidEmails": named("Emails", True),
                "invalidUserIds": named("UserIds", True),
                "validEmailFailures": named("Emails", False),
                "validUserIdFailures": named("UserIds", False),
            }
        )

    def _change(self) -> Change:
        lists = self.world.everybody.list_key

        def arrays(row: Row, before: Fields) -> Fields:
            given = {name: row[name] for name in SUBSCRIPTION_ARRAYS if row.get(name) is not None}
            return {lists if name == "emailListIds" else name: value for name, value in given.items()}

        return Change(arrays)

    def _aligned(self, row: Row) -> None:
        """Raise Refused if a message type is subscribed whose channel the same row unsubscribes."""
        if row.get("validateChannelAlignment") is False:
            return
        left = set(row.get("unsubscribedChannelIds") or ())
        wanted = set(row.get("subscribedMessageTypeIds") or ())
        for each in self.world.objects.message_types:
            if each["id"] in wanted and each["channelId"] in left:
                raise Refused(bad_params(f"Message type {each['id']} belongs to an unsubscribed channel"))
