"""What becomes of a message: one function per channel, in the record shapes of api.md 4.4 to 4.9."""

from typing import Any

from iterable_pipelines.sandbox.objects import Campaign
from iterable_pipelines.sandbox.oddities import stamp, transactional_data
from iterable_pipelines.sandbox.people import PLACES
from iterable_pipelines.sandbox.scene import Scene

MINUTES, HOURS = 60, 3600
SKIP_REASONS = ("DuplicateMarketingMessage", "UnsubscribedChannel", "FrequencyCap", "InvalidTemplate")
AGENTS = (
    ("Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)", "Gmail"),
    ("Mozilla/5.0 (X11; CrOS x86_64 13729.72.0) AppleWebKit/537.36", "Other"),
    ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X)", "iPhone"),
)


def sent_by(campaign: Campaign) -> dict[str, Any]:
    """The fields only a send, and what is like one, carries."""
    return {"channelId": campaign.channel_id, "messageTypeId": campaign.message_type_id}


def content_of(campaign: Campaign) -> dict[str, Any]:
    """Content id and the counts of catalog lookups of a send."""
    return {
        "contentId": campaign.content_id,
        "catalogLookupCount": 0,
        "catalogCollectionCount": 0,
        "productRecommendationCount": 0,
    }


def whereabouts(scene: Scene) -> dict[str, Any]:
    """Address and device of an open or click; its place is absent, null or filled (api.md 4.4)."""
    agent, device = scene.chance.choice(AGENTS)
    fields: dict[str, Any] = {
        "ip": f"192.0.2.{scene.chance.randrange(256)}",
        "userAgent": agent,
        "userAgentDevice": device,
    }
    roll = scene.chance.random()
    if roll < 0.3:
        city, country, region, _, _ = scene.chance.choice(PLACES)
        fields |= {"city": city, "country": country, "region": region}
    elif roll < 0.5:
        fields |= {"city": None, "region": None, "country": "United States"}
    return fields


def skipped(scene: Scene, data_type: str, medium: str, at: int, probability: float) -> bool:
    """Whether the message is skipped; if so, that is written. A complete scene shows the skip and goes on."""
    if not scene.happens(probability):
        return False
    person, campaign, reference = scene.message(medium, at)
    if scene.chance.random() < 0.5:
        reference.pop("templateId")
    scene.emit(
        data_type, at, person, scene.soon(), reference, sent_by(campaign), {"reason": scene.chance.choice(SKIP_REASONS)}
    )
    return not scene.complete


