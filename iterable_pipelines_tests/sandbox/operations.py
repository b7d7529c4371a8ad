"""One request to every operation the sandbox has, and what must be there before (Iterable's Swagger)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

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
STOPPED = 2200016
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
    "/api/campaigns/activateTriggered": Ask(body={"campaignId": STOPPED}),
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
