"""The sandbox against Iterable's own Swagger: every operation it has, its parameters, bodies and answers."""

import copy
import json
import re
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import jsonschema
import pytest
import requests

from iterable_pipelines.data_types import DATA_TYPE
from iterable_pipelines.sandbox import World, running_sandbox
from iterable_pipelines.sandbox.limits import LIMITS
from iterable_pipelines.sandbox.server import make_routes
from iterable_pipelines.sandbox.world import utc

SPEC = json.loads(Path(__file__).with_name("swagger").joinpath("api-docs.json").read_text())


class Wrong(NamedTuple):
    """A model of the Swagger that is known to be wrong: where, what is true instead, and how that is known."""

    definition: str
    property: str
    truth: dict[str, Any]
    reason: str


NUMBER, ANY = {"type": "number"}, {}
KNOWN_WRONG = [
    Wrong("IterableApiResponse", "code", {"type": "string"}, "also Accepted, which the list has not got (api.md 1.3)"),
    Wrong("WebInAppDisplaySettings", "position", {"type": "string"}, "a word; the model shows the server's own class"),
    Wrong("IterableApiResponse", "params", ANY, "null in most real answers (api.md 1.3, 1.4)"),
    Wrong("ApiTemplateResponse", "createdAt", NUMBER, "epoch milliseconds in reality (api.md 5.5, 8 item 40)"),
    Wrong("ApiTemplateResponse", "updatedAt", NUMBER, "epoch milliseconds in reality (api.md 5.5, 8 item 40)"),
    Wrong("ApiPushTemplateModel", "createdAt", NUMBER, "epoch milliseconds: the official client refuses text"),
    Wrong("ApiPushTemplateModel", "updatedAt", NUMBER, "epoch milliseconds: the official client refuses text"),
    Wrong("ApiSMSTemplateModel", "createdAt", NUMBER, "epoch milliseconds: the official client refuses text"),
    Wrong("ApiSMSTemplateModel", "updatedAt", NUMBER, "epoch milliseconds: the official client refuses text"),
    Wrong(
        "CampaignsResponse", "totalCampaignsCount", NUMBER, "an optional number, rendered as object by the generator"
    ),
    Wrong(
        "GetTemplatesResponse", "totalTemplatesCount", NUMBER, "an optional number, rendered as object by the generator"
    ),
    Wrong("ApiPushTemplateModel", "campaignId", NUMBER, "an optional number, rendered as object by the generator"),
    Wrong("ApiSMSTemplateModel", "campaignId", NUMBER, "an optional number, rendered as object by the generator"),
    Wrong("SnippetResponse", "id", NUMBER, "an optional number, rendered as object by the generator"),
    Wrong("ApiInAppMessage", "createdAt", NUMBER, "epoch milliseconds, as the SDKs read it (api.md 5.10)"),
    Wrong("ApiInAppMessage", "expiresAt", NUMBER, "epoch milliseconds, as the SDKs read it (api.md 5.10)"),
    Wrong("ChannelDetails", "messageMedium", {"type": "string"}, "real projects have WebPush and others (api.md 5.4)"),
    Wrong(
        "JobModel", "dataTypeName", {"type": "string"}, "a name; the model shows the server's own class (api.md 3.5)"
    ),
    Wrong(
        "JobModel",
        "jobState",
        {"type": "string"},
        "a lower-case word; the model shows the server's own class (api.md 3.5)",
    ),
    Wrong(
        "ExportJobStatusAndFiles",
        "jobState",
        {"type": "string"},
        "states are lower-case in reality (api.md 3.5, 8 item 40)",
    ),
    Wrong(
        "CatalogItemWithProperties", "lastModified", NUMBER, "epoch milliseconds as clients see it (api.md 1.6, 5.8)"
    ),
    Wrong(
        "CatalogItemWithProperties",
        "value",
        {"type": "object"},
        "the item itself; the model shows a JSON library's class",
    ),
]
WRAPPED = {
    "/api/catalogs",
    "/api/catalogs/{catalogName}/items",
    "/api/catalogs/{catalogName}/fieldMappings",
}  # api.md 5.8
TEXT_IN_REALITY = {"/api/experiments/metrics"}  # CSV; ExperimentMetricsResponse is wrong (api.md 5.7, 8 item 40)
BEYOND_SPEC = {("GET", "/api/experiments")}  # in a newer capture of the live document (api.md 5.7)