def email(scene: Scene, at: int) -> None:
    """A mail: skipped, or sent and then perhaps bounced, opened, clicked, complained of, unsubscribed from."""
    if skipped(scene, "emailSendSkip", "Email", at, 0.07):
        return
    person, campaign, reference = scene.message("Email", at)
    chance = scene.chance
    send: dict[str, Any] = (
        sent_by(campaign) | content_of(campaign) | {"messageBusId": f"{chance.getrandbits(96):024x}-000000"}
    )
    if chance.random() < 0.5:
        send |= {"espName": "sendgrid", "transactionalData": transactional_data(chance)}
    scene.emit("emailSend", at, person, scene.soon(), reference, send)
    if scene.happens(0.02):
        bounce = {"recipientState": "HardBounce", "status": "5.1.1"}
        bounced = scene.after(at, 1 * MINUTES)
        scene.emit("emailBounce", bounced, person, scene.soon(), reference, bounce)
        left = {key: reference[key] for key in ("templateId", "messageId")} | bounce
        scene.emit(
            "emailUnSubscribe", scene.after(bounced, 2), person, scene.soon(), left, _lists("HardBounce", campaign)
        )
        if not scene.complete:
            return
    if not scene.happens(0.5):
        return
    opened = at
    for _ in range(1 + int(chance.random() * chance.random() * 4)):
        opened = scene.after(opened, 1.5 * HOURS)
        extra = {"proxySource": "Gmail"} if chance.random() < 0.3 else {}
        scene.emit("emailOpen", opened, person, scene.index_lag(), reference, whereabouts(scene), extra)
    if scene.happens(0.25):
        url = chance.choice(("https://example.com", "https://example.com/a?b=c&d=%20e", "https://example.com/größe"))
        click = {"url": url, "hrefIndex": chance.randrange(9), "contentId": campaign.content_id}
        for _ in range(2 if chance.random() < 0.2 else 1):
            scene.emit(
                "emailClick", scene.after(opened, 20), person, scene.soon(), reference, whereabouts(scene), click
            )
    if scene.happens(0.01):
        scene.emit(
            "emailComplaint", scene.after(opened, 60), person, scene.soon(), reference, {"recipientState": "Complaint"}
        )
    if scene.happens(0.015):
        clicked = scene.after(opened, 60)
        page = {"url": "https://example.com/unsubscribe"} | sent_by(campaign)
        scene.emit("hostedUnsubscribeClick", clicked, person, scene.soon(), reference, whereabouts(scene), page)
        workflow: dict[str, Any] = {"workflowId": campaign.workflow_id} if campaign.workflow_id else {}
        if workflow and chance.random() < 0.3:
            workflow["workflowName"] = campaign.workflow_name
        scene.emit(
            "emailUnSubscribe",
            clicked,
            person,
            scene.soon(),
            reference,
            _lists("EmailLink", campaign),
            sent_by(campaign),
            workflow,
        )


def _lists(source: str, campaign: Campaign) -> dict[str, Any]:
    return {"unsubSource": source, "emailListIds": [], "channelIds": [campaign.channel_id], "messageTypeIds": []}


def push(scene: Scene, at: int) -> None:
    """A push: skipped, or sent and then perhaps bounced, opened (offline, too), followed by an uninstall."""
    if skipped(scene, "pushSendSkip", "Push", at, 0.06):
        return
    person, campaign, reference = scene.message("Push", at)
    chance = scene.chance
    endpoint = {"platformEndpoint": f"arn:aws:sns:us-east-1:1:endpoint/APNS/app/{person.seat}"}
    link = f"app://offer/{campaign.id}"
    send: dict[str, Any] = sent_by(campaign) | content_of(campaign) | endpoint
    send["transactionalData"] = transactional_data(chance)
    if chance.random() < 0.3:
        send["deeplink"] = chance.choice(({"ios": link, "android": f"{link}?a"}, {"ios": None, "android": link}, None))
    scene.emit("pushSend", at, person, scene.soon(), reference, send)
    if scene.happens(0.04):
        scene.emit("pushBounce", scene.after(at, 5), person, scene.soon(), reference, sent_by(campaign), endpoint)
    if scene.happens(0.35):
        opened = scene.after(at, 1 * HOURS)
        fields: dict[str, Any] = {
            "sentAt": stamp(opened + 1),
            "appAlreadyRunning": chance.random() < 0.3,
            "actionIdentifier": "default",
        }
        if chance.random() < 0.2:
            # "andriod" is the spelling of the field where it was first documented
            fields |= chance.choice(
                ({"deeplink_ios": link}, {"deeplink_andriod": link}, {"deeplink_ios": link, "deeplink_andriod": link})
            )
        scene.emit("pushOpen", opened, person, scene.offline_lag(), reference, fields)
    if scene.happens(0.02):
        scene.emit(
            "pushUninstall",
            scene.after(at, 2 * HOURS),
            person,
            scene.soon(),
            reference,
            sent_by(campaign),
            {"isGhostPush": chance.random() < 0.5},
        )


