"""Every stated limit is in the table, and each request finds its own (api.md 2.1)."""

import pytest

from iterable_pipelines.api import LIMITS
from iterable_pipelines.api.limits import limits_of, scope_of

FOUND = {
    "GET /api/export/data.json": "export",
    "GET /api/export/data.csv": "export",
    "POST /api/export/start": "export start",
    "GET /api/export/3562/files": "export files",
    "DELETE /api/export/3562": "export cancel",
    "GET /api/export/jobs": "unstated",
    "GET /api/export/userEvents": "unstated",
    "GET /api/lists/getUsers": "list users",
    "GET /api/lists/previewUsers": "list preview",
    "GET /api/lists/949814/size": "list size",
    "GET /api/lists": "lists",
    "GET /api/campaigns/metrics": "campaign metrics",
    "GET /api/campaigns": "campaigns",
    "GET /api/campaigns/2220229": "campaigns",
    "GET /api/campaigns/recurring/7/childCampaigns": "campaigns",
    "GET /api/channels": "channels",
    "GET /api/messageTypes": "message types",
    "GET /api/templates": "templates",
    "GET /api/templates/email/get": "templates",
    "GET /api/templates/getByClientTemplateId": "templates",
    "GET /api/templates/inapp/get": "unstated",
    "GET /api/email/viewInBrowser": "view in browser",
    "POST /api/templates/inapp/preview": "template preview",
    "POST /api/templates/sms/proof": "template proof",
    "POST /api/campaigns/archive": "campaign archive",
    "GET /api/journeys": "unstated",
    "GET /api/experiments/metrics": "unstated",
    "GET /api/catalogs": "catalogs",
    "GET /api/catalogs/shoes/items": "catalogs",
    "POST /api/catalogs/shoes/items": "catalog items",
    "PUT /api/catalogs/shoes/items/7": "catalog item",
    "GET /api/catalogs/shoes/items/7": "catalog item read",
    "PATCH /api/catalogs/shoes/items/7": "catalog item change",
    "DELETE /api/catalogs/shoes/items/7": "catalog item change",
    "DELETE /api/catalogs/shoes/items": "catalog items gone",
    "GET /api/users/ann@example.com": "user",
    "GET /api/users/ann%40example.com": "user",
    "DELETE /api/users/byUserId/u-17": "user",
    "GET /api/users/byUserId": "user",
    "GET /api/users/getByEmail": "user",
    "GET /api/events/ann@example.com": "user events",
    "GET /api/events/byUserId/u-17": "user events",
    "GET /api/users/getFields": "user fields",
    "GET /api/users/forgotten": "user fields",
    "GET /api/users/forgottenUserIds": "user fields",
    "GET /api/users/getSentMessages": "user fields",
    "POST /api/users/update": "user update",
    "POST /api/users/bulkUpdate": "user bulk update",
    "POST /api/users/merge": "user merge",
    "POST /api/users/registerDeviceToken": "device token",
    "POST /api/events/track": "track",
    "POST /api/events/trackBulk": "track bulk",
    "POST /api/lists/subscribe": "list members",
    "POST /api/lists/unsubscribe": "list members",
    "POST /api/lists": "unstated",
    "POST /api/users/updateEmail": "email change",
    "POST /api/users/bulkUpdateSubscriptions": "subscriptions",
    "POST /api/commerce/trackPurchase": "commerce",
    "POST /api/commerce/updateCart": "commerce",
}


@pytest.mark.parametrize("request_line", FOUND)
def test_each_request_finds_its_limit(request_line: str) -> None:
    method, path = request_line.split(" ")
    assert [limit.name for limit in limits_of(method, path)] == [FOUND[request_line]]


def test_forgetting_has_a_pace_and_a_ration() -> None:
    for path in ("/api/users/forget", "/api/users/unforget"):
        assert [limit.name for limit in limits_of("POST", path)] == ["forget", "forget in a day"]


def test_no_limit_is_without_a_request() -> None:
    assert set(FOUND.values()) | {"forget", "forget in a day"} == set(LIMITS)


def test_the_figures_that_shape_an_import() -> None:
    stated = {name: (limit.calls, limit.seconds) for name, limit in LIMITS.items()}
    assert stated["export"] == (4, 60)
    assert stated["list users"] == stated["list size"] == (5, 60)
    assert stated["campaign metrics"] == (10, 60)
    assert stated["user bulk update"] == (5, 1)
    assert stated["track bulk"] == (10, 1)


def test_organizations_share_and_keys_do_not() -> None:
    key, other = "k" * 32, "o" * 32
    assert scope_of(LIMITS["export start"], key) == scope_of(LIMITS["export start"], other) == "organization"
    assert scope_of(LIMITS["export"], key) != scope_of(LIMITS["export"], other)
    assert key not in scope_of(LIMITS["export"], key)