WINDOW = {"startDateTime": "2026-11-01 00:00:00", "endDateTime": "2026-11-01 01:00:00"}
SPAN = {"startDateTime": "2026-10-01", "endDateTime": "2026-11-01"}
EMAIL, USER_ID = "newcomer+1@example.com", "newcomer-2"
PERSON = {"email": EMAIL, "dataFields": {"favourite": "red"}, "mergeNestedObjects": True, "preferUserId": True}
ITEM = {"id": "A", "name": "B", "price": 1.5, "quantity": 1}
DEVICE = {"token": "t-1", "platform": "APNS", "applicationName": "com.example.app"}
THERE = [{"email": f"{name}@example.com"} for name in ("source", "destination", "old", "delete-me")]
THERE.append({"email": "shares@example.com", "userId": "delete-me"})
THERE += [{"email": "member@example.com", "userId": "member"}, {"email": "late@example.com"}]
EVENT = {"email": EMAIL, "eventName": "scored", "id": "scored-1", "createdAt": 1793491200, "dataFields": {"n": 1}}
NOBODY = {"email": "no address"}
JOB = {"dataTypeName": "rcsSend", "outputFormat": "application/x-json-stream", **WINDOW}
PLANNED = {"name": "Later", "templateId": 3000000, "listIds": [949810], "scheduleSend": False}
RIGHTS: dict[str, Any] = {"may_schedule": True, "may_activate": True, "subscription_groups": True}
LIST_GROUP = {"subscriptionGroup": "emailList", "subscriptionGroupId": 949811}
LATE, TARGET = "late@example.com", {"recipientEmail": EMAIL, "allowRepeatMarketingSends": False}
# a triggered campaign of each medium
TARGETED = {
    "email": 2200008,
    "push": 2200001,
    "sms": 2200002,
    "inApp": 2200011,
    "webPush": 2200004,
    "whatsApp": 2200014,
}
PAGES = {"page": 1, "pageSize": 10}
PRODUCTS = {"catalogName": "products"}
TEMPLATES: dict[str, dict[str, Any]] = {
    "email": {"subject": "Hi", "html": "<p>Hi</p>", "ccEmails": ["cc@example.com"], "dataFeedIds": [1]},
    "push": {"title": "Hi", "message": "There", "buttons": [], "deeplink": {"ios": "app://a"}},
    "sms": {"message": "Hi", "linkParams": [{"key": "a", "value": "b"}]},
    "inapp": {"html": "<p>Hi</p>", "inboxMetadata": {"title": "Hi"}},
    "embedded": {"title": "Hi", "body": "There", "elements": {"buttons": [], "text": []}},
}


class Ask(NamedTuple):
    """One request: path parameters, query, JSON body."""

    at: Mapping[str, Any] = MappingProxyType({})
    query: Mapping[str, Any] = MappingProxyType({})
    body: dict[str, Any] | None = None


