"""Campaigns, templates, channels, message types, journeys and lists of the world, in the shapes of api.md 5.1 to 5.6.

A fixed set exists from the beginning; one newsletter a week is added by the clock. Worlds with many lists have a
campaign for every twelfth of them, which may send at any moment.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from iterable_pipelines.sandbox.chance import dice
from iterable_pipelines.sandbox.people import CHANNEL_IDS, EPOCH, LIST_IDS, MESSAGE_TYPE_IDS

WEEK = 7 * 86_400
MEDIUMS = ("Email", "Push", "SMS", "InApp", "WebPush", "Embedded", "WhatsApp", "RCS")
TEMPLATE_MEDIUMS = ("Email", "Push", "InApp", "SMS")
CREATOR = "marketing@example.com"
SUBJECTS = (
    "Welcome",
    "Your cart",
    "Summer's end",
    'Say "hello"',
    "Größe & Preis",
    "Back in stock, finally",
    "<b>Sale</b>",
    "'; DROP TABLE campaigns;--",
)
FIRST_CAMPAIGN, FIRST_TEMPLATE, FIRST_NEWSLETTER, FIRST_NEWSLETTER_TEMPLATE = 2_200_000, 3_000_000, 2_900_000, 3_900_000

FIRST_WRITTEN_CAMPAIGN = 5_000_000

FIRST_MORE_LIST, LIVE_EVERY = 950_000, 12
MORE_TYPES = (*("Dynamic",) * 8, "Suppression", "Internal")
LIVE = ("Running", "Scheduled", "Ready", "Recurring", "Starting")

SOON = 166_159  # milliseconds from the making of a campaign to its sending
RECURRING = FIRST_NEWSLETTER - 1  # the recurring campaign whose children the newsletters are


@dataclass(frozen=True)
class Campaign:
    """One campaign with its template, as the event generators need them.

    updated, started, ended: epoch milliseconds; updated is None until somebody changes the campaign.
    """

    id: int
    name: str
    medium: str
    type: str
    state: str
    template_id: int
    template_name: str
    template_type: str
    channel_id: int
    message_type_id: int
    content_id: int
    created: int
    workflow_id: int | None
    workflow_name: str | None
    experience_id: str | None
    recurring_id: int | None = None
    list_ids: tuple[int, ...] = ()
    suppression_list_ids: tuple[int, ...] = ()
    updated: int | None = None
    started: int | None = None
    ended: int | None = None
    send_size: int | None = None

    def as_json(self) -> dict[str, Any]:
        """The campaign as GET /api/campaigns lists it; times in epoch milliseconds."""
        fields: dict[str, Any] = {
            "id": self.id,
            "createdAt": self.created * 1000,
            "updatedAt": self.updated or self.created * 1000 + SOON,
            "name": self.name,
            "templateId": self.template_id,
            "messageMedium": self.medium,
            "createdByUserId": CREATOR,
            "updatedByUserId": CREATOR,
            "campaignState": self.state,
            "suppressionListIds": list(self.suppression_list_ids),
            "labels": [],
            "type": self.type,
        }
        if self.recurring_id:
            fields["recurringCampaignId"] = self.recurring_id
        if self.workflow_id:
            fields["workflowId"] = self.workflow_id
        if self.list_ids:
            fields["listIds"] = list(self.list_ids)
        sent = {"startAt": self.started, "endedAt": self.ended, "sendSize": self.send_size}
        return fields | {name: value for name, value in sent.items() if value is not None}

    def template_as_json(self) -> dict[str, Any]:
        """The template's row in GET /api/templates."""
        return {
            "templateId": self.template_id,
            "createdAt": self.created * 1000,
            "updatedAt": self.created * 1000 + 129_158,
            "name": self.template_name,
            "creatorUserId": CREATOR,
            "messageTypeId": self.message_type_id,
            "campaignId": self.id,
        }


