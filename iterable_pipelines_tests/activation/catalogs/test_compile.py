"""A row becomes an item, or is refused with what Iterable would refuse, or drop after it has said yes."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from iterable_pipelines.activation.compile.compiler import Acknowledged
from iterable_pipelines.activation.records import Identity, wire
from iterable_pipelines_tests.activation.compile.made import codes, compiler

SHOP: dict[str, Any] = {"catalog": "Shop", "item_id": "sku", "fields": "*"}


def value(row: dict[str, Any], columns: str = "sku v", **more: Any) -> str:
    (record,) = compiler("catalog", columns, **{**SHOP, **more}).compile("1", {"sku": "a", **row}).records
    return wire(record.payload.get("value", record.payload.get("update")))


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (9007199254740993, "9007199254740993"),
        (Decimal("0.1000000000000000000000001"), "0.1000000000000000000000001"),
        (Decimal("5.00"), "5.0"),
        (datetime(2026, 1, 14, 6, 20, 22, 987, UTC), '"2026-01-14 06:20:22 +00:00"'),
        (date(2026, 1, 14), '"2026-01-14"'),
        ([{"size": "S", "stock": 3}, {"size": "M", "stock": None}], '[{"size":"S","stock":3},{"size":"M"}]'),
        ({"a": [1, 2], "b": {"c": True}}, '{"a":[1,2],"b":{"c":true}}'),
        ('say "hi" ü', '"say \\"hi\\" ü"'),
    ],
)
def test_v1_v3_v4_values_arrive_as_they_are(given: Any, sent: str) -> None:
    assert value({"v": given}) == f'{{"v":{sent}}}'


def test_v5_null_sends_nothing_unless_it_is_to_clear() -> None:
    assert value({"v": None}) == "{}"
    assert value({"v": None}, null_policy="send") == '{"v":null}'


def test_an_address_is_a_field_like_any_other() -> None:
    assert value({"email": "shop@ex.com", "userId": "u"}, "sku email userId") == '{"email":"shop@ex.com","userId":"u"}'


@pytest.mark.parametrize(
    ("more", "endpoint", "flags", "payload"),
    [
        ({}, "catalog_items", {"replaceUploadedFieldsOnly": True}, {"id": "a", "value": {"v": 1}}),
        ({"replace": True}, "catalog_items", {"replaceUploadedFieldsOnly": False}, {"id": "a", "value": {"v": 1}}),
        ({"mode": "insert"}, "catalog_items", {"replaceUploadedFieldsOnly": True}, {"id": "a", "value": {"v": 1}}),
        ({"mode": "update"}, "catalog_item_update", {"itemId": "a"}, {"update": {"v": 1}}),
        ({"mode": "update", "replace": True}, "catalog_item", {"itemId": "a"}, {"value": {"v": 1}}),
        ({"delivery": "single"}, "catalog_item_update", {"itemId": "a"}, {"update": {"v": 1}}),
        ({"delivery": "single", "replace": True}, "catalog_item", {"itemId": "a"}, {"value": {"v": 1}}),
    ],
)
def test_each_mode_has_its_request(
    more: dict[str, Any], endpoint: str, flags: dict[str, Any], payload: dict[str, Any]
) -> None:
    (record,) = compiler("catalog", "sku v", **SHOP, **more).compile("1", {"sku": "a", "v": 1}).records
    assert (record.endpoint, record.payload, record.key) == (endpoint, payload, "item:shop/a")
    assert record.flags == {"catalog": "Shop", **flags}


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ({"sku": None}, "invalid_item_id"),
        ({"sku": "a_b"}, "invalid_item_id"),
        ({"sku": "a/b"}, "invalid_item_id"),
        ({"sku": "é"}, "invalid_item_id"),
        ({"sku": "a\n"}, "invalid_item_id"),
        ({"sku": "a" * 256}, "invalid_item_id"),
        ({"sku": 1.5}, "invalid_item_id"),
        ({"v": {"a": {"b.c": 1}}}, "catalog_field_name"),
        ({"v": [{"b.c": 1}]}, "catalog_field_name"),
        # as it is sent, in bytes of UTF-8: {"v":"…"} is eight more
        ({"v": "ü" * 14_997}, "catalog_value_too_large"),
        ({"v": "x" * 32_001}, "value_too_long"),
        ({"v": b"blob"}, "unserializable_value"),
    ],
)
def test_what_is_refused(row: dict[str, Any], code: str) -> None:
    assert codes(compiler("catalog", "sku v", **SHOP), {"sku": "a", "v": 1, **row}) == [code]


@pytest.mark.parametrize("sku", ["a" * 255, "A-1", 17, 17.0, Decimal(17)])
def test_what_is_an_item(sku: Any) -> None:
    (record,) = compiler("catalog", "sku v", **SHOP).compile("1", {"sku": sku, "v": "ü" * 14_996}).records
    assert record.payload["id"] == (sku if isinstance(sku, str) else "17")


def test_d32_an_item_has_at_most_350_fields() -> None:
    names = [f"f{nth}" for nth in range(351)]
    made = compiler("catalog", " ".join(["sku", *names]), **SHOP)
    assert codes(made, {"sku": "a", **dict.fromkeys(names, 1)}) == ["catalog_field_limit"]
    assert made.compile("1", {"sku": "a", **dict.fromkeys(names[:350], 1)}).records


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        ("boolean", [True, [True, False], None], [1, "true"]),
        ("long", [7, 7.0, [1, 2]], [7.5, "7", True, {"a": 1}]),
        ("double", [7, 7.5, Decimal("7.25")], ["7", True]),
        ("string", ["x", ["x", "y"]], [1, {"a": 1}]),
        ("date", ["2026-01-14", datetime(2026, 1, 14, tzinfo=UTC)], ["14.1.2026", 5, "2026-13-01", "20260114"]),
        ("object", [{"a": 1}, [{"a": 1}]], ["{}", 1]),
    ],
)
def test_a_declared_type_is_held_against_every_value(kind: str, right: list[Any], wrong: list[Any]) -> None:
    made = compiler("catalog", "sku v", **SHOP, field_types={"v": kind})
    assert all(made.compile("1", {"sku": "a", "v": each}).records for each in right)
    assert [codes(made, {"sku": "a", "v": each}) for each in wrong] == [["field_type_mismatch"]] * len(wrong)


def test_v7_a_geo_location_has_lat_and_lon() -> None:
    said = {**SHOP, "field_types": {"at_geo_location": "geo_location"}}
    made = compiler("catalog", "sku at_geo_location", **said)
    assert made.compile("1", {"sku": "a", "at_geo_location": {"lat": 1.5, "lon": 2}}).records
    assert codes(made, {"sku": "a", "at_geo_location": {"lat": 1}}) == ["invalid_geo_location"]


def test_volatile_fields_are_sent_and_are_no_change() -> None:
    made = compiler("catalog", "sku v seen", **SHOP, volatile="seen")
    (one,) = made.compile("1", {"sku": "a", "v": 1, "seen": 1}).records
    (other,) = made.compile("1", {"sku": "a", "v": 1, "seen": 2}).records
    assert one.payload != other.payload and one.compared == other.compared


def test_what_leaves_is_deleted_only_where_the_sync_says_so() -> None:
    gone = Acknowledged("item:shop/A-1", "1", "item", Identity("item", "shop/A-1"), {}, 0)
    deletes = compiler("catalog", "sku v", **SHOP, mode="mirror", on_leave="delete").leave(gone)
    assert deletes is not None and (deletes.endpoint, deletes.payload) == ("catalog_items_gone", {"id": "A-1"})
    assert compiler("catalog", "sku v", **SHOP, mode="mirror").leave(gone) is None