GETS = {
    "/api/campaigns": Ask(query={**PAGES, "sort": "-id", "campaignState": ["Running", "Finished"]}),
    "/api/campaigns/{id}": Ask({"id": 2200000}),
    "/api/campaigns/metrics": Ask(query={"campaignId": ["2200000", "2200001"], **SPAN}),
    "/api/campaigns/recurring/{id}/childCampaigns": Ask({"id": 2899999}, PAGES),
    "/api/catalogs": Ask(query=PAGES),
    "/api/catalogs/{catalogName}/items": Ask(PRODUCTS, PAGES),
    "/api/catalogs/{catalogName}/items/{itemId}": Ask({**PRODUCTS, "itemId": "item-3"}),
    "/api/catalogs/{catalogName}/fieldMappings": Ask(PRODUCTS),
    "/api/channels": Ask(),
    "/api/events/{email}": Ask({"email": EMAIL}, {"limit": 10}),
    "/api/events/byUserId/{userId}": Ask({"userId": "u-1"}, {"limit": 10}),
    "/api/experiments/metrics": Ask(query={"campaignId": [2200008], **SPAN}),
    "/api/export/data.json": Ask(query={"dataTypeName": "emailSend", **WINDOW}),
    "/api/export/data.csv": Ask(query={"dataTypeName": "user", "range": "All", "delimiter": ";"}),
    "/api/export/userEvents": Ask(query={"email": EMAIL, "includeCustomEvents": True}),
    "/api/export/jobs": Ask(query={"jobState": "running"}),
    "/api/export/{jobId}/files": Ask({"jobId": 3562}, {"startAfter": ""}),
    "/api/inApp/getMessages": Ask(query={"email": EMAIL, "count": 5, "platform": "iOS"}),
    "/api/journeys": Ask(query={**PAGES, "state": ["Archived"]}),
    "/api/lists": Ask(),
    "/api/lists/getUsers": Ask(query={"listId": 949810, "preferUserId": True}),
    "/api/lists/previewUsers": Ask(query={"listId": 949810, "size": 5}),
    "/api/lists/{listId}/size": Ask({"listId": 949810}),
    "/api/messageTypes": Ask(),
    "/api/metadata": Ask(),
    "/api/metadata/{table}": Ask({"table": "prices"}, {"nextMarker": "key-0010"}),
    "/api/metadata/{table}/{key}": Ask({"table": "prices", "key": "key-0001"}),
    "/api/snippets": Ask(),
    "/api/snippets/{identifier}": Ask({"identifier": "footer-1"}),
    "/api/templates": Ask(
        query={**PAGES, "templateType": "Blast", "messageMedium": "SMS", "startDateTime": "2020-01-01"}
    ),
    "/api/templates/email/get": Ask(query={"templateId": 3000000}),
    "/api/templates/push/get": Ask(query={"templateId": 3000001}),
    "/api/templates/sms/get": Ask(query={"templateId": 3000002}),
    "/api/templates/inapp/get": Ask(query={"templateId": 3000003}),
    "/api/templates/embedded/get": Ask(query={"templateId": 3000005}),
    "/api/templates/getByClientTemplateId": Ask(query={"clientTemplateId": "client-3000000"}),
    "/api/users/byUserId": Ask(query={"userId": "1234"}),
    "/api/users/byUserId/{userId}": Ask({"userId": "1234"}),
    "/api/users/forgotten": Ask(),
    "/api/users/forgottenUserIds": Ask(),
    "/api/users/getByEmail": Ask(query={"email": EMAIL}),
    "/api/users/getFields": Ask(),
    "/api/users/getSentMessages": Ask(query={"userId": "1234", "limit": 5, **SPAN}),
    "/api/users/{email}": Ask({"email": EMAIL}),
    "/api/webhooks": Ask(),
}
POSTS = {
    **{f"/api/{medium}/target": Ask(body=TARGET | {"campaignId": nth}) for medium, nth in TARGETED.items()},
    **{f"/api/{medium}/cancel": Ask(body={"campaignId": nth, "email": LATE}) for medium, nth in TARGETED.items()},
    "/api/snippets": Ask(body={"name": "fresh", "content": "Hi", "description": "", "variables": ["a"]}),
    "/api/workflows/triggerWorkflow": Ask(body={"workflowId": 76780, "listId": 949810, "dataFields": {}}),
    "/api/campaigns/abort": Ask(body={"campaignId": 2200013}),
    "/api/campaigns/activateTriggered": Ask(body={"campaignId": 2200004}),
    "/api/campaigns/archive": Ask(body={"campaignIds": [2200010, 1]}),
    "/api/campaigns/cancel": Ask(body={"campaignId": 2899999}),
    "/api/campaigns/create": Ask(body={"name": "New", "templateId": 3000000, "listIds": [], "scheduleSend": False}),
    "/api/campaigns/deactivateTriggered": Ask(body={"campaignId": 2200005}),
    "/api/campaigns/trigger": Ask(body={"campaignId": 2200007, "listIds": [949810], "dataFields": {"a": 1}}),
    "/api/campaigns/{campaignId}/schedule": Ask({"campaignId": 5000000}, body={"sendAt": "2026-11-03 00:00:00"}),
    "/api/campaigns/{campaignId}/send": Ask({"campaignId": 5000001}),
    "/api/catalogs/{catalogName}": Ask({"catalogName": "brand-new"}),
    "/api/catalogs/{catalogName}/items": Ask(
        PRODUCTS, body={"documents": {"item-5": {"n": 1}}, "replaceUploadedFieldsOnly": True}
    ),
    "/api/commerce/trackPurchase": Ask(body={"user": PERSON, "items": [ITEM], "total": 1.5, "id": "order-1"}),
    "/api/commerce/updateCart": Ask(body={"user": PERSON, "items": [ITEM]}),
    "/api/events/track": Ask(body=EVENT),
    "/api/events/trackBulk": Ask(body={"events": [EVENT, NOBODY | {"eventName": "x"}]}),
    "/api/export/start": Ask(body=JOB),
    "/api/lists": Ask(body={"name": "New", "description": "made by a test"}),
    "/api/lists/subscribe": Ask(body={"listId": 949810, "subscribers": [{"email": EMAIL}, NOBODY]}),
    "/api/lists/unsubscribe": Ask(body={"listId": 949810, "subscribers": [{"email": EMAIL}]}),
    "/api/templates/bulkDelete": Ask(body={"ids": [1]}),
    **{
        f"/api/templates/{medium}/upsert": Ask(body={"clientTemplateId": "mine", "name": "Mine", **fields})
        for medium, fields in TEMPLATES.items()
    },
    **{
        f"/api/templates/{medium}/update": Ask(body={"templateId": 3000000 + nth, **fields})
        for nth, (medium, fields) in zip((0, 1, 2, 3, 5), TEMPLATES.items(), strict=True)
    },
    "/api/users/bulkUpdate": Ask(body={"users": [PERSON, {"userId": USER_ID}], "createNewFields": True}),
    "/api/users/bulkUpdateSubscriptions": Ask(
        body={"updateSubscriptionsRequests": [{"email": EMAIL, "emailListIds": [949810]}, NOBODY]}
    ),
    "/api/users/disableDevice": Ask(body={"token": "t-1", "email": "pushed@example.com"}),
    "/api/users/forget": Ask(body={"email": "forget-me@example.com"}),
    "/api/users/merge": Ask(
        body={
            "sourceEmail": "source@example.com",
            "destinationEmail": "destination@example.com",
            "arrayMerge": [{"field": "tags"}],
        }
    ),
    "/api/users/registerBrowserToken": Ask(body={"email": EMAIL, "browserToken": "b-1"}),
    "/api/users/registerDeviceToken": Ask(body={"email": EMAIL, "device": DEVICE | {"dataFields": {"os": "17"}}}),
    "/api/users/unforget": Ask(body={"email": "forgotten6@example.com"}),
    "/api/users/update": Ask(body=PERSON),
    "/api/users/updateEmail": Ask(body={"currentEmail": "old@example.com", "newEmail": "brand-new@example.com"}),
    "/api/users/updateSubscriptions": Ask(body={"email": EMAIL, "emailListIds": [949810]}),
    "/api/webhooks": Ask(
        body={
            "id": 51,
            "endpoint": "https://hooks.example.com/new",
            "enabled": True,
            "authType": "OAuth2",
            "authToken": "t",
            "headers": [{"key": "X-Project", "value": "9079"}],
            "blastSendEnabled": True,
            "triggeredSendEnabled": False,
        }
    ),
}
PUTS = {
    "/api/metadata/{table}/{key}": Ask({"table": "Test", "key": "new"}, body={"value": {"n": 1}}),
    "/api/snippets/{identifier}": Ask({"identifier": "footer-2"}, body={"content": "Hi", "variables": []}),
    "/api/subscriptions/{subscriptionGroup}/{subscriptionGroupId}": Ask(
        LIST_GROUP, {"action": "subscribe"}, {"users": [EMAIL], "usersByUserId": []}
    ),
    "/api/catalogs/{catalogName}/fieldMappings": Ask(
        PRODUCTS, body={"mappingsUpdates": [{"fieldName": "size", "fieldType": "object"}]}
    ),
    "/api/catalogs/{catalogName}/items/{itemId}": Ask({**PRODUCTS, "itemId": "item-4"}, body={"value": {"n": 1}}),
}
BY_GROUP = {
    "/api/subscriptions/{subscriptionGroup}/{subscriptionGroupId}/byUserId/{userId}": Ask(
        {**LIST_GROUP, "userId": "member"}
    ),
    "/api/subscriptions/{subscriptionGroup}/{subscriptionGroupId}/user/{userEmail}": Ask(
        {**LIST_GROUP, "userEmail": "member@example.com"}
    ),
}
PATCHES = {
    **BY_GROUP,
    "/api/catalogs/{catalogName}/items/{itemId}": Ask({**PRODUCTS, "itemId": "item-4"}, body={"update": {"n": 2}}),
}
DELETES = {
    "/api/metadata/{table}": Ask({"table": "Test"}),
    "/api/metadata/{table}/{key}": Ask({"table": "prices", "key": "key-0029"}),
    "/api/snippets/{identifier}": Ask({"identifier": "footer-0"}),
    **BY_GROUP,
    "/api/catalogs/{catalogName}": Ask({"catalogName": "stores"}),
    "/api/catalogs/{catalogName}/items": Ask(PRODUCTS, body={"itemIds": ["item-1"]}),
    "/api/catalogs/{catalogName}/items/{itemId}": Ask({**PRODUCTS, "itemId": "item-2"}),
    "/api/export/{jobId}": Ask({"jobId": 3562}),
    "/api/lists/{listId}": Ask({"listId": 949813}),
    "/api/users/{email}": Ask({"email": "delete-me@example.com"}),
    "/api/users/byUserId/{userId}": Ask({"userId": "delete-me"}),
}
BY_VERB = {"GET": GETS, "POST": POSTS, "PUT": PUTS, "PATCH": PATCHES, "DELETE": DELETES}
ASKED = {(verb, path): ask for verb, asks in BY_VERB.items() for path, ask in asks.items()}
ALL = {(method.upper(), path) for path, operations in SPEC["paths"].items() for method in operations}
NOT_IMPLEMENTED = ALL - set(ASKED)


