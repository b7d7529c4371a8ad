"""Orders and carts (C1–C9), as rows and as calls."""

import json
from decimal import Decimal
from typing import Any

import pytest

from iterable_pipelines.activation.compile.compiler import Acknowledged
from iterable_pipelines.activation.records import wire
from iterable_pipelines_tests.activation.compile.made import BY_USER_ID, codes, compiler, payload, warnings

AT = 1772366400
ITEM = {"id": "1", "name": "A", "price": 1, "quantity": 1}
ORDER: dict[str, Any] = {**BY_USER_ID, "items": "items", "total": "total", "created_at": "at"}
COLUMNS = "user_id at items total id currency revenue"
ROW = {"user_id": "u1", "at": AT, "total": 5, "items": [ITEM]}


def order(row: dict[str, Any], **said: Any) -> dict[str, Any]:
    return payload(compiler("purchase", COLUMNS, **(ORDER | said)), ROW | row)


def wrong(row: dict[str, Any], **said: Any) -> list[tuple[str, str]]:
    made = compiler("purchase", COLUMNS, **(ORDER | said))
    return [(each.code, each.path) for each in made.compile("1", ROW | row).issues]


def item(given: dict[str, Any], **said: Any) -> Any:
    return order({"items": [ITEM | given]}, **said)["items"][0]


def call(event: str, properties: dict[str, Any], said: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    made = compiler("calls", "type event userId messageId timestamp properties traits context", **(said or {}))
    usual = {"type": "track", "event": event, "userId": "u1", "messageId": "m", "timestamp": AT}
    return payload(made, {**usual, "properties": properties, **more})


def test_c1_an_order_as_a_row() -> None:
    said = {"id": "id", "fields": {"currency": "currency"}, "campaign_id": {"constant": 7}}
    assert order({"id": 90017, "currency": "EUR"}, **said) == {
        "id": "90017",
        "user": {"userId": "u1"},
        "total": 5,
        "items": [ITEM],
        "createdAt": AT,
        "campaignId": 7,
        "dataFields": {"currency": "EUR"},
    }
    assert order({})["id"] == "wh:s:1"
    (record,) = compiler("purchase", COLUMNS, **ORDER).compile("1", ROW).records
    # C9: sent in the order of the events
    assert record.moment == AT


@pytest.mark.parametrize(
    ("properties", "known"),
    [
        ({"order_id": 1, "orderId": 2, "event_id": "e"}, "1"),
        ({"orderId": 2, "event_id": "e"}, "2"),
        ({"Order ID": "3"}, "3"),
        ({"eventId": "e"}, "e"),
        ({}, "m"),
    ],
)
def test_c1_k4_the_id_of_an_order(properties: dict[str, Any], known: str) -> None:
    assert call("Order Completed", {"total": 1, "products": [ITEM], **properties})["id"] == known


@pytest.mark.parametrize("event", ["order completed", "Completed Order", "ORDER COMPLETED"])
def test_c1_names_of_both_generations(event: str) -> None:
    assert call(event, {"total": 1, "products": [ITEM]})["items"] == [ITEM]


def test_c2_the_user_holds_identifiers_only_unless_asked() -> None:
    bought = {"total": 1, "products": [ITEM]}
    traits = {"context": {"traits": {"plan": "pro", "phone": "+14155550199", "email": "A@ex.com"}}}
    found = call("Order Completed", bought, **traits)
    assert found["user"] == {"email": "a@ex.com", "userId": "u1"}
    said = {"purchase_updates_profile": True, "create_new_fields": False}
    assert call("Order Completed", bought, said, **traits)["user"] == {
        "email": "a@ex.com",
        "userId": "u1",
        "createNewFields": False,
        "dataFields": {"plan": "pro", "phoneNumber": "+14155550199"},
    }


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        *(("1000", 1000), (" 19.90 ", 19.9), (-5, -5), (Decimal("41.50"), 41.5), (0, 0), (".5", 0.5), ("-3.", -3)),
        (12.75, 12.75),
    ],
)
def test_c3_totals(given: Any, sent: float) -> None:
    assert order({"total": given})["total"] == sent


def test_c3_a_total_is_exact() -> None:
    total = order({"total": Decimal("12345678901234567.89")})["total"]
    assert wire(total) == "12345678901234567.89"
    assert wire(order({"total": 2**70})["total"]) == str(2**70)


@pytest.mark.parametrize("given", ["1,000", "€5", "5 EUR", float("nan"), "NaN", "1e3", True, {"a": 1}, "Infinity"])
def test_c3_totals_that_are_none(given: Any) -> None:
    assert wrong({"total": given}) == [("invalid_total", "total")]


def test_c3_a_total_that_is_missing() -> None:
    assert wrong({"total": None}) == wrong({"total": " "}) == [("missing_total", "total")]
    items = [{**ITEM, "price": "0.10", "quantity": 3}, {**ITEM, "price": Decimal("0.20")}]
    assert order({"total": None, "items": items}, total_fallback="sum_of_items")["total"] == 0.5
    assert order({"total": None, "revenue": "7"}, total_fallback="revenue")["total"] == 7
    bought = {"revenue": 3, "products": [ITEM]}
    found = call("Order Completed", bought, {"total_fallback": "revenue"})
    assert (found["total"], found["dataFields"]) == (3, {"revenue": 3})


