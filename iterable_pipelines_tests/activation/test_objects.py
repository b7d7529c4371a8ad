"""Each object over real HTTP: a row arrives as its endpoint wants it, and what leaves is told (1.7, 1.8, P2, G5)."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from iterable_pipelines_tests.activation.conftest import Activation

Make = Callable[..., Activation]
WHO = "source: made.rows\nprimary_key: pk\nmatch: {column: who, field: email}\n"
ME, NOON = {"email": "a@ex.com"}, "2026-03-01T12:00:00Z"
ITEM = {"id": "1", "name": "A", "price": 1.5, "quantity": 2}
ITEMS = "[{'id': 1, 'name': 'A', 'price': 1.50, 'quantity': 2}]"


def arrived(project: Activation) -> list[tuple[str, str, Any]]:
    """Method, path and body of every write that the sandbox got."""
    asked = project.sandbox.requests("/api/")
    return [(each.method, each.path, json.loads(each.body or "null")) for each in asked if each.method != "GET"]


def begun(make: Make, text: str, row: str, project_type: str = "email") -> Activation:
    """A project whose only sync, s, has run once over two rows, of which the second stays as it is."""
    project = make(project_type)
    project.sync("s", text + WHO)
    one, other = (f"select {pk} as pk, '{who}' as who, {row}" for pk, who in ((1, "A@ex.com"), (2, "b@ex.com")))
    project.table("made.rows", f"{one} union all {other}")
    project.run("s")
    return project


CASES = {
    "C1 purchase": (
        "object: purchase\nfirst_run: backfill\nitems: items\ntotal: total\nid: order_id\ncreated_at: at\n"
        "fields: {currency: currency}\n",
        f"pk + 7 as order_id, {ITEMS} as items, 3.00 as total, timestamptz '{NOON}' as at, 'EUR' as currency",
        "/api/commerce/trackPurchase",
        {
            "id": "8",
            "user": ME,
            "total": 3.0,
            "items": [ITEM],
            "createdAt": 1772366400,
            "dataFields": {"currency": "EUR"},
        },
    ),
    "C7 cart": (
        "object: cart\nitems: items\n",
        f"{ITEMS} as items",
        "/api/commerce/updateCart",
        {"user": ME, "items": [ITEM]},
    ),
    "1.8 device": (
        "object: device\ntoken: token\nplatform: os\napplication_name: {constant: com.acme.app}\n",
        "12345 + pk as token, 'iOS' as os",
        "/api/users/registerDeviceToken",
        {**ME, "device": {"token": "12346", "platform": "APNS", "applicationName": "com.acme.app"}},
    ),
    "1.8 browser": (
        "object: device\ntoken: token\nbrowser: true\n",
        "'t' || pk as token",
        "/api/users/registerBrowserToken",
        {**ME, "browserToken": "t1"},
    ),
    "forget": ("object: user_action\naction: forget\nmode: insert\n", "1 as x", "/api/users/forget", ME),
}


@pytest.mark.parametrize(("text", "row", "path", "body"), CASES.values(), ids=CASES)
def test_one_request_a_row(activation_project: Make, text: str, row: str, path: str, body: dict[str, Any]) -> None:
    project = begun(activation_project, text, row)
    assert [each for each in arrived(project) if each[2] == body] == [("POST", path, body)]
    assert len(arrived(project)) == 2
    # the second run has nothing to say
    project.run("s")
    assert len(arrived(project)) == 2


def test_subscriptions_go_together(activation_project: Make) -> None:
    text = "object: subscription\nunsubscribed_channel_ids: channels\nemail_list_ids: lists\n"
    project = begun(activation_project, text, "[3, 1] as channels, null::int[] as lists")
    rows = [{"email": each, "unsubscribedChannelIds": [1, 3]} for each in ("a@ex.com", "b@ex.com")]
    assert arrived(project) == [("POST", "/api/users/bulkUpdateSubscriptions", {"updateSubscriptionsRequests": rows})]


def test_p2_a_trait_is_a_field_and_null_clears_it(activation_project: Make) -> None:
    text = "object: trait\ntrait_name: Orders Last 30 Days\nvalue: orders\n"
    project = begun(activation_project, text, "nullif(pk, 2) as orders")
    users = [
        {"email": "a@ex.com", "dataFields": {"orders_last_30_days": 1}},
        {"email": "b@ex.com", "dataFields": {"orders_last_30_days": None}},
    ]
    assert arrived(project) == [("POST", "/api/users/bulkUpdate", {"users": users})]


def test_an_action_deletes_by_the_path(activation_project: Make) -> None:
    text = "object: user\nfields: {x: x}\n"
    project = begun(activation_project, text, "1 as x")
    project.sync("gone", "object: user_action\naction: delete\nmode: insert\n" + WHO)
    project.run("gone")
    assert sorted(each[:2] for each in arrived(project)[1:]) == [
        ("DELETE", "/api/users/a@ex.com"),
        ("DELETE", "/api/users/b@ex.com"),
    ]


LEAVING = {
    "null_fields": (
        "object: user\non_leave: null_fields\nfields: {x: x, city: address.city}\n",
        "1 as x, 'Oslo' as city",
        (
            *("POST", "/api/users/bulkUpdate"),
            {"users": [{**ME, "mergeNestedObjects": True, "dataFields": {"x": None, "address": {"city": None}}}]},
        ),
        (),
    ),
    "delete": (
        "object: user\nmode: mirror\non_leave: delete\nfields: {x: x}\n",
        "1 as x",
        ("DELETE", "/api/users/a@ex.com", None),
        ("delete",),
    ),
    "clear": (
        "object: cart\nitems: items\non_leave: clear\n",
        f"{ITEMS} as items",
        ("POST", "/api/commerce/updateCart", {"user": ME, "items": []}),
        (),
    ),
    "disable": (
        "object: device\ntoken: token\nplatform: os\napplication_name: {constant: a}\non_leave: disable\n",
        "'t' || pk as token, 'android' as os",
        ("POST", "/api/users/disableDevice", {**ME, "token": "t1"}),
        (),
    ),
}


@pytest.mark.parametrize(("text", "row", "told", "approve"), LEAVING.values(), ids=LEAVING)
def test_g5_what_leaves_is_told_as_the_sync_says(
    activation_project: Make, text: str, row: str, told: tuple[str, str, Any], approve: tuple[str, ...]
) -> None:
    project = begun(activation_project, text, row)
    before = len(arrived(project))
    project.table("made.rows", f"select 2 as pk, 'b@ex.com' as who, {row}")
    project.run("s", approve=approve)
    assert arrived(project)[before:] == [told]
    project.run("s", approve=approve)
    assert len(arrived(project)) == before + 1
