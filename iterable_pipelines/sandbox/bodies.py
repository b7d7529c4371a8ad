"""The members of the bodies Iterable takes, and what it says when one has the wrong JSON type (api.md 1.4)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from iterable_pipelines.sandbox.errors import Refused, refusal

KINDS: dict[str, tuple[type, ...]] = {
    "String": (str,),
    "Number": (int, float),
    "Boolean": (bool,),
    "Object": (dict,),
    "Array": (list,),
}


@dataclass(frozen=True)
class Shape:
    """An object's members: the name of a kind, a Shape, or a list of either for what stands in an array.

    Members that are not named may be anything; null counts as absent (the Swagger's models, api.md 6).
    """

    members: Mapping[str, Any]
    required: tuple[str, ...] = ()

    def wrong(self, value: dict[str, Any], at: str = "obj") -> Iterator[tuple[str, str]]:
        """Where the value has another type, and which was expected."""
        for name in self.required:
            if value.get(name) is None:
                yield f"{at}.{name}", "Value expected"
        for name, each in value.items():
            kind = self.members.get(name)
            if kind is not None and each is not None and not (type(kind) is str and type(each) in KINDS[kind]):
                yield from _wrong(kind, each, f"{at}.{name}")


def _wrong(kind: Any, value: Any, at: str) -> Iterator[tuple[str, str]]:
    """What is wrong with one value."""
    name = kind if isinstance(kind, str) else "Array" if isinstance(kind, list) else "Object"
    if type(value) not in KINDS[name]:
        yield at, f"{name} value expected"
    elif isinstance(kind, Shape):
        yield from kind.wrong(value, at)
    elif isinstance(kind, list):
        for nth, each in enumerate(value):
            yield from _wrong(kind[0], each, f"{at}[{nth}]")


def check(shape: Shape, body: Any, path: str) -> None:
    """Raise Refused, with everything that is wrong, unless the body has this shape (outbound R7)."""
    wrong = dict(_wrong(shape, body, "obj"))
    if wrong:
        raise Refused(refusal(400, "BadJsonBody", f"[{path}] Invalid JSON body", wrong))


WHO = {"email": "String", "userId": "String"}
PERSON = Shape(
    WHO
    | {
        "dataFields": "Object",
        "preferUserId": "Boolean",
        "mergeNestedObjects": "Boolean",
        "createNewFields": "Boolean",
    }
)
EVENT = Shape(
    WHO
    | {
        "eventName": "String",
        "id": "String",
        "createdAt": "Number",
        "dataFields": "Object",
        "campaignId": "Number",
        "templateId": "Number",
        "createNewFields": "Boolean",
    },
    ("eventName",),
)
ITEM = Shape(
    {
        **dict.fromkeys(("id", "name", "sku", "description", "url", "imageUrl"), "String"),
        "price": "Number",
        "quantity": "Number",
        "categories": ["String"],
        "dataFields": "Object",
    },
    ("id", "name", "price", "quantity"),
)
DEVICE = Shape(
    dict.fromkeys(("token", "platform", "applicationName"), "String") | {"dataFields": "Object"},
    ("token", "platform", "applicationName"),
)
SUBSCRIPTION_ARRAYS = (
    "emailListIds",
    "unsubscribedChannelIds",
    "unsubscribedMessageTypeIds",
    "subscribedMessageTypeIds",
)
SUBSCRIPTIONS = Shape(
    WHO
    | {name: ["Number"] for name in SUBSCRIPTION_ARRAYS}
    | {"campaignId": "Number", "templateId": "Number", "validateChannelAlignment": "Boolean"}
)
