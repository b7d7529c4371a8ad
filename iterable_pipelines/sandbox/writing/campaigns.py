"""Campaigns: created, scheduled, sent, triggered, stopped and archived (api.md 1.4, 5.1, 6.5; outbound 4.2)."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from starlette.responses import JSONResponse, Response

from iterable_pipelines.sandbox.bodies import Shape
from iterable_pipelines.sandbox.errors import Refused, bad_params, refusal
from iterable_pipelines.sandbox.objects import SOON, Campaign
from iterable_pipelines.sandbox.world import World
from iterable_pipelines.sandbox.writing.call import Call, Write, success
from iterable_pipelines.sandbox.writing.sending import Sending, moment_of

FARTHEST = 7 * 86_400  # seconds
NOT_SENT_YET = ("Draft", "Ready", "Scheduled")
ONE = Shape({"campaignId": "Number"}, ("campaignId",))
TIMES = dict.fromkeys(("sendAt", "sendMode", "startTimeZone", "defaultTimeZone"), "String")
DATA = dict.fromkeys(("dataFields", "campaignDataFields"), "Object")
LISTS = {"listIds": ["Number"], "suppressionListIds": ["Number"]}
NEW = Shape(
    {"name": "String", "templateId": "Number", "scheduleSend": "Boolean"} | LISTS | TIMES | DATA, ("name", "templateId")
)
TRIGGER = Shape(
    {"campaignId": "Number", "allowRepeatMarketingSends": "Boolean", "dataFields": "Object"} | LISTS,
    ("campaignId", "listIds"),
)
ZONES = Shape(dict.fromkeys(("startTimeZone", "defaultTimeZone"), "String"), ("startTimeZone", "defaultTimeZone"))


def campaign_writes(world: World) -> list[Write]:
    """Every write of campaigns/."""
    campaigns = CampaignWrites(world)
    at = Shape({"sendAt": "String", "recipientTimeZone": ZONES}, ("sendAt",))
    return [
        Write("POST", "campaigns/create", NEW, campaigns.create),
        Write("POST", "campaigns/trigger", TRIGGER, campaigns.trigger),
        Write("POST", "campaigns/abort", ONE, campaigns.abort),
        Write("POST", "campaigns/cancel", ONE, campaigns.cancel),
        Write("POST", "campaigns/activateTriggered", ONE, campaigns.activate),
        Write("POST", "campaigns/deactivateTriggered", ONE, campaigns.deactivate),
        Write("POST", "campaigns/archive", Shape({"campaignIds": ["Number"]}, ("campaignIds",)), campaigns.archive),
        Write("POST", "campaigns/{id:int}/schedule", at, campaigns.schedule),
        Write("POST", "campaigns/{id:int}/send", None, campaigns.send),
    ]


class CampaignWrites:
    """Writes campaigns of one world."""

    def __init__(self, world: World):
        self.world, self.objects, self.sending = world, world.objects, Sending(world)

    def create(self, call: Call) -> Response:
        """POST campaigns/create: with lists a blast, which goes out unless scheduleSend is false."""
        asked, world = call.asked, self.world
        template = world.templates.find(int(asked["templateId"]))
        if template is None:
            raise Refused(bad_params(f"Template not found: {asked['templateId']}"))
        lists, left_out = tuple(asked.get("listIds") or ()), tuple(asked.get("suppressionListIds") or ())
        self.sending.check_lists(lists + left_out)
        due = moment_of(call, "sendAt") or world.now()
        number, kind = self.objects.next_campaign(), "Blast" if lists else "Triggered"
        if call.is_lost(world, asked["name"]):
            return JSONResponse({"campaignId": number})
        # the template is copied, and the copy keeps the id that clients gave the original
        copy = world.templates.make(template.medium, kind, template.content, number)
        channels = {each["id"]: each["channelId"] for each in self.objects.message_types}
        now = self._now()
        self.objects.written[number] = Campaign(
            id=number,
            name=asked["name"],
            medium=template.medium,
            type=kind,
            # activating is a right that few projects have: a triggered campaign made here is ready to be triggered
            state="Draft" if lists else "Running",
            template_id=copy.id,
            template_name=copy.content["name"],
            template_type=kind,
            channel_id=channels[template.content["messageTypeId"]],
            message_type_id=template.content["messageTypeId"],
            content_id=12_029_000 + number,
            created=now // 1000,
            workflow_id=None,
            workflow_name=None,
            experience_id=None,
            list_ids=lists,
            suppression_list_ids=left_out,
            updated=now,
        )
        if lists and asked.get("scheduleSend") is not False:
            self._send_at(call, self._find(number), due)
        return JSONResponse({"campaignId": number})

    def schedule(self, call: Call) -> Response:
        """POST campaigns/{id}/schedule: a right of few projects; at most seven days ahead."""
        if not self.world.rules.may_schedule:
            raise Refused(refusal(403, "Forbidden", "API scheduling campaigns is not enabled for your project"))
        campaign = self._blast(call, "schedule")
        due = moment_of(call, "sendAt") or self.world.now()
        ahead = (due - self.world.now()).total_seconds()
        if not 0 < ahead <= FARTHEST:
            raise Refused(bad_params("sendAt must be in the future, and no more than 7 days ahead"))
        if not call.is_lost(self.world, str(campaign.id)):
            self._send_at(call, campaign, due)
        return success()

    def send(self, call: Call) -> Response:
        """POST campaigns/{id}/send: now."""
        campaign = self._blast(call, "send")
        if not call.is_lost(self.world, str(campaign.id)):
            self._send_at(call, campaign, self.world.now())
        return success()

    def trigger(self, call: Call) -> Response:
        """POST campaigns/trigger: whoever is on the lists now gets it, again if it was triggered before."""
        asked, campaign = call.asked, self.sending.active(call.asked["campaignId"])
        lists, left_out = asked["listIds"], asked.get("suppressionListIds") or []
        if not lists:
            raise Refused(bad_params("listIds must not be empty"))
        self.sending.check_lists([*lists, *left_out])
        if not call.is_lost(self.world, str(campaign.id)):
            repeat = asked.get("allowRepeatMarketingSends") is not False
            now = self.world.now().timestamp()
            self.sending.to_lists(call.path, campaign, lists, left_out, now, repeat)
            if self.world.rules.trigger_moves_campaign:
                self._change(campaign)
        return success()

    def abort(self, call: Call) -> Response:
        """POST campaigns/abort: what is running stops."""
        return self._stop(call, "abort", {"Running": "Aborted", "Starting": "Aborted"})

    def cancel(self, call: Call) -> Response:
        """POST campaigns/cancel: what is scheduled or recurring goes out no more."""
        return self._stop(call, "cancel", {"Scheduled": "Draft", "Recurring": "Finished"})

    def activate(self, call: Call) -> Response:
        """POST campaigns/activateTriggered: a right of few projects."""
        return self._switch(call, "activation", {"Draft": "Running", "Ready": "Running"})

    def deactivate(self, call: Call) -> Response:
        """POST campaigns/deactivateTriggered: a right of few projects."""
        return self._switch(call, "deactivation", {"Running": "Ready"})

    def archive(self, call: Call) -> Response:
        """POST campaigns/archive: running ones are aborted, scheduled and recurring ones cancelled."""
        done: list[int] = []
        failed: list[int] = []
        for asked in call.asked["campaignIds"]:
            campaign = self.objects.campaign(int(asked))
            (done if campaign else failed).append(asked)
            if campaign and campaign.state != "Archived" and not call.is_lost(self.world, str(asked)):
                self._change(campaign, state="Archived")
        return JSONResponse({"success": done, "failed": failed})

    def _send_at(self, call: Call, campaign: Campaign, due: datetime) -> None:
        """Let a blast begin at `due`, or at once."""
        if due <= self.world.now():
            self._begin(call.path, campaign, self.world.now().timestamp())
            return
        planned = self._change(campaign, state="Scheduled", started=int(due.timestamp() * 1000))

        def begin() -> None:
            now = self._find(campaign.id)
            if (now.state, now.started) == (planned.state, planned.started):
                self._begin(call.path, now, due.timestamp())

        self.world.pipelines.schedule(due.timestamp(), begin)

    def _begin(self, path: str, campaign: Campaign, due: float) -> None:
        lists, left_out, lasts = campaign.list_ids, campaign.suppression_list_ids, self.world.rules.blast_seconds
        sent = self.sending.to_lists(path, campaign, lists, left_out, due, repeat=True)
        running = self._change(
            campaign, state="Running", started=int(due * 1000), ended=None, send_size=len(sent.recipients)
        )

        def finish() -> None:
            # an end does not move updatedAt (api.md 5.1)
            if self._find(campaign.id) == running:
                ended = replace(running, state="Finished", ended=int((due + lasts) * 1000))
                self.objects.written[campaign.id] = ended

        if lasts:
            self.world.pipelines.schedule(due + lasts, finish)
        else:
            finish()

    def _stop(self, call: Call, verb: str, states: dict[str, str]) -> Response:
        campaign = self.sending.campaign(call.asked["campaignId"])
        if campaign.state not in states:
            raise Refused(refusal(400, "GenericError", f"Campaign {verb} failed. Id: {campaign.id}"))
        if not call.is_lost(self.world, str(campaign.id)):
            self._change(campaign, state=states[campaign.state])
        return success()

    def _switch(self, call: Call, noun: str, states: dict[str, str]) -> Response:
        if not self.world.rules.may_activate:
            message = f"API triggered campaign {noun} is not enabled for your project"
            raise Refused(refusal(403, "Forbidden", message))
        self.sending.triggered(call.asked["campaignId"])
        return self._stop(call, noun, states)

    def _blast(self, call: Call, verb: str) -> Campaign:
        campaign = self.sending.campaign(call.at["id"])
        if campaign.type != "Blast" or campaign.state not in NOT_SENT_YET:
            raise Refused(refusal(400, "GenericError", f"Campaign {verb} failed. Id: {campaign.id}"))
        return campaign

    def _find(self, number: int) -> Campaign:
        found = self.objects.campaign(number)
        if found is None:
            raise AssertionError("campaigns are archived, never deleted")
        return found

    def _change(self, campaign: Campaign, **fields: Any) -> Campaign:
        """The campaign with other fields; it is newer than before however little time went by."""
        before = campaign.updated or campaign.created * 1000 + SOON
        changed = replace(campaign, updated=max(self._now(), before + 1), **fields)
        self.objects.written[campaign.id] = changed
        return changed

    def _now(self) -> int:
        return int(self.world.now().timestamp() * 1000)
