"""What happens inside an app or a web page: in-app messages, the inbox, embedded messages (api.md 4.6, 4.9)."""

from typing import Any

from iterable_pipelines.sandbox.messages import HOURS, MINUTES, content_of, sent_by, skipped
from iterable_pipelines.sandbox.oddities import stamp
from iterable_pipelines.sandbox.people import Person
from iterable_pipelines.sandbox.scene import Scene


def device_of(person: Person) -> dict[str, Any]:
    """The device a person uses; the same one every time."""
    platform = ("iOS", "Android", "Web")[person.seat % 3]
    return {
        "deviceInfo": {"deviceId": f"0F9C-{person.seat:08X}", "platform": platform, "appPackageName": "com.example.app"}
    }


def in_app(scene: Scene, at: int) -> None:
    """An in-app message: skipped, or sent and then perhaps recalled, delivered, opened, clicked, closed, deleted."""
    if skipped(scene, "inAppSendSkip", "InApp", at, 0.06):
        return
    person, campaign, reference = scene.message("InApp", at)
    chance = scene.chance
    shown: dict[str, Any] = {
        "expiresAt": stamp(at + 90 * 86_400),
        "messageContext": {"saveToInbox": chance.random() < 0.5, "silentInbox": False, "location": "in-app"},
    }
    send = sent_by(campaign) | content_of(campaign) | {"priorityLevel": chance.choice((300.5, 100.0, 400))}
    scene.emit("inAppSend", at, person, scene.soon(), reference, send, shown)
    if scene.happens(0.03):
        scene.emit("inAppRecall", scene.after(at, 1 * HOURS), person, scene.soon(), reference)
    if not scene.happens(0.7):
        return
    delivered = scene.after(at, 30 * MINUTES)
    device = device_of(person)
    scene.emit("inAppDelivery", delivered, person, scene.offline_lag(), reference, shown, device)
    if not scene.happens(0.7):
        return
    opened = scene.after(delivered, 10 * MINUTES)
    scene.emit("inAppOpen", opened, person, scene.offline_lag(), reference, shown, device)
    ended = scene.after(opened, 20)
    if scene.happens(0.3):
        click = {"clickedUrl": chance.choice(("https://example.com/x", "action://dismiss", "")), "sentAt": stamp(ended)}
        scene.emit("inAppClick", ended, person, scene.offline_lag(), reference, shown, device, click)
    if scene.happens(0.5):
        scene.emit(
            "inAppClose",
            ended,
            person,
            scene.offline_lag(),
            reference,
            shown,
            device,
            {"closeAction": chance.choice(("link", "back"))},
        )
    if scene.happens(0.15):
        scene.emit(
            "inAppDelete",
            scene.after(ended, 60),
            person,
            scene.offline_lag(),
            reference,
            shown,
            device,
            {"deleteAction": "inbox-swipe"},
        )


def inbox(scene: Scene, at: int) -> None:
    """A look into the inbox, with the messages seen there."""
    person, _, reference = scene.message("InApp", at)
    ended = scene.after(at, 60)
    session = {
        "inboxSessionId": f"{scene.chance.getrandbits(128):032x}",
        "inboxSessionStart": stamp(at),
        "inboxSessionEnd": stamp(ended),
    }
    counts = {
        "startTotalMessageCount": 15,
        "startUnreadMessageCount": 5,
        "endTotalMessageCount": 10,
        "endUnreadMessageCount": 3,
    }
    scene.emit("inboxSession", ended, person, scene.offline_lag(), session, counts, device_of(person))
    for _ in range(scene.chance.randrange(1, 3)):
        seen = {
            "silentInbox": False,
            "displayCount": scene.chance.randrange(1, 4),
            "displayDuration": round(scene.chance.random() * 9, 2),
        }
        message = reference | {"messageId": f"vA16d{scene.chance.getrandbits(120):030x}"}
        scene.emit(
            "inboxMessageImpression",
            ended,
            person,
            scene.offline_lag(),
            message,
            seen,
            {"inboxSessionId": session["inboxSessionId"]},
        )


def embedded(scene: Scene, at: int) -> None:
    """An embedded message: skipped, or sent and then perhaps received, seen in a session, clicked."""
    if skipped(scene, "embeddedSendSkip", "Embedded", at, 0.08):
        return
    person, campaign, reference = scene.message("Embedded", at)
    chance = scene.chance
    placement = {"placementId": 1100 + campaign.id % 5}
    scene.emit("embeddedSend", at, person, scene.soon(), reference, sent_by(campaign), placement)
    if not scene.happens(0.7):
        return
    received = scene.after(at, 30 * MINUTES)
    device = device_of(person)
    scene.emit("embeddedReceived", received, person, scene.offline_lag(), reference, device)
    if scene.happens(0.7):
        seen = scene.after(received, 60)
        shown = {"displayCount": chance.randrange(1, 5), "displayDuration": round(chance.random() * 30, 1)}
        scene.emit("embeddedImpression", seen, person, scene.offline_lag(), reference, device, placement, shown)
        session = {"session": {"id": f"{chance.getrandbits(64):016x}", "start": stamp(received), "end": stamp(seen)}}
        scene.emit("embeddedSession", seen, person, scene.offline_lag(), session)
        if scene.happens(0.3):
            target = chance.choice((None, "https://example.com/embedded"))
            click = {"embeddedButtonId": chance.choice(("", "buy")), "embeddedTargetUrl": target}
            scene.emit("embeddedClick", scene.after(seen, 10), person, scene.offline_lag(), reference, device, click)
