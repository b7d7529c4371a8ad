"""Templates: upserted by clientTemplateId, updated by templateId, deleted (api.md 6.5, outbound 4.1)."""

from typing import Any

from starlette.responses import JSONResponse, Response

from iterable_pipelines.sandbox.bodies import Shape
from iterable_pipelines.sandbox.errors import Refused, bad_params
from iterable_pipelines.sandbox.objects import CREATOR
from iterable_pipelines.sandbox.template_details import MEDIUM
from iterable_pipelines.sandbox.templates import Template
from iterable_pipelines.sandbox.world import World
from iterable_pipelines.sandbox.writing.call import Call, Write, success

LINKS = {"linkParams": [Shape({"key": "String", "value": "String"}, ("key", "value"))]}
FEEDS = {"dataFeedIds": ["Number"], "cacheDataFeed": "Boolean", "mergeDataFeedContext": "Boolean"}
SHARED = {
    **dict.fromkeys(("name", "clientTemplateId", "creatorUserId", "locale"), "String"),
    "messageTypeId": "Number",
    "isDefaultLocale": "Boolean",
}
FIELDS: dict[str, dict[str, Any]] = {
    "email": {
        **dict.fromkeys(("subject", "preheaderText", "fromName", "fromEmail", "replyToEmail"), "String"),
        **dict.fromkeys(("html", "plainText", "googleAnalyticsCampaignName"), "String"),
        "ccEmails": ["String"],
        "bccEmails": ["String"],
        "dataFeedId": "Number",
        "campaignDataFields": "Object",
        **LINKS,
        **FEEDS,
    },
    "push": {
        **dict.fromkeys(("title", "message", "sound", "badge", "interruptionLevel"), "String"),
        **dict.fromkeys(("payload", "deeplink", "richMedia", "campaignDataFields"), "Object"),
        "buttons": ["Object"],
        "wake": "Boolean",
        "isSilentPush": "Boolean",
        "relevanceScore": "Number",
        **FEEDS,
    },
    "sms": {
        **dict.fromkeys(("message", "imageUrl", "trackingDomain", "googleAnalyticsCampaignName"), "String"),
        "campaignDataFields": "Object",
        **LINKS,
    },
    "inapp": {
        **dict.fromkeys(("html", "expirationDateTime", "expirationDuration"), "String"),
        **dict.fromkeys(("payload", "inAppDisplaySettings", "webInAppDisplaySettings", "inboxMetadata"), "Object"),
        "campaignDataFields": "Object",
    },
    "embedded": {
        **dict.fromkeys(("title", "body"), "String"),
        "placementId": "Number",
        "elements": "Object",
        "payload": "Object",
        "campaignDataFields": "Object",
    },
}


def template_writes(world: World) -> list[Write]:
    """Every write of templates/."""
    templates = TemplateWrites(world)
    writes = [Write("POST", "templates/bulkDelete", Shape({"ids": ["Number"]}, ("ids",)), templates.bulk_delete)]
    for medium, fields in FIELDS.items():
        own = SHARED | fields
        upserted = Shape(own, ("clientTemplateId",))
        updated = Shape(own | {"templateId": "Number"}, ("templateId",))
        writes.append(Write("POST", f"templates/{medium}/upsert", upserted, templates.upsert))
        writes.append(Write("POST", f"templates/{medium}/update", updated, templates.update))
    return writes


class TemplateWrites:
    """Writes templates of one world."""

    def __init__(self, world: World):
        self.world, self.templates = world, world.templates

    def upsert(self, call: Call) -> Response:
        """POST templates/{medium}/upsert: every template that shares the clientTemplateId is updated, else one made."""
        medium, fields = self._read(call)
        sharing = [each for each in self.templates.sharing(fields["clientTemplateId"]) if each.medium == medium]
        if call.is_lost(self.world, fields["clientTemplateId"]):
            return success()
        for each in sharing:
            self._change(each, fields)
        if not sharing:
            default = next(each for each, kind in self._media().items() if kind == medium)
            locale = fields.pop("locale", "")
            made = self.templates.make(medium, "Base", {"messageTypeId": default} | fields)
            if locale:
                made.locales[locale] = fields
        return success()

    def update(self, call: Call) -> Response:
        """POST templates/{medium}/update: only the fields given."""
        medium, fields = self._read(call)
        template = self.templates.find(int(call.asked["templateId"]))
        if template is None or template.medium != medium:
            raise Refused(bad_params(f"Template not found: {call.asked['templateId']}"))
        if not call.is_lost(self.world, str(template.id)):
            self._change(template, fields)
        return success()

    def bulk_delete(self, call: Call) -> Response:
        """POST templates/bulkDelete: base templates of no campaign only."""
        done, failed = [], []
        for asked in call.asked["ids"]:
            template = self.templates.find(int(asked))
            if template is None or template.type != "Base" or template.campaign_id:
                failed.append(asked)
                continue
            done.append(asked)
            if not call.is_lost(self.world, str(asked)):
                self.templates.remove(template.id)
        reason = {"failureReason": "Only base templates without a campaign can be deleted"} if failed else {}
        return JSONResponse({"success": done, "failed": failed} | reason)

    def _read(self, call: Call) -> tuple[str, dict[str, Any]]:
        """The medium, and the fields its templates have. Raises Refused for what this project has not got."""
        path = call.path.split("/")[-2]
        fields = {
            name: value for name, value in call.asked.items() if name in (SHARED | FIELDS[path]) and value is not None
        }
        medium = MEDIUM[path]
        if "messageTypeId" in fields and self._media().get(fields["messageTypeId"]) != medium:
            raise Refused(bad_params(f"Invalid messageTypeId: {fields['messageTypeId']}"))
        if fields.get("fromEmail", "hello@example.com") not in self.world.rules.senders:
            raise Refused(bad_params(f"fromEmail is not an authorized sender: {fields['fromEmail']}"))
        if fields.get("creatorUserId", CREATOR) != CREATOR:
            raise Refused(bad_params(f"creatorUserId is not a member of this project: {fields['creatorUserId']}"))
        return medium, fields

    def _media(self) -> dict[int, str]:
        """The medium of every message type."""
        channels = {each["id"]: each["messageMedium"] for each in self.world.objects.channels}
        return {each["id"]: channels[each["channelId"]] for each in self.world.objects.message_types}

    def _change(self, template: Template, fields: dict[str, Any]) -> None:
        own = {name: value for name, value in fields.items() if name != "locale"}
        self.templates.change(template, own, fields.get("locale", ""))
