"""Templates as they are now: those of seeded campaigns, and what clients, or people in the UI, made of them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from iterable_pipelines.sandbox.objects import CREATOR, Campaign, Objects
from iterable_pipelines.sandbox.template_details import MEDIUM, detail

FIRST_WRITTEN_TEMPLATE = 5_000_000
TIMES = ("createdAt", "updatedAt")
EMPTY: dict[str, dict[str, Any]] = {
    "Email": dict.fromkeys(("subject", "preheaderText", "fromName", "replyToEmail", "html", "plainText"), "")
    | {"fromEmail": "hello@example.com", "ccEmails": [], "bccEmails": [], "linkParams": [], "dataFeedIds": []},
    "Push": dict.fromkeys(("title", "message", "sound", "badge"), "")
    | {"payload": {}, "buttons": [], "wake": False, "isSilentPush": False},
    "SMS": {"message": "", "imageUrl": "", "linkParams": []},
    "InApp": {"html": "", "payload": {}},
    "Embedded": {"title": "", "body": "", "elements": {"buttons": [], "text": []}, "payload": {}},
}


@dataclass
class Template:
    """One template. content: what its medium's GET …/get shows but for ids and times, which are epoch milliseconds.

    locales: the content that differs in a locale, by its name.
    """

    id: int
    medium: str
    type: str
    campaign_id: int | None
    created: int
    updated: int
    content: dict[str, Any]
    locales: dict[str, dict[str, Any]] = field(default_factory=dict)

    def row(self) -> dict[str, Any]:
        """The template's row in GET /api/templates."""
        shown: dict[str, Any] = {
            "templateId": self.id,
            "createdAt": self.created,
            "updatedAt": self.updated,
            "name": self.content["name"],
            "creatorUserId": self.content.get("creatorUserId", CREATOR),
            "messageTypeId": self.content["messageTypeId"],
        }
        known = {"campaignId": self.campaign_id, "clientTemplateId": self.content.get("clientTemplateId")}
        return shown | {name: value for name, value in known.items() if value is not None}

    def detail(self, locale: str = "") -> dict[str, Any]:
        """The template in full; times where its medium's model has them (api.md 5.5)."""
        shown = {"templateId": self.id} | self.content | self.locales.get(locale, {})
        if self.medium == "Email":
            return shown | {"creatorUserId": self.row()["creatorUserId"], "metadata": self.row()}
        shown.pop("creatorUserId", None)
        if self.medium in ("Push", "SMS"):
            shown |= dict(zip(TIMES, (self.created, self.updated), strict=True))
        return shown | ({"campaignId": self.campaign_id} if self.campaign_id else {})


class Templates:
    """Every template of a project that a client can read."""

    def __init__(self, objects: Objects, now: Callable[[], datetime]):
        self._objects, self._now = objects, now
        self._written: dict[int, Template | None] = {}  # None: deleted
        self._next = FIRST_WRITTEN_TEMPLATE

    def all(self) -> list[Template]:
        """Every template, by id."""
        seeded = self._objects.campaigns(int(self._now().timestamp()))
        found = [self._written[id_] if (id_ := each.template_id) in self._written else _of(each) for each in seeded]
        theirs = {each.template_id for each in seeded}
        made = [each for id_, each in self._written.items() if id_ not in theirs]
        return sorted((each for each in (*found, *made) if each is not None), key=lambda each: each.id)

    def find(self, template_id: int) -> Template | None:
        """The template of this id; None for none."""
        if template_id in self._written:
            return self._written[template_id]
        seeded = self._objects.campaigns(int(self._now().timestamp()))
        return next((_of(each) for each in seeded if each.template_id == template_id), None)

    def sharing(self, client_id: str) -> list[Template]:
        """The templates of a clientTemplateId, which several may have."""
        return [each for each in self.all() if each.content.get("clientTemplateId") == client_id]

    def rows(self, medium: str, kind: str) -> list[dict[str, Any]]:
        """The rows of GET /api/templates of one medium and type."""
        return [self._row(each) for each in self.all() if each.medium == medium and each.type == kind]

    def detail(self, template: Template, locale: str = "") -> dict[str, Any]:
        """A template in full; a seeded one that nobody touched as the seed has it."""
        campaign = self._untouched(template)
        return detail(campaign) if campaign else template.detail(locale)

    def make(self, medium: str, kind: str, content: dict[str, Any], campaign_id: int | None = None) -> Template:
        """A new template; what is not given is empty."""
        names = {"locale": "", "isDefaultLocale": True, "name": content.get("clientTemplateId", "")}
        moment = self._moment()
        made = Template(self._next, medium, kind, campaign_id, moment, moment, EMPTY.get(medium, {}) | names | content)
        self._written[made.id] = made
        self._next += 1
        return made

    def change(self, template: Template, fields: dict[str, Any], locale: str = "") -> None:
        """Lay `fields` over a template; it is newer than before however little time went by."""
        self._written[template.id] = template
        if locale:
            template.locales[locale] = template.locales.get(locale, {}) | fields
        else:
            template.content |= fields
        template.updated = max(self._moment(), template.updated + 1)

    def remove(self, template_id: int) -> None:
        """The template is gone."""
        self._written[template_id] = None

    def writes(self) -> dict[str, Any]:
        """What clients made of templates, in order of first writing, by medium and name; None for deleted."""
        return {
            f"{each.medium} {each.content['name']} {nth}" if each else f"{nth}": each and each.content | each.locales
            for nth, each in enumerate(self._written.values())
        }

    def _row(self, template: Template) -> dict[str, Any]:
        campaign = self._untouched(template)
        return campaign.template_as_json() if campaign else template.row()

    def _untouched(self, template: Template) -> Campaign | None:
        """The seeded campaign of a template nobody has written to."""
        if template.id in self._written or template.campaign_id is None:
            return None
        return self._objects.campaign(template.campaign_id)

    def _moment(self) -> int:
        return int(self._now().timestamp() * 1000)


def _of(campaign: Campaign) -> Template:
    """The template of a seeded campaign; media without reads of their own have little content."""
    row = campaign.template_as_json()
    content = detail(campaign) if campaign.medium in MEDIUM.values() else {}
    kept = {key: value for key, value in content.items() if key not in ("templateId", "campaignId", "metadata", *TIMES)}
    names = {"name": campaign.template_name, "messageTypeId": campaign.message_type_id}
    times = row["createdAt"], row["updatedAt"]
    return Template(campaign.template_id, campaign.medium, campaign.template_type, campaign.id, *times, names | kept)
