"""What Iterable shows of content that was acknowledged: templates, snippets, metadata, lists, campaigns, messages."""

from datetime import UTC, timedelta
from typing import Any

from iterable_pipelines.activation.verify.promises import MISSING, UNSEEN, VERIFIED, Finding, Promise
from iterable_pipelines.activation.verify.sameness import differing, moment_of
from iterable_pipelines.api import Iterable as Client
from iterable_pipelines.api.content_reads import (
    lists_named,
    messages_since,
    read_campaign,
    read_metadata,
    read_snippet,
    read_template,
    templates_of,
)
from iterable_pipelines.hours import now

# clocks differ: what was made this long before it was asked for counts as made then
SKEW = timedelta(seconds=60)
# by what a template is asked for; the id is Iterable's, and whoever made it is shown otherwise (api.md 5.5, 5.9)
_NOT_COMPARED = frozenset({"templateId", "clientTemplateId", "locale", "creatorUserId", "createdByUserId"})


def template_is_so(client: Client, promise: Promise) -> Finding:
    """Every member that was sent, in each template that has the id, and in that locale."""
    sent = _compared(promise.payload)
    medium, locale = promise.flags["medium"], promise.payload.get("locale")
    if "templateId" in promise.payload:
        ids = [promise.payload["templateId"]]
    else:
        ids = [each["templateId"] for each in templates_of(client, promise.payload["clientTemplateId"])]
    # one of another medium may have the same id of one's own
    found = [each for each in (read_template(client, medium, each, locale) for each in ids) if each is not None]
    findings = [_finding(sent, each) for each in found]
    return next((each for each in findings if each is not VERIFIED), VERIFIED) if findings else MISSING


def snippet_is_so(client: Client, promise: Promise) -> Finding:
    """Content, description and variables, as far as they were sent."""
    found = read_snippet(client, promise.flags["name"])
    return MISSING if found is None else _finding(_compared(promise.payload), found)


def snippet_is_gone(client: Client, promise: Promise) -> Finding:
    """There is none of the name."""
    return VERIFIED if read_snippet(client, promise.flags["name"]) is None else Finding("mismatch", ("name",))


def metadata_is_so(client: Client, promise: Promise) -> Finding:
    """The whole value: what was there before is replaced."""
    found = read_metadata(client, promise.flags["table"], promise.flags["key"])
    if found is None:
        return MISSING
    names = differing(promise.payload["value"], found.get("value") or {}, whole=True)
    return Finding("mismatch", tuple(names), found.get("value")) if names else VERIFIED


def metadata_is_gone(client: Client, promise: Promise) -> Finding:
    """There is no such key."""
    found = read_metadata(client, promise.flags["table"], promise.flags["key"])
    return VERIFIED if found is None else Finding("mismatch", ("key",))


def list_is_there(client: Client, promise: Promise) -> Finding:
    """A list of the name, with the id that Iterable gave it."""
    ids = [each.get("id") for each in lists_named(client, promise.payload["name"])]
    known = promise.result.get("listId")
    return VERIFIED if (ids if known is None else known in ids) else MISSING


def list_is_gone(client: Client, promise: Promise) -> Finding:
    """No list has the id."""
    ids = {each.get("id") for each in client.get("/api/lists").get("lists") or ()}
    return Finding("mismatch", ("listId",)) if promise.flags["listId"] in ids else VERIFIED


def campaign_is_there(client: Client, promise: Promise) -> Finding:
    """Name and lists. Its template is a copy of the one that was sent, and the other members are never shown (K17)."""
    known = promise.result.get("campaignId")
    found = read_campaign(client, known) if isinstance(known, int) else None
    if found is None:
        return UNSEEN if known is None else MISSING
    return _finding(campaign_shown(promise.payload), campaign_shown(found))


def message_was_sent(client: Client, promise: Promise) -> Finding:
    """A message of the campaign to this user since then; one whose time has not come cannot be seen yet."""
    send_at = moment_of(promise.payload.get("sendAt"))
    if send_at is not None and send_at > now():
        return UNSEEN
    person = promise.person
    if person is None:
        return UNSEEN
    since = (send_at or promise.acked_at.replace(tzinfo=UTC)) - SKEW
    return VERIFIED if messages_since(client, person, promise.payload["campaignId"], since) else MISSING


def campaign_shown(campaign: dict[str, Any]) -> dict[str, Any]:
    """What Iterable shows of what a campaign was made of: the same of what was sent and of what is there."""
    return {"name": campaign.get("name")} | {
        name: sorted(map(int, campaign.get(name) or ())) for name in ("listIds", "suppressionListIds")
    }


def _compared(payload: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in payload.items() if name not in _NOT_COMPARED}


def _finding(sent: dict[str, Any], found: dict[str, Any]) -> Finding:
    names = differing(sent, found)
    tops = {each.partition(".")[0] for each in names}
    return Finding("mismatch", tuple(names), {top: found.get(top) for top in sorted(tops)}) if names else VERIFIED