@pytest.mark.parametrize(
    ("items", "code"),
    [
        (None, "missing_products"),
        ([], "missing_products"),
        ("", "missing_products"),
        ("x", "invalid_products"),
        ({}, "invalid_products"),
        (7, "invalid_products"),
    ],
)
def test_c4_items_are_required(items: Any, code: str) -> None:
    assert wrong({"items": items}) == [(code, "items")]


def test_c4_items_may_be_json() -> None:
    assert order({"items": json.dumps([ITEM])})["items"] == [ITEM]


@pytest.mark.parametrize(
    ("given", "name"),
    [
        *(({"id": None}, "id"), ({"id": " "}, "id"), ({"name": None}, "name"), ({"price": None}, "price")),
        *(
            ({"price": "12,5"}, "price"),
            ({"price": "€1"}, "price"),
            ({"quantity": 1.5}, "quantity"),
            ({"quantity": None}, "quantity"),
        ),
        *(({"quantity": "many"}, "quantity"), ({"sku": {"a": 1}}, "sku"), ({"categories": 7}, "categories")),
    ],
)
def test_c5_any_bad_item_spoils_the_order(given: dict[str, Any], name: str) -> None:
    assert wrong({"items": [ITEM, ITEM | given]}) == [("invalid_item", f"items[1].{name}")]


def test_c5_an_item_that_is_no_object() -> None:
    assert wrong({"items": ["mug"]}) == [("invalid_item", "items[0]")]


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"quantity": "2"}, {"quantity": 2}),
        ({"quantity": 2.0}, {"quantity": 2}),
        ({"price": "12.75"}, {"price": 12.75}),
        ({"id": 10606}, {"id": "10606"}),
        ({"product_id": "p"}, {"id": "p", "dataFields": {"id": "1"}}),
        (
            {"sku": 5, "description": "d", "url": "u", "image_url": "i"},
            {"sku": "5", "description": "d", "url": "u", "imageUrl": "i"},
        ),
        ({"Image URL": "i"}, {"imageUrl": "i"}),
        ({"categories": "Food, Tea"}, {"categories": ["Food, Tea"]}),
        ({"category": "Food"}, {"categories": ["Food"]}),
        ({"size": "L", "colour": None}, {"dataFields": {"size": "L"}}),
    ],
)
def test_c5_0_19_items(given: dict[str, Any], sent: dict[str, Any]) -> None:
    assert item(given) == ITEM | sent


def test_c5_what_has_to_be_asked_for() -> None:
    assert item({"categories": " Food, Tea,"}, split_categories_on=",")["categories"] == ["Food", "Tea"]
    given = [{**ITEM, "id": None, "sku": "S"}]
    assert wrong({"items": given}) == [("invalid_item", "items[0].id")]
    assert order({"items": given}, item_id_from_sku=True)["items"][0]["id"] == "S"


def test_c6_what_is_data_of_an_order() -> None:
    given = {
        "total": 1,
        "products": [ITEM],
        "campaignId": 7,
        "Template_ID": "8",
        "email": "a@ex.com",
        "order_id": 9,
        "tax": 1,
    }
    found = call("Order Completed", given)
    assert (found["dataFields"], found["campaignId"], found["templateId"]) == ({"order_id": 9, "tax": 1}, 7, 8)


@pytest.mark.parametrize(
    "event", ["Product Added", "added product", "Product Removed", "Removed Product", "Cart Updated"]
)
def test_c7_a_cart_is_what_the_array_says(event: str) -> None:
    assert call(event, {"products": [ITEM]}) == {"user": {"userId": "u1"}, "items": [ITEM]}
    assert call(event, {"Products": "[]"}) == {"user": {"userId": "u1"}, "items": []}


def test_c7_without_products_an_event_or_an_error() -> None:
    columns = "type event userId timestamp properties"
    row = {"type": "track", "event": "Product Added", "userId": "u1", "timestamp": AT, "properties": {"price": 3}}
    assert warnings(compiler("calls", columns), row) == [("cart_fallback", "properties.products")]
    assert codes(compiler("calls", columns, cart_without_products="error"), row) == ["missing_products"]
    broken = {**row, "properties": {"products": "a mug"}}
    assert codes(compiler("calls", columns), broken) == ["invalid_products"]


@pytest.mark.parametrize("event", ["Checkout Started", "Order Refunded", "Product Viewed", "Cart Viewed"])
def test_c8_the_rest_are_events(event: str) -> None:
    assert call(event, {"products": [ITEM]})["dataFields"] == {"products": [ITEM]}


def test_c7_c9_a_cart_as_a_row() -> None:
    made = compiler("cart", "user_id items at", **BY_USER_ID, items="items", created_at="at", on_leave="clear")
    (record,) = made.compile("1", {"user_id": "u1", "items": [ITEM], "at": AT}).records
    assert (record.payload, record.moment) == ({"user": {"userId": "u1"}, "items": [ITEM]}, AT)
    assert payload(made, {"user_id": "u1", "items": []})["items"] == []
    gone = made.leave(Acknowledged("1", "1", record.output, record.identity, record.payload, 0))
    assert gone is not None and gone.payload == {"user": {"userId": "u1"}, "items": []}
    keeping = compiler("cart", "user_id items", **BY_USER_ID, items="items")
    assert keeping.leave(Acknowledged("1", "1", record.output, record.identity, record.payload, 0)) is None