@pytest.fixture(scope="module")
def sandboxes():
    start, end = utc("2026-10-25"), utc("2026-11-02")
    with (
        running_sandbox(start=start, end=end, relaxed=True, job_seconds=60, **RIGHTS) as by_email,
        running_sandbox(start=start, end=end, relaxed=True, project_type="hybrid") as hybrid,
    ):
        url, headers = by_email.url, {"Api-Key": by_email.key}
        requests.post(url + "/api/users/update", json=PERSON, headers=headers, timeout=30)
        requests.post(url + "/api/users/bulkUpdate", json={"users": THERE}, headers=headers, timeout=30)
        device = {"email": "pushed@example.com", "device": DEVICE}
        requests.post(url + "/api/users/registerDeviceToken", json=device, headers=headers, timeout=30)
        requests.post(url + "/api/export/start", json=JOB, headers=headers, timeout=30)
        for medium, number in TARGETED.items():
            later = {"recipientEmail": LATE, "sendAt": "2026-11-03 00:00:00", "campaignId": number}
            requests.post(f"{url}/api/{medium}/target", json=later, headers=headers, timeout=30)
        for _ in range(2):
            requests.post(url + "/api/campaigns/create", json=PLANNED, headers=headers, timeout=30)
        stopped = {"campaignId": 2200004}
        requests.post(url + "/api/campaigns/deactivateTriggered", json=stopped, headers=headers, timeout=30)
        yield by_email, hybrid


