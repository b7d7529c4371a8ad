"""Static lists: created, deleted, joined and left (api.md 6.3)."""

from collections.abc import Callable
from typing import Any

from starlette.responses import JSONResponse, Response

from iterable_pipelines.sandbox.errors import Refused, bad_params, invalid_list, refusal
from iterable_pipelines.sandbox.identify import Row
from iterable_pipelines.sandbox.objects import LIVE
from iterable_pipelines.sandbox.people import CHANNEL_IDS, FIRST_WRITTEN_LIST
from iterable_pipelines.sandbox.profiles import Fields
from iterable_pipelines.sandbox.writing.call import Call, success
from iterable_pipelines.sandbox.writing.events import Events
from iterable_pipelines.sandbox.writing.users import Change, Users

Ids = list[int]


class Lists:
    """Lists and who is on them."""

    def __init__(self, users: Users, events: Events):
        self.users, self.events, self.world = users, events, users.world

    def create(self, call: Call) -> Response:
        """POST lists: names need not be unique (api.md 6.7)."""
        lists: list[dict[str, Any]] = self.world.objects.lists
        list_id = max([FIRST_WRITTEN_LIST, *(each["id"] + 1 for each in lists)])
        moment = int(self.world.now().timestamp() * 1000)
        fields = {"id": list_id, "name": call.asked["name"], "createdAt": moment, "listType": "Standard"}
        described = {"description": call.asked["description"]} if call.asked.get("description") else {}
        lists.append(fields | described)
        return JSONResponse({"listId": list_id})

    def delete(self, call: Call) -> Response:
        """DELETE lists/{id}: 409 while a campaign still sends to it."""
        lists, list_id = self.world.objects.lists, call.at["id"]
        if list_id not in (each["id"] for each in lists):
            return invalid_list(list_id)
        for campaign in self.world.objects.campaigns(int(self.world.now().timestamp())):
            if campaign.state in LIVE and list_id in campaign.list_ids + campaign.suppression_list_ids:
                return refusal(409, "GenericError", f"List {list_id} is in use")
        lists[:] = [each for each in lists if each["id"] != list_id]
        return success(f"List {list_id} deleted")

    def subscribe(self, call: Call) -> Response:
        """POST lists/subscribe: makes unknown people unless updateExistingUsersOnly, which email projects ignore."""
        only_known = bool(call.asked.get("updateExistingUsersOnly")) and self.world.project_type != "email"
        list_id = self._static(call)
        return self._members(call, lambda ids: sorted({*ids, list_id}), "emailSubscribe", only_known)

    def unsubscribe(self, call: Call) -> Response:
        """POST lists/unsubscribe: unknown people are failures."""
        list_id = self._static(call)
        return self._members(call, lambda ids: [each for each in ids if each != list_id], "emailUnSubscribe", True)

    def _static(self, call: Call) -> int:
        """The id of the list asked for. Raises Refused if there is none, or if it cannot be written."""
        list_id: int = call.asked["listId"]
        kinds = [each["listType"] for each in self.world.objects.lists if each["id"] == list_id]
        if not kinds:
            raise Refused(invalid_list(list_id))
        if kinds != ["Standard"]:
            raise Refused(bad_params(f"List {list_id} is not a static list: {kinds[0]}"))
        return list_id

    def _members(self, call: Call, step: Callable[[Ids], Ids], data_type: str, must_exist: bool) -> Response:
        key, list_id = self.world.everybody.list_key, call.asked["listId"]
        everything = bool(call.asked.get("channelUnsubscribe")) and data_type == "emailUnSubscribe"

        joining = self.world.rules.resubscribes and data_type == "emailSubscribe"

        def lists(row: Row, before: Fields) -> Fields:
            after: Fields = {key: step(before.get(key) or [])}
            left = before.get("unsubscribedChannelIds") or []
            if everything:
                after["unsubscribedChannelIds"] = sorted({*left, CHANNEL_IDS[1]})
            elif joining and CHANNEL_IDS[1] in left:
                after["unsubscribedChannelIds"] = [each for each in left if each != CHANNEL_IDS[1]]
            return after

        def told(row: Row, before: Fields) -> None:
            if (list_id in (before.get(key) or [])) is (data_type == "emailUnSubscribe"):
                source = {"signupSource" if data_type == "emailSubscribe" else "unsubSource": "ListAPI"}
                own: dict[str, Any] = {"emailListIds": [list_id], "channelIds": [CHANNEL_IDS[1]] if everything else []}
                names = {name: row.get(name) for name in ("email", "userId")}
                self.events.record(data_type, names, source | own)

        change = Change(lists, must_exist, "ListAPI", told)
        return self.users.write(call, "bulk", call.asked["subscribers"], change=change).as_users()
