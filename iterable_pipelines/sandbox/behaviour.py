"""What people do by themselves: subscribe, buy, custom events, leave journeys, browse unknown (api.md 4.4, 4.10)."""

from typing import Any

from iterable_pipelines.sandbox.messages import MINUTES
from iterable_pipelines.sandbox.oddities import custom_fields, drifting, stamp
from iterable_pipelines.sandbox.people import CHANNEL_IDS, LIST_IDS, MESSAGE_TYPE_IDS
from iterable_pipelines.sandbox.scene import HOUR, Scene

NAMES = (
    "completedOnboarding",
    "viewedPage",
    "viewedPage",
    "viewedPage",
    "addedToCart",
    "Überprüft",
    'said "hi"',
    "search term",
    "ViewedPage",
)


def subscription(scene: Scene, at: int) -> None:
    """Somebody joins a list, channel or message type, and perhaps leaves it again."""
    person = scene.people.pick(at, scene.chance)
    chance = scene.chance
    lists: dict[str, Any] = {"emailListIds": [chance.choice(LIST_IDS)], "channelIds": []}
    if scene.happens(0.4):
        # or comes back to what they had left
        lists |= {"channelIds": [chance.choice(CHANNEL_IDS)], "messageTypeIds": [chance.choice(MESSAGE_TYPE_IDS)]}
    # the event carries a copy of profile fields, other people's column names among them (api.md 3.7 row 18)
    copies = {
        "firstName": person.first,
        "lastName": person.last,
        "isFoobar": True,
        "someDate": "2016-11-29 13:22:56",
        "profileUpdatedAt": stamp(at - 50),
    }
    scene.emit(
        "emailSubscribe",
        at,
        person,
        scene.soon(),
        lists,
        copies,
        {"signupSource": chance.choice(("Import", "WebForm", "API"))},
    )
    if scene.happens(0.3):
        left = {"unsubSource": "Import"} | lists
        scene.emit("emailUnSubscribe", scene.after(at, 30 * MINUTES), person, scene.soon(), left)


def custom(scene: Scene, at: int) -> None:
    """A custom event, with fields that drift and now and then without a name."""
    chance = scene.chance
    person = scene.people.pick(at, chance)
    fields: dict[str, Any] = {"eventName": chance.choice(NAMES)} | custom_fields(chance)
    roll = chance.random()
    if roll < 0.01:
        fields.pop("eventName")
    elif roll < 0.02:
        fields["eventName"] = chance.choice((None, ""))
    elif roll < 0.12:
        campaign = chance.choice(scene.objects.by_medium["Email"])
        fields |= {"campaignId": campaign.id, "templateId": campaign.template_id}
    elif roll < 0.25:
        fields |= {"eventUpdatedAt": stamp(at + 5)}
    edge = chance.random()
    if edge < 0.02:
        at = scene.hour + (0 if edge < 0.01 else HOUR - 1)  # the very first and last second of the hour
    scene.emit("customEvent", at, person, scene.offline_lag() if chance.random() < 0.1 else scene.soon(), fields)


def purchase(scene: Scene, at: int) -> None:
    """A purchase; its total is text once in fifty times."""
    chance = scene.chance
    items: list[dict[str, Any]] = []
    for _ in range(chance.randrange(1, 4)):
        price = round(chance.random() * 90, 2)
        items.append(
            {
                "id": f"TOY{chance.randrange(90)}",
                "name": "Red Racecar",
                "sku": "RR123",
                "price": price,
                "quantity": chance.randrange(1, 3),
                "categories": ["Toy"],
            }
        )
    total: Any = round(sum(each["price"] * each["quantity"] for each in items), 2)
    if chance.random() < 0.02:
        total = str(total)
    fields = {
        "_id": f"{chance.getrandbits(96):024x}",
        "eventName": "purchase",
        "total": total,
        "shoppingCartItems": items,
        "orderId": drifting(chance),
    }
    if chance.random() < 0.5:
        campaign = chance.choice(scene.objects.by_medium["Email"])
        fields |= {"campaignId": campaign.id, "templateId": campaign.template_id}
    scene.emit("purchase", at, scene.people.pick(at, chance), scene.soon(), fields)


def journey(scene: Scene, at: int) -> None:
    """Somebody leaves a journey."""
    left = scene.chance.choice(scene.objects.journeys)
    fields = {
        "workflowId": left["id"],
        "journeyExitReason": scene.chance.choice(("Completed", "ExitRule", "UserUnsubscribed")),
    }
    if scene.chance.random() < 0.5:
        fields["workflowName"] = left["name"]
    scene.emit("journeyExit", at, scene.people.pick(at, scene.chance), scene.soon(), fields)


def unknown(scene: Scene, at: int) -> None:
    """A visit of somebody Iterable does not know, under an id no profile has."""
    chance = scene.chance
    visits = {
        "totalUnknownSessionCount": 3,
        "firstUnknownSession": at - 63_000,
        "lastUnknownSession": at,
        "matchedCriteriaId": 12,
    }
    device = {"platform": "Web", "deviceId": "Mozilla/5.0", "appPackageName": "example.com"}
    fields = {"userId": f"unknown-{chance.randrange(40)}", "deviceInfo": device, "unknownSessionContext": visits}
    if chance.random() < 0.05:
        fields.pop("userId")  # a record that names nobody at all
    scene.emit("unknownSession", at, None, scene.soon(), fields)