def sms(scene: Scene, at: int) -> None:
    """A text message: skipped, or sent and then perhaps billed, bounced, clicked, answered."""
    if skipped(scene, "smsSendSkip", "SMS", at, 0.08):
        return
    person, campaign, reference = scene.message("SMS", at)
    to = {"toPhoneNumber": person.phone}
    scene.emit(
        "smsSend",
        at,
        person,
        scene.soon(),
        reference,
        sent_by(campaign),
        {"contentId": campaign.content_id, "fromSMSSenderId": 258},
        to,
    )
    if scene.happens(0.5):
        usage = {
            "isSmsEstimation": scene.chance.random() < 0.2,
            "smsSendCount": 1,
            "mmsSendCount": 0,
            "messageStatus": "Delivered",
        }
        scene.emit("smsUsageInfo", scene.after(at, 20), person, scene.soon(), reference, usage)
    if scene.happens(0.05):
        answer = {
            "status": 404,
            "message": "The requested resource was not found",
            "code": 20404,
            "more_info": "https://www.twilio.com/docs/errors/20404",
        }
        scene.emit("smsBounce", scene.after(at, 10), person, scene.soon(), reference, {"smsProviderResponse": answer})
    if scene.happens(0.2):
        scene.emit(
            "smsClick",
            scene.after(at, 30 * MINUTES),
            person,
            scene.soon(),
            reference,
            {"clickedUrl": "https://www.example.com"},
        )
    if scene.happens(0.15):
        text = {
            "fromPhoneNumber": person.phone,
            "toPhoneNumber": "+14155824541",
            "smsMessage": scene.chance.choice(("STOP", "yes 👍", "où?")),
        }
        scene.emit("smsReceived", scene.after(at, 30 * MINUTES), person, scene.soon(), text)


def web_push(scene: Scene, at: int) -> None:
    """A web push: skipped, or sent and perhaps clicked."""
    if skipped(scene, "webPushSendSkip", "WebPush", at, 0.1):
        return
    person, campaign, reference = scene.message("WebPush", at)
    send = sent_by(campaign) | content_of(campaign) | {"browserToken": f"cZn_{scene.chance.getrandbits(64):x}"}
    scene.emit("webPushSend", at, person, scene.soon(), reference, send)
    if scene.happens(0.25):
        scene.emit("webPushClick", scene.after(at, 30 * MINUTES), person, scene.soon(), reference)


def whatsapp(scene: Scene, at: int) -> None:
    """A WhatsApp message: skipped, or sent and then perhaps billed, bounced, seen, clicked, answered."""
    if skipped(scene, "whatsAppSendSkip", "WhatsApp", at, 0.1):
        return
    person, campaign, reference = scene.message("WhatsApp", at)
    to = {"toPhoneNumber": person.phone}
    scene.emit("whatsAppSend", at, person, scene.soon(), reference, sent_by(campaign), to)
    if scene.happens(0.5):
        scene.emit(
            "whatsAppUsageInfo", scene.after(at, 20), person, scene.soon(), reference, {"messageStatus": "Delivered"}
        )
    if scene.happens(0.06):
        scene.emit("whatsAppBounce", scene.after(at, 10), person, scene.soon(), reference, to)
    if scene.happens(0.6):
        seen = scene.after(at, 30 * MINUTES)
        scene.emit("whatsAppSeen", seen, person, scene.soon(), reference)
        if scene.happens(0.3):
            scene.emit(
                "whatsAppClick",
                scene.after(seen, 60),
                person,
                scene.soon(),
                reference,
                {"clickedUrl": "https://www.example.com/wa"},
            )
        if scene.happens(0.2):
            text = {"fromPhoneNumber": person.phone, "whatsAppMessage": "merci 🙏"}
            scene.emit("whatsAppReceived", scene.after(seen, 90), person, scene.soon(), text)


def rcs(scene: Scene, at: int) -> None:
    """An RCS message: skipped or sent; Iterable exports no more of it."""
    if skipped(scene, "rcsSendSkip", "RCS", at, 0.15):
        return
    person, campaign, reference = scene.message("RCS", at)
    scene.emit("rcsSend", at, person, scene.soon(), reference, sent_by(campaign), {"toPhoneNumber": person.phone})
