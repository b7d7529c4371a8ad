"""What a webhook says of an event: names and contents that exports lack, and not everything that they have.

The shapes are those of the public samples (api.md 4.3, 7); events without a sample are shaped like their channel's
others (UNCERTAIN).
"""

import json
from typing import Any

from iterable_pipelines.sandbox.chance import share
from iterable_pipelines.sandbox.metrics import variants
from iterable_pipelines.sandbox.objects import Campaign, Objects
from iterable_pipelines.sandbox.oddities import encode, stamp
from iterable_pipelines.sandbox.scene import Event
from iterable_pipelines.sandbox.template_details import MEDIUM, detail

# every event that webhooks exist for (api.md 7): 39 of the 53
EVENTS = (
    *("emailSubscribe", "emailUnSubscribe", "emailSend", "emailOpen", "emailClick", "emailBounce", "emailComplaint"),
    *("emailSendSkip", "hostedUnsubscribeClick"),
    *("pushSend", "pushOpen", "pushBounce", "pushSendSkip", "pushUninstall"),
    *("inAppSend", "inAppOpen", "inAppClick", "inAppDelete", "inAppRecall", "inAppSendSkip"),
    *("smsSend", "smsBounce", "smsClick", "smsReceived", "smsSendSkip"),
    *("webPushSend", "webPushClick", "webPushSendSkip"),
    *("embeddedReceived", "embeddedImpression", "embeddedClick", "embeddedSession"),
    "journeyExit",
    *("whatsAppSend", "whatsAppReceived", "whatsAppSeen", "whatsAppClick", "whatsAppBounce", "whatsAppSendSkip"),
)
# all that these say of their message; the sample of inAppSendSkip is as long as one of a send
_SHORT = {
    "inAppOpen": ("campaignId",),
    "inAppClick": ("campaignId",),
    **{
        each: ("reason", "campaignId", "messageId")
        for each in EVENTS
        if each.endswith("SendSkip") and each != "inAppSendSkip"
    },
}
_WITHOUT_MESSAGE_ID = ("pushOpen", "pushBounce", "smsSend", "smsBounce")
_EXPORTS_ONLY = {
    *("userId", "itblUserId", "itblInternal", "messageBusId", "espName", "experience_id", "priorityLevel", "hrefIndex"),
    *("catalogLookupCount", "catalogCollectionCount", "productRecommendationCount", "status", "sentAt"),
    *("actionIdentifier", "deeplink_ios", "deeplink_andriod"),
}
Fields = dict[str, Any]


def webhook_body(event: Event, objects: Objects) -> tuple[bytes, Campaign | None]:
    """The body of the webhook about an event, one of EVENTS, and the campaign it is of; the same for the same event.

    A person may be named outside or inside: one in ten who is known by both goes by the user id outside, and one in
    five subscriptions names the email inside alone, as in the samples.
    """
    record: Fields = json.loads(event.line)
    email, user_id = record.get("email"), record.get("userId")
    # an export may have the id as text
    campaign = objects.campaign(int(record["campaignId"])) if record.get("campaignId") else None
    fields = _fields(event, record, campaign) | {"createdAt": stamp(event.created)}
    if email:
        fields["email"] = email
    roll = share("who a webhook names", event.line)
    inside_only = roll < (0.2 if event.data_type == "emailSubscribe" else 0.1 if user_id else 0)
    body = {"email": email} if email and not inside_only else {}
    body |= {"userId": user_id} if user_id else {}
    return encode(body | {"eventName": event.data_type, "dataFields": fields}, escaped=roll > 0.7), campaign


def _fields(event: Event, record: Fields, campaign: Campaign | None) -> Fields:
    if event.data_type in _SHORT:
        told = record | {"campaignId": campaign.id if campaign else None}
        return {key: told[key] for key in _SHORT[event.data_type]}
    left_out = _EXPORTS_ONLY | ({"messageId"} if event.data_type in _WITHOUT_MESSAGE_ID else set())
    if not event.data_type.endswith("Send"):
        left_out |= {"contentId"}
    own = {key: value for key, value in record.items() if key not in left_out and value is not None}
    if event.data_type == "emailSubscribe":
        return {"messageTypeIds": []} | own
    return own | _transactional_data(record) | (_message(event.data_type, record, campaign) if campaign else {})


def _transactional_data(record: Fields) -> Fields:
    """An object, where exports have a string (api.md 8, 15)."""
    if "transactionalData" not in record:
        return {}
    try:
        return {"transactionalData": json.loads(record["transactionalData"])}
    except (TypeError, ValueError):
        # what an export shows cut off, empty or null
        return {"transactionalData": {}}


def _message(data_type: str, record: Fields, campaign: Campaign) -> Fields:
    """The message an event belongs to: names, journey, experiment, content."""
    template = detail(campaign) if campaign.medium in MEDIUM.values() else {}
    text = template.get("message", "").replace("{{firstName}}", "there")
    named: Fields = {
        "campaignId": campaign.id,
        "campaignName": campaign.name,
        "templateId": campaign.template_id,
        "templateName": campaign.template_name,
        "workflowId": campaign.workflow_id,
        "workflowName": campaign.workflow_name,
        "channelId": campaign.channel_id,
        "messageTypeId": campaign.message_type_id,
        "experimentId": variants(campaign)[0]["experimentId"] if campaign.experience_id else None,
        "labels": [],
        "locale": None,
    }
    if campaign.medium != "Push":
        named["emailId"] = f"c{campaign.id}:t{campaign.template_id}:{record.get('email') or record.get('userId')}"
    if campaign.medium == "Email":
        named["emailSubject"] = template["subject"]
    elif campaign.medium == "Push":
        linked = None if campaign.workflow_id else template["deeplink"]
        named |= {
            "pushMessage": text,
            "payload": template["payload"],
            "sound": template["sound"],
            "badge": template["badge"] or None,
            "contentAvailable": False,
            "deeplink": record.get("deeplink", linked),
        }
    elif campaign.medium == "SMS":
        named |= {"smsMessage": text, "fromPhoneNumberId": 258, "imageUrl": None}
    elif data_type in ("inAppSend", "inAppSendSkip"):
        named["inAppBody"] = template["html"]
    elif data_type == "webPushSend":
        named |= {"webPushMessage": "", "webPushBody": None, "webPushIcon": None, "webPushClickAction": None}
    if data_type == "emailClick":
        link = str(campaign.id * 1000 + len(record["url"]))
        named |= {"canonicalUrlId": link, "linkId": link, "linkUrl": record["url"]}
    return named
