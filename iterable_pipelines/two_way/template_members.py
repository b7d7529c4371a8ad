"""What a template has that can be written, by medium (api.md 5.5, 6.5); Iterable's ids and times are not among it."""

from typing import Literal

Medium = Literal["email", "push", "sms", "inapp"]
# how a member is told to be empty: a text, an array, an object, a switch; numbers and ids cannot be emptied
EMPTY = {"text": "", "array": [], "object": {}, "switch": False, "number": None, "id": None}
SQL_TYPES = {
    "text": "VARCHAR",
    "array": "JSON",
    "object": "JSON",
    "switch": "BOOLEAN",
    "number": "DOUBLE",
    "id": "BIGINT",
}
# how GET /api/templates names the media (api.md 5.5)
LISTED_AS: dict[Medium, str] = {"email": "Email", "push": "Push", "sms": "SMS", "inapp": "InApp"}

_ALL = {"clientTemplateId": "text", "name": "text", "messageTypeId": "id"}
_FEEDS = {"dataFeedIds": "array", "cacheDataFeed": "switch", "mergeDataFeedContext": "switch"}
MEMBERS: dict[Medium, dict[str, str]] = {
    "email": {
        **_ALL,
        **dict.fromkeys(("subject", "preheaderText", "fromName", "fromEmail", "replyToEmail", "html"), "text"),
        **dict.fromkeys(("plainText", "googleAnalyticsCampaignName"), "text"),
        **dict.fromkeys(("ccEmails", "bccEmails", "linkParams"), "array"),
        **_FEEDS,
    },
    "push": {
        **_ALL,
        **dict.fromkeys(("title", "message", "sound", "badge", "interruptionLevel"), "text"),
        **dict.fromkeys(("payload", "deeplink", "richMedia"), "object"),
        "buttons": "array",
        **dict.fromkeys(("wake", "isSilentPush"), "switch"),
        "relevanceScore": "number",
        **_FEEDS,
    },
    "sms": {
        **_ALL,
        **dict.fromkeys(("message", "imageUrl", "googleAnalyticsCampaignName"), "text"),
        "linkParams": "array",
    },
    "inapp": {
        **_ALL,
        **dict.fromkeys(("html", "expirationDateTime", "expirationDuration"), "text"),
        **dict.fromkeys(("payload", "inAppDisplaySettings", "webInAppDisplaySettings", "inboxMetadata"), "object"),
    },
}