def definitions() -> dict[str, Any]:
    known = copy.deepcopy(SPEC["definitions"])
    for definition, name, truth, _ in KNOWN_WRONG:
        known[definition]["properties"][name] = truth
    return known


def valid(value: Any, schema: dict[str, Any]) -> None:
    jsonschema.Draft4Validator(schema | {"definitions": definitions()}).validate(value)


def test_known_wrong_models_are_still_in_the_document():
    for definition, name, truth, reason in KNOWN_WRONG:
        assert SPEC["definitions"][definition]["properties"][name] != truth and reason


def test_the_53_data_types_are_the_documents():
    assert set(_parameter("GET", "/api/export/data.json", "dataTypeName")["enum"]) == set(DATA_TYPE)


def test_the_sandbox_has_exactly_the_routes_tried_here():
    pairs = [(verb, route.path) for route in make_routes(World(users=1)) for verb in route.methods - {"HEAD"}]
    assert len(pairs) == len(set(pairs))
    served = {pair for pair in pairs if pair[1].startswith("/api/")} - BEYOND_SPEC
    unmatched = {each for each in ASKED if not any(_same(each, route) for route in served)}
    assert not unmatched and all(any(_same(each, route) for each in ASKED) for route in served)


def _same(asked: tuple[str, str], route: tuple[str, str]) -> bool:
    """Whether a route of ours, whose parameters have names of their own, serves an operation of the document."""
    theirs, ours = asked[1].split("/"), route[1].split("/")
    pairs = zip(theirs, ours, strict=False)
    return asked[0] == route[0] and len(theirs) == len(ours) and all(a == b or b.startswith("{") for a, b in pairs)