class Objects:
    """Everything in the world that is neither a person nor an event; times are epoch seconds.

    more_lists: lists beyond the five that are always there; none of them shows on a profile.
    """

    def __init__(self, seed: int, more_lists: int = 0):
        self.seed = seed
        self.written: dict[
            int, Campaign
        ] = {}  # made or changed by clients, as they are now; events are not made of these
        self._newsletter = lru_cache(maxsize=1000)(self._make_newsletter)
        self.channels: list[dict[str, Any]] = []
        self.message_types: list[dict[str, Any]] = []
        for nth, (medium, kind) in enumerate([("Email", "Transactional")] + [(each, "Marketing") for each in MEDIUMS]):
            channel = CHANNEL_IDS[nth]
            self.channels.append(
                {"id": channel, "name": f"{kind} {medium}", "channelType": kind, "messageMedium": medium}
            )
            for policy in ("OptOut", "OptIn"):
                self.message_types.append(
                    {
                        "id": MESSAGE_TYPE_IDS[len(self.message_types)],
                        "createdAt": EPOCH * 1000,
                        "updatedAt": EPOCH * 1000 + nth,
                        "name": f"{medium} {policy} {nth}",
                        "channelId": channel,
                        "subscriptionPolicy": policy,
                    }
                )
        self.journeys = [self._journey(nth) for nth in range(9)]
        self.lists = [
            {
                "id": each,
                "name": name,
                "createdAt": EPOCH * 1000 + each,
                "listType": "Dynamic" if each == LIST_IDS[-1] else "Standard",
            }
            for each, name in zip(
                LIST_IDS, ("Everybody", "Newsletter", "Trial, 30 days", "VIP ★", "Active lately"), strict=True
            )
        ]
        self.lists += [
            {
                "id": FIRST_MORE_LIST + nth,
                "name": f"Segment {nth}",
                "createdAt": EPOCH * 1000 + nth,
                "listType": MORE_TYPES[nth % len(MORE_TYPES)],
            }
            for nth in range(more_lists)
        ]
        self.standing = [self._standing(nth, medium) for nth, medium in enumerate(MEDIUMS * 6)]
        self.by_medium = {medium: [each for each in self.standing if each.medium == medium] for medium in MEDIUMS}
        # after what events are made of: these have sent nothing yet
        self.standing += [self._live(nth) for nth in range(0, more_lists, LIVE_EVERY)]

    def _journey(self, nth: int) -> dict[str, Any]:
        fields: dict[str, Any] = {
            "id": 76_780 + nth,
            "name": f"Journey {nth}: {SUBJECTS[nth % len(SUBJECTS)]}",
            "description": "",
            "enabled": nth != 4,
            "isArchived": nth >= 7,
            "journeyType": "Published",
            "createdAt": EPOCH * 1000 + nth,
            "updatedAt": EPOCH * 1000 + 91_142 + nth,
            "creatorUserId": CREATOR,
        }
        if nth % 2:
            fields |= {
                "lifetimeLimit": 1,
                "simultaneousLimit": 1,
                "startTileId": 1,
                "triggerEventNames": ["completedOnboarding"],
            }
        return fields

    def _standing(self, nth: int, medium: str) -> Campaign:
        chance = dice(self.seed, "campaign", nth)
        channel = chance.choice([each for each in self.channels if each["messageMedium"] == medium])
        message_type = chance.choice([each for each in self.message_types if each["channelId"] == channel["id"]])
        journey = chance.choice(self.journeys) if nth % 3 else None
        made = Campaign(
            id=FIRST_CAMPAIGN + nth,
            name=f"{medium} {SUBJECTS[nth % len(SUBJECTS)]} {nth}",
            medium=medium,
            type="Triggered" if journey else "Blast",
            state="Running" if journey else "Finished",
            template_id=FIRST_TEMPLATE + nth,
            template_name=f"{medium} {SUBJECTS[nth % len(SUBJECTS)]} {nth} Template",
            template_type="Workflow" if journey else "Blast",
            channel_id=channel["id"],
            message_type_id=message_type["id"],
            content_id=12_029_000 + nth,
            created=EPOCH + nth * 3607,
            workflow_id=journey["id"] if journey else None,
            workflow_name=journey["name"] if journey else None,
            experience_id=f"exp-{nth}" if nth // len(MEDIUMS) % 3 == 1 else None,
        )
        return made if journey else _sent(made)

    def _live(self, nth: int) -> Campaign:
        like = replace(self._standing(nth, "Email"), started=None, ended=None, send_size=None)
        lists, left_out = (FIRST_MORE_LIST + nth,), bool(nth // LIVE_EVERY % 3)
        return replace(
            like,
            id=like.id + 10_000,
            template_id=like.template_id + 10_000,
            name=f"{like.name}, soon",
            type="Blast",
            state=LIVE[nth // LIVE_EVERY % len(LIVE)],
            template_type="Blast",
            created=EPOCH + nth,
            workflow_id=None,
            workflow_name=None,
            list_ids=() if left_out else lists,
            suppression_list_ids=lists if left_out else (),
        )

    def _make_newsletter(self, week: int) -> Campaign:
        message_type = self.message_types[2]
        made = Campaign(
            id=FIRST_NEWSLETTER + week,
            name=f"Newsletter no. {week}" if week >= 0 else "Newsletter",
            medium="Email",
            type="Blast",
            state="Finished" if week >= 0 else "Recurring",
            template_id=FIRST_NEWSLETTER_TEMPLATE + week,
            template_name=f"Newsletter no. {week} Template",
            template_type="Blast",
            channel_id=message_type["channelId"],
            message_type_id=message_type["id"],
            content_id=12_900_000 + week,
            created=EPOCH + max(week, 0) * WEEK,
            workflow_id=None,
            workflow_name=None,
            experience_id=None,
            recurring_id=RECURRING if week >= 0 else None,
        )
        return _sent(made) if week >= 0 else made

    def newsletter(self, moment: int) -> Campaign:
        """The newsletter of the week of `moment`."""
        return self._newsletter(max(0, (moment - EPOCH) // WEEK))

    def campaign(self, campaign_id: int) -> Campaign | None:
        """The campaign of this id, whenever it was or will be; None for none."""
        if campaign_id in self.written:
            return self.written[campaign_id]
        if campaign_id >= FIRST_WRITTEN_CAMPAIGN:
            return None
        if campaign_id >= RECURRING:
            return self._newsletter(campaign_id - FIRST_NEWSLETTER)
        return next((each for each in self.standing if each.id == campaign_id), None)

    def campaigns(self, moment: int) -> list[Campaign]:
        """Every campaign that exists at `moment`, by id, as it is now."""
        weeks = max(0, (moment - EPOCH) // WEEK + 1)
        standing = [each for each in self.standing if each.created <= moment]
        seeded = [*standing, *(self._newsletter(week) for week in range(-1, weeks))]
        made = [each for number, each in self.written.items() if number >= FIRST_WRITTEN_CAMPAIGN]
        return [self.written.get(each.id, each) for each in seeded] + made

    def writes(self) -> dict[int, dict[str, Any]]:
        """What clients made of campaigns, by id, without any moment."""
        keys = ("name", "type", "campaignState", "messageMedium", "listIds", "suppressionListIds", "sendSize")
        shown = {number: each.as_json() for number, each in self.written.items()}
        return {number: {key: each[key] for key in keys if key in each} for number, each in shown.items()}

    def next_campaign(self) -> int:
        """The id of a campaign that a client makes."""
        return max((FIRST_WRITTEN_CAMPAIGN - 1, *self.written)) + 1


def _sent(campaign: Campaign) -> Campaign:
    """The same campaign, sent to everybody soon after it was made."""
    start = campaign.created * 1000 + SOON
    return replace(
        campaign, state="Finished", started=start, ended=start + 1472, send_size=200, list_ids=(LIST_IDS[0],)
    )
