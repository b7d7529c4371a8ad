"""The worked examples of outbound.md 1.13, X01 to X41: rows in, requests out. Read by tests with and without HTTP."""

from dataclasses import dataclass, field
from typing import Any

from iterable_pipelines.activation.project import ProjectType

USERS, EVENTS = "/api/users/bulkUpdate", "/api/events/trackBulk"
EMAIL_CHANGE, DEVICE = "/api/users/updateEmail", "/api/users/registerDeviceToken"
PURCHASE, CART = "/api/commerce/trackPurchase", "/api/commerce/updateCart"
NOON = "2026-03-01T12:00:00Z"
Request = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class Example:
    """One row, and what it gives: requests in their order, or why there are none. `wrong`: code and path of an error,
    `warned`: of a warning.
    """

    name: str
    row: dict[str, Any]
    requests: tuple[Request, ...] = ()
    project: ProjectType = "hybrid"
    sync: dict[str, Any] = field(default_factory=dict)
    wrong: tuple[str, str] | None = None
    warned: tuple[str, str] | None = None
    skipped: str = ""


def _user(**payload: Any) -> tuple[Request, ...]:
    return ((USERS, {"users": [payload]}),)


def _event(**payload: Any) -> tuple[Request, ...]:
    return ((EVENTS, {"events": [payload]}),)


def _identify(name: str, call: dict[str, Any], *requests: Request, **more: Any) -> Example:
    return Example(name, {"type": "identify", **call}, requests, **{"sync": {"object": "calls"}, **more})


def _call(name: str, call: dict[str, Any], *requests: Request, **more: Any) -> Example:
    said = {"object": "calls", **more.pop("sync", {})}
    return Example(name, {"userId": "u1", "messageId": "m", "timestamp": NOON, **call}, requests, sync=said, **more)


def _row(name: str, row: dict[str, Any], *requests: Request, **more: Any) -> Example:
    """A row of a user sync, matched by its address or else its userId, all other columns under their own names."""
    match = {"column": "email", "field": "email"} if "email" in row else {"column": "user_id", "field": "userId"}
    said = {"object": "user", "match": match, "fields": "*", **more.pop("sync", {})}
    return Example(name, row, requests, sync=said, **more)


def _of_d(**data: Any) -> tuple[Request, ...]:
    return _user(email="d@ex.com", dataFields=data)


_BO = {"userId": "c-77", "traits": {"email": "bo@ex.com", "tier": "gold"}}
_MUG = {
    "product_id": 5501,
    "name": "Mug",
    "price": "12.75",
    "quantity": "2",
    "category": "Kitchen",
    "image_url": "https://x/m.jpg",
    "colour": "blue",
}
_TEA = {"productId": "T-9", "name": "Tea", "price": 16, "quantity": 1, "categories": ["Food", "Tea"]}
_PLAIN_TEA = {"id": "T-9", "name": "Tea", "price": 16, "quantity": 1}
_ONE = {"product_id": "1", "name": "A", "price": 1, "quantity": 1}


def _ordered(**properties: Any) -> dict[str, Any]:
    return {"type": "track", "event": "Order Completed", "properties": {"total": 5, "products": [_ONE], **properties}}