def _parameter(method: str, path: str, name: str) -> dict[str, Any]:
    found = [each for each in SPEC["paths"][path][method.lower()].get("parameters", []) if each["name"] == name]
    assert found, f"{method} {path} has no parameter {name}"
    return found[0]


@pytest.mark.parametrize(("method", "path"), sorted(ASKED))
def test_operation(sandboxes, method, path):
    ask, operation = ASKED[method, path], SPEC["paths"][path][method.lower()]
    given = [("path", ask.at), ("query", ask.query)]
    for place, values in given:
        for name, value in values.items():
            parameter = _parameter(method, path, name)
            assert parameter["in"] == place
            if parameter.get("type") == "array":
                assert isinstance(value, list) and parameter.get("collectionFormat", "multi") == "multi"
            elif parameter["type"] != "object":
                valid(value, {key: parameter[key] for key in ("type", "enum") if key in parameter})
    required = {
        each["name"] for each in operation.get("parameters", []) if each.get("required") and each["in"] != "body"
    }
    assert required <= {*ask.at, *ask.query}
    if ask.body is not None:
        valid(ask.body, _parameter(method, path, "body")["schema"])

    sandbox = sandboxes[path == "/api/users/forgottenUserIds"]
    address = sandbox.url + path.format(
        **{name: requests.utils.quote(str(value), safe="") for name, value in ask.at.items()}
    )
    query = {name: str(value).lower() if isinstance(value, bool) else value for name, value in ask.query.items()}
    send = partial(requests.request, method, address, params=query, json=ask.body, timeout=30)
    while (answer := send(headers={"Api-Key": sandbox.key})).status_code == 429:
        time.sleep(0.1)
    # writes that are applied later answer 202, and creations 201, where the document has these
    assert answer.status_code == 200 or (method != "GET" and str(answer.status_code) in operation["responses"])
    assert answer.status_code < 300, answer.text
    schema = operation["responses"].get("200", {}).get("schema")
    if path in TEXT_IN_REALITY or (schema or {}).get("type") == "string":
        assert "json" not in answer.headers["content-type"] or "json-stream" in answer.headers["content-type"]
    elif schema is not None:
        body = answer.json()
        valid(body["params"] if method == "GET" and path in WRAPPED else body, schema)

    refused = send(headers={"Api-Key": "wrong"})
    assert refused.status_code == 401
    valid(refused.json(), {"$ref": "#/definitions/IterableApiResponse"})


@pytest.mark.parametrize(("method", "path"), sorted(NOT_IMPLEMENTED))
def test_what_is_not_implemented_says_so(sandboxes, method, path):
    sandbox = sandboxes[0]
    answer = requests.request(method, sandbox.url + path, json={}, headers={"Api-Key": sandbox.key}, timeout=30)
    assert answer.status_code in (404, 405)


def documented_limits() -> dict[tuple[str, str], list[tuple[int, float]]]:
    """Calls and seconds of every operation whose description names a rate limit, or a cap for a day as well."""
    found: dict[tuple[str, str], list[tuple[int, float]]] = {}
    for path, operations in SPEC["paths"].items():
        for method, operation in operations.items():
            stated = re.search(r"Rate limit</b>:?\s*(\d+) requests?/(second|minute)", operation.get("description", ""))
            if stated:
                found[method.upper(), path] = [(int(stated[1]), 60.0 if stated[2] == "minute" else 1.0)]
                capped = re.search(r"Daily Cap</b>: (\d+) requests per 24 hour", operation["description"])
                found[method.upper(), path] += [(int(capped[1]), 86_400.0)] if capped else []
    return found


@pytest.mark.parametrize("operation", sorted(ASKED))
def test_limits_are_the_documents(operation):
    method, path = operation
    filled = path.format(**ASKED[operation].at)
    rules = [each for each in LIMITS if each.method == method and re.fullmatch(each.path, filled)]
    assert [(each.calls, float(each.seconds)) for each in rules] == documented_limits().get(operation, [])
