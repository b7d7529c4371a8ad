"""What a template of each medium is made of, and of what type each member is (api.md 5.5). Add a member here."""

from collections.abc import Collection
from typing import Literal

Medium = Literal["email", "push", "sms", "inapp", "embedded"]
MemberType = Literal["text", "long", "double", "boolean", "array", "object"]

_OF_ALL: dict[str, MemberType] = {
    "name": "text",
    "messageTypeId": "long",
    "creatorUserId": "text",
    "locale": "text",
    "isDefaultLocale": "boolean",
    "campaignDataFields": "object",
}
_FEEDS: dict[str, MemberType] = {
    "dataFeedIds": "array",
    "cacheDataFeed": "boolean",
    "mergeDataFeedContext": "boolean",
}
_LINKS: dict[str, MemberType] = {"googleAnalyticsCampaignName": "text", "linkParams": "array"}

MEMBERS: dict[Medium, dict[str, MemberType]] = {
    "email": {
        **_OF_ALL,
        **_FEEDS,
        **_LINKS,
        "subject": "text",
        "preheaderText": "text",
        "fromName": "text",
        "fromEmail": "text",
        "replyToEmail": "text",
        "ccEmails": "array",
        "bccEmails": "array",
        "html": "text",
        "plainText": "text",
        "dataFeedId": "long",
    },
    "push": {
        **_OF_ALL,
        **_FEEDS,
        "title": "text",
        "message": "text",
        "payload": "object",
        "deeplink": "object",
        "richMedia": "object",
        "sound": "text",
        "badge": "text",
        "buttons": "array",
        "wake": "boolean",
        "isSilentPush": "boolean",
        "interruptionLevel": "text",
        "relevanceScore": "double",
    },
    "sms": {
        **_OF_ALL,
        **_LINKS,
        "message": "text",
        "imageUrl": "text",
        "trackingDomain": "text",
    },
    "inapp": {
        **_OF_ALL,
        "html": "text",
        "payload": "object",
        "inAppDisplaySettings": "object",
        "webInAppDisplaySettings": "object",
        "inboxMetadata": "object",
        "expirationDateTime": "text",
        "expirationDuration": "text",
    },
    "embedded": {
        **_OF_ALL,
        "title": "text",
        "body": "text",
        "elements": "object",
        "payload": "object",
        "placementId": "long",
    },
}
# shown by Iterable, and written by nobody (K17): an export has them, and an import leaves them out
READ_ONLY = frozenset({"templateId", "clientTemplateId", "campaignId", "createdAt", "updatedAt", "metadata"})


def members_of(media: Collection[Medium]) -> dict[str, MemberType]:
    """The members that templates of any of these media have."""
    return {name: kind for medium in media for name, kind in MEMBERS[medium].items()}