EXAMPLES = (
    _identify(
        "X01 email normalised, identifiers not repeated",
        {"traits": {"email": "  Ana.Lopez@Example.COM ", "firstName": "Ana"}},
        *_user(email="ana.lopez@example.com", dataFields={"firstName": "Ana"}),
        project="email",
    ),
    _identify(
        "X02 userId only in an email-based project",
        {"userId": "c-77", "traits": {"tier": "gold"}},
        *_user(userId="c-77", preferUserId=True, dataFields={"tier": "gold"}),
        project="email",
    ),
    _row(
        "X03 the same in mode update: unknown ids are not created",
        {"user_id": "c-77", "tier": "gold"},
        *_user(userId="c-77", preferUserId=False, dataFields={"tier": "gold"}),
        project="email",
        sync={"mode": "update"},
    ),
    _identify(
        "X04 both ids, userid project: the address becomes data",
        _BO,
        *_user(userId="c-77", dataFields={"tier": "gold", "email": "bo@ex.com"}),
        project="userid",
    ),
    _identify(
        "X05 both ids, email project: both on top",
        {"userId": "c-77", "traits": {"email": "bo@ex.com"}},
        *_user(email="bo@ex.com", userId="c-77"),
        project="email",
    ),
    _identify("X06 nobody", {"traits": {"firstName": "Zoë"}}, wrong=("missing_identifier", "")),
    _row(
        "X07 a float for a key",
        {"user_id": 100045.0, "plan": "pro"},
        *_user(userId="100045", dataFields={"plan": "pro"}),
    ),
    _row(
        "X08 timestamps and dates",
        {
            "email": "d@ex.com",
            "last_seen": "2026-03-02T09:15:30.412Z",
            "dob": "1990-05-01",
            "code": "1234-12-00",
            "when_local": "2026-03-02T09:15:30+02:00",
        },
        *_of_d(
            last_seen="2026-03-02 09:15:30 +00:00",
            dob="1990-05-01",
            code="1234-12-00",
            when_local="2026-03-02 07:15:30 +00:00",
        ),
    ),
    _row("X09 phone", {"email": "d@ex.com", "phone": "+1 (415) 555-0199"}, *_of_d(phoneNumber="+14155550199")),
    _row(
        "X10 unusable phone",
        {"email": "d@ex.com", "phone": "call me", "city": "Oslo"},
        *_of_d(city="Oslo"),
        warned=("invalid_phone_number", "phoneNumber"),
    ),
    _row("X11 NULL clears a field", {"email": "d@ex.com", "nickname": None}, *_of_d(nickname=None)),
    _row(
        "X11 NULL, null_policy omit",
        {"email": "d@ex.com", "nickname": None},
        *_user(email="d@ex.com"),
        sync={"null_policy": "omit"},
    ),
    _row(
        "X12 dotted target merges",
        {"email": "d@ex.com", "city": "Lyon"},
        *_user(email="d@ex.com", mergeNestedObjects=True, dataFields={"address": {"city": "Lyon"}}),
        sync={"fields": {"city": "address.city"}},
    ),
    _row("X13 whole STRUCT", {"email": "d@ex.com", "address": {"city": "Lyon"}}, *_of_d(address={"city": "Lyon"})),
    # X14 is a file that is refused: test_declaration.py. X15 takes two runs: test_users.py, test_worked_examples.py
    _row(
        "X16 new_email in a hybrid project",
        {"user_id": "u9", "new_email": "Kim@New.ex"},
        *_user(userId="u9", dataFields={"email": "kim@new.ex"}),
        sync={"new_email": "new_email"},
    ),
    _call(
        "X17 plain event",
        {
            "type": "track",
            "event": "Trial Started",
            "messageId": "m-1",
            "properties": {"plan": "pro", "campaignId": "42", "templateId": "0"},
        },
        *_event(
            userId="u1",
            eventName="Trial Started",
            id="m-1",
            createdAt=1772366400,
            campaignId=42,
            dataFields={"plan": "pro"},
        ),
    ),
    _call(
        "X18 milliseconds",
        {"type": "track", "event": "Ping", "timestamp": 1772366400123},
        *_event(userId="u1", eventName="Ping", id="m", createdAt=1772366400),
    ),
    _call(
        "X19 bad timestamp",
        {"type": "track", "event": "Ping", "timestamp": "yesterday"},
        wrong=("invalid_created_at", "createdAt"),
    ),
    _call("X20 no event name", {"type": "track"}, wrong=("missing_event_name", "eventName")),
    _call(
        "X21 the address in properties wins over the context",
        {
            "type": "track",
            "event": "Ping",
            "messageId": "m-2",
            "properties": {"email": "A@ex.com", "n": 1},
            "context": {"traits": {"email": "old@ex.com"}},
        },
        *_event(email="a@ex.com", userId="u1", eventName="Ping", id="m-2", createdAt=1772366400, dataFields={"n": 1}),
    ),
    Example(
        "X22 generated id",
        {"pk": "991", "user_id": "u1", "at": NOON},
        _event(userId="u1", eventName="Click", id="wh:clicks:991", createdAt=1772366400),
        sync={
            "name": "clicks",
            "object": "event",
            "match": {"column": "user_id", "field": "userId"},
            "event_name": {"constant": "Click"},
            "created_at": "at",
        },
    ),
    _call(
        "X23 page",
        {"type": "page", "name": "shoppingCart"},
        *_event(userId="u1", eventName="shoppingCart page", id="m", createdAt=1772366400),
    ),
    _call(
        "X24 screen",
        {"type": "screen", "name": "Home"},
        *_event(userId="u1", eventName="Home screen", id="m", createdAt=1772366400),
    ),
    _call(
        "X25 nameless",
        {"type": "page", "properties": {"url": "/x"}},
        *_event(userId="u1", eventName="Loaded a Page", id="m", createdAt=1772366400, dataFields={"url": "/x"}),
    ),
    _call(
        "X26 single name",
        {"type": "screen", "name": "Home"},
        *_event(userId="u1", eventName="Loaded a Screen", id="m", createdAt=1772366400),
        sync={"single_event_name": True},
    ),
    _call(
        "X27 filtered",
        {"type": "page", "properties": {"url": "/x"}},
        sync={"pages": "named"},
        skipped="page_filtered",
    ),
    _call(
        "X28 alias",
        {"type": "alias", "previousId": "old@ex.com", "userId": "New@ex.com"},
        (EMAIL_CHANGE, {"currentEmail": "old@ex.com", "newEmail": "new@ex.com"}),
        project="email",
    ),
    _call(
        "X29 alias from a userId",
        {"type": "alias", "previousId": "u1", "userId": "new@ex.com"},
        (EMAIL_CHANGE, {"currentUserId": "u1", "newEmail": "new@ex.com"}),
        project="email",
    ),
    _call(
        "X30 alias incomplete",
        {"type": "alias", "userId": "new@ex.com"},
        project="email",
        wrong=("missing_previous_id", "previousId"),
    ),
    _call("X31 group", {"type": "group", "groupId": "g"}, skipped="unsupported_call:group"),
    _call(
        "X32 order",
        {
            "type": "track",
            "event": "Order Completed",
            "timestamp": "2026-03-01T08:05:00Z",
            "properties": {"order_id": 90017, "total": "41.50", "currency": "EUR", "products": [_MUG, _TEA]},
        },
        (
            PURCHASE,
            {
                "id": "90017",
                "user": {"userId": "u1"},
                "total": 41.5,
                "createdAt": 1772352300,
                "items": [
                    {
                        "id": "5501",
                        "name": "Mug",
                        "price": 12.75,
                        "quantity": 2,
                        "categories": ["Kitchen"],
                        "imageUrl": "https://x/m.jpg",
                        "dataFields": {"colour": "blue"},
                    },
                    {"id": "T-9", "name": "Tea", "price": 16, "quantity": 1, "categories": ["Food", "Tea"]},
                ],
                "dataFields": {"order_id": 90017, "currency": "EUR"},
            },
        ),
    ),
    _call(
        "X33 item without price",
        _ordered(products=[{"product_id": "1", "name": "A", "quantity": 1}]),
        wrong=("invalid_item", "items[0].price"),
    ),
    _call("X34 currency sign", _ordered(total="€41.50"), wrong=("invalid_total", "total")),
    _call(
        "X35 no products on an order",
        {"type": "track", "event": "Order Completed", "properties": {"total": 5}},
        wrong=("missing_products", "items"),
    ),
    _call(
        "X36 cart replaced by the array",
        {"type": "track", "event": "Product Removed", "properties": {"products": [_PLAIN_TEA]}},
        (CART, {"user": {"userId": "u1"}, "items": [_PLAIN_TEA]}),
    ),
    _call(
        "X37 cart emptied",
        {"type": "track", "event": "Cart Updated", "properties": {"products": []}},
        (CART, {"user": {"userId": "u1"}, "items": []}),
    ),
    _call(
        "X38 Product Added without products",
        {"type": "track", "event": "Product Added", "properties": {"product_id": "1", "price": 3}},
        *_event(
            userId="u1",
            eventName="Product Added",
            id="m",
            createdAt=1772366400,
            dataFields={"product_id": "1", "price": 3},
        ),
        warned=("cart_fallback", "properties.products"),
    ),
    _call(
        "X39 Checkout Started is custom",
        {"type": "track", "event": "Checkout Started", "properties": {"products": [_ONE]}},
        *_event(
            userId="u1", eventName="Checkout Started", id="m", createdAt=1772366400, dataFields={"products": [_ONE]}
        ),
    ),
    _call(
        "X40 fractional quantity",
        _ordered(products=[{**_ONE, "quantity": 1.5}]),
        wrong=("invalid_item", "items[0].quantity"),
    ),
    _identify(
        "X41 device token",
        {"userId": "u1", "context": {"device": {"token": 54321, "type": "ios"}}},
        *_user(userId="u1"),
        (
            DEVICE,
            {"userId": "u1", "device": {"token": "54321", "platform": "APNS", "applicationName": "com.acme.app"}},
        ),
        sync={"object": "calls", "devices": {"application_name": "com.acme.app"}},
    ),
)
