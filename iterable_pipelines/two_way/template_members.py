"""What of a template is kept alike, by medium: what can be written (activation/template_members.py), but for a few."""

from typing import Literal

from iterable_pipelines.activation.template_members import MEMBERS as WRITTEN
from iterable_pipelines.activation.template_members import MemberType

Medium = Literal["email", "push", "sms", "inapp"]
# how a member is told to be empty: numbers and ids cannot be emptied
EMPTY: dict[MemberType, object] = {
    "text": "",
    "array": [],
    "object": {},
    "boolean": False,
    "double": None,
    "long": None,
}
SQL_TYPES: dict[MemberType, str] = {
    "text": "VARCHAR",
    "array": "JSON",
    "object": "JSON",
    "boolean": "BOOLEAN",
    "double": "DOUBLE",
    "long": "BIGINT",
}
# how GET /api/templates names the media (api.md 5.5)
LISTED_AS: dict[Medium, str] = {"email": "Email", "push": "Push", "sms": "SMS", "inapp": "InApp"}
# a row is one locale of a template; who made it, what a campaign adds to it, and what is deprecated or the project's
_ONE_WAY = {"locale", "isDefaultLocale", "creatorUserId", "campaignDataFields", "dataFeedId", "trackingDomain"}

MEMBERS: dict[Medium, dict[str, MemberType]] = {
    medium: {
        "clientTemplateId": "text",
        **{name: kind for name, kind in WRITTEN[medium].items() if name not in _ONE_WAY},
    }
    for medium in LISTED_AS
}
