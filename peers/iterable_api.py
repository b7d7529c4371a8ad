"""Iterable's own TypeScript client: every read it has, each answer checked by its schemas."""

import json
import re
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

from running import ROOT, json_lines, run
from truth import TEMPLATE_TYPES, Streams, Truth

from iterable_pipelines.data_types import DATA_TYPE
from iterable_pipelines.sandbox import Sandbox
from iterable_pipelines.sandbox.objects import TEMPLATE_MEDIUMS
from iterable_pipelines.sandbox.schema import field_types
from iterable_pipelines.sandbox.user_reads import REACH

NAME = "@iterable/api"
# what the sandbox does not serve
UNREAD = [
    "getEmbeddedMessages",
    "getExperiment",
    "getExperimentTotals",
    "getExperimentTrends",
    "getExperimentVariants",
]
SINGLE_ITEMS = 20  # so many of each catalog are read one by one, as in read.mjs
ADDRESS = re.compile(r"[\w'+.-]+@[\w.-]+", re.ASCII)  # what the client takes for an address


def read(sandbox: Sandbox, folder: Path) -> Streams:
    """Run read.mjs. What the client's schemas refused is a stream of its own for each method."""
    world = sandbox.world
    asked = {
        "url": sandbox.url,
        "key": sandbox.key,
        "dataTypes": list(DATA_TYPE),
        "start": f"{world.start:%Y-%m-%d %H:%M:%S}",
        "end": f"{world.now():%Y-%m-%d %H:%M:%S}",
    }
    runner = ROOT / "peers" / "iterable-api" / "read.mjs"
    (answer,) = json_lines(run(["node", str(runner)], stdin=json.dumps(asked)))
    found: Streams = answer["read"]
    refused = {f"refused by {method}": names for method, names in answer["refused"].items()}
    return found | refused | {"methods without a route": answer["unread"]}


def expected(truth: Truth) -> Streams:
    """Everything: the client pages."""
    exports = {f"export {name}": truth.keys(name, "email", "messageId") for name in DATA_TYPE}
    jobs = [[name, "completed"] for name in DATA_TYPE]
    rest: Streams = {"export jobs": jobs, "methods without a route": UNREAD}
    return _campaigns(truth) | _templates(truth) | _shelves(truth) | _people(truth) | exports | rest


def _campaigns(truth: Truth) -> Streams:
    tested = [each for each in truth.campaigns if each.experience_id and each.medium == "Email"]
    return {
        "campaigns": [[each.id, each.name] for each in truth.campaigns],
        "campaign": [[each.id, each.name] for each in truth.campaigns],
        "campaign metrics": truth.sends(truth.campaigns),
        "child campaigns": [[each.recurring_id, each.id] for each in truth.campaigns if each.recurring_id],
        "experiments": [[each.id * 10, f"Subject of {each.name}"] for each in tested],
        "experiment metrics": truth.sends(tested),
    }


def _templates(truth: Truth) -> Streams:
    found = [
        (medium, kind, each)
        for medium in TEMPLATE_MEDIUMS
        for kind in TEMPLATE_TYPES
        for each in truth.templates(medium, kind)
    ]
    return {
        "templates": [[medium, kind, each.template_id] for medium, kind, each in found],
        "template": [[each.template_id, each.template_name] for _, _, each in found],
        "template by client id": [[f"client-{each.template_id}", each.template_id] for _, _, each in found],
    }


def _shelves(truth: Truth) -> Streams:
    objects = truth.world.objects
    catalogs = [each["name"] for each in truth.rows("/api/catalogs", "catalogNames")]
    items = {name: truth.rows(f"/api/catalogs/{name}/items", "catalogItemsWithProperties") for name in catalogs}
    snippets = truth.rows("/api/snippets", "snippets")
    return {
        "catalogs": catalogs,
        "catalog items": [item_key(each) for rows in items.values() for each in rows],
        "catalog item": [item_key(each) for rows in items.values() for each in rows[:SINGLE_ITEMS]],
        "catalog fields": [[name, *pair] for name in catalogs for pair in (("price", "double"), ("name", "string"))],
        "snippets": [[each["id"], each["name"]] for each in snippets],
        "snippet": [[each[field], each["id"]] for each in snippets for field in ("id", "name")],
        "channels": [[each["id"], each["name"]] for each in objects.channels],
        "message types": [[each["id"], each["name"]] for each in objects.message_types],
        "webhooks": [each["endpoint"] for each in truth.rows("/api/webhooks", "webhooks")],
        "journeys": [[each["id"], each["name"], each["isArchived"]] for each in objects.journeys],
    }


def item_key(item: dict[str, Any]) -> list[Any]:
    """What is compared of a catalog item."""
    return [item["catalogName"], item["itemId"], item["value"]["name"]]


def _people(truth: Truth) -> Streams:
    world, since = truth.world, truth.world.now() - REACH
    names = sorted({name for _, name in truth.members})
    emails = [name for name in names if "@" in name]
    profiles = {email: found for email in emails if (found := world.find_user(email))}
    known = {each["userId"] for each in profiles.values() if each.get("userId")}
    user_ids = sorted(known | {name for name in names if "@" not in name})
    by_id = {user_id: world.find_user(user_id=user_id) or {} for user_id in user_ids}
    did = {name: truth.events_of(name, since) for name in emails + user_ids}
    sent = {email: [each for each in did[email] if each["_type"].endswith("Send")] for email in emails}

    def event_keys(names: list[str]) -> list[Any]:
        return [[name, each["_type"], each.get("messageId")] for name in names for each in did[name]]

    def waiting(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        over = {each["messageId"] for each in events if each["_type"] in ("inAppRecall", "inAppDelete")}
        sends = [each for each in events if each["_type"] == "inAppSend" and each["messageId"] not in over]
        return [each for each in sends if datetime.fromisoformat(each["expiresAt"]) > world.now()]

    def refused(names: list[str]) -> list[str]:
        return [name for name in names if any(map(has_odd_address, did[name]))]

    return {
        "lists": [[each["id"], each["name"], each["listType"]] for each in world.objects.lists],
        "list users": [list(each) for each in truth.members],
        "list preview": [list(each) for each in truth.members],
        "list sizes": [list(each) for each in Counter(list_id for list_id, _ in truth.members).items()],
        "user fields": [list(each) for each in field_types(truth.records["user"]).items()],
        "user by email": [[email, row.get("userId"), row["signupDate"]] for email, row in profiles.items()],
        "user by user id": [[user_id, row.get("email")] for user_id, row in by_id.items()],
        "events by email": event_keys(emails),
        "events by user id": event_keys(user_ids),
        "sent messages": [[email, each["messageId"], each["campaignId"]] for email in emails for each in sent[email]],
        "in-app messages": [
            [email, each["messageId"], each["campaignId"]] for email in emails for each in waiting(did[email])
        ],
        # the client requires a medium and a status, which no message has (api.md 5.10)
        "refused by getSentMessages": [email for email in emails if sent[email]],
        "refused by getUserEventsByEmail": refused(emails),
        "refused by getUserEventsByUserId": refused(user_ids),
        # nor does it know people without an address
        "refused by getUserByUserId": [user_id for user_id, row in by_id.items() if not row.get("email")],
    }


def has_odd_address(event: dict[str, Any]) -> bool:
    """Whether the client refuses the event for its address: null, with blanks, or with rarer signs than it knows."""
    return "email" in event and not ADDRESS.fullmatch(event["email"] or "")
