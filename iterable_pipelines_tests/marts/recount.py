"""Counts the marts by brute force, in plain Python, from records, objects and list members alone."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from iterable_pipelines.data_types import DATA_TYPE, DATA_TYPES, PURCHASE, USERS
from iterable_pipelines.marts.event_fields import EVENT_FIELDS
from iterable_pipelines.marts.steps import step_of
from iterable_pipelines_tests.profiles.recount import (
    Event,
    Record,
    address,
    current_users,
    decimal,
    key_of,
    link,
    moment,
    recount,
    text,
    whole,
)

Row = dict[str, Any]
EVENT_TYPES = [each.name for each in DATA_TYPES if each.stream != USERS]
_NO_NAMES: Mapping[str, Mapping[int, str]] = {"campaign": {}, "template": {}, "workflow": {}}


@dataclass
class Truth:
    """What the sandbox holds. `objects` is table to id to the object as Iterable answered it, `members` are rows of
    objects.list_members: list, key, joined, left, source.
    """

    events: list[Event]
    users: list[Record]
    objects: dict[str, dict[int, Record]]
    members: list[tuple[int, str, datetime, datetime | None, str]] = field(default_factory=list)
    project_type: str = "email"

    @cached_property
    def known(self) -> dict[str, Record]:
        """The user record of each person that has one."""
        return current_users(self.users, self.project_type)

    @cached_property
    def links(self) -> dict[str, str]:
        """The person of each key that events use."""
        raw = defaultdict(list)
        for data_type, record in self.events:
            if (key := key_of(record, self.project_type)) is not None:
                raw[key].append((data_type, record))
        return link(raw, self.known, self.project_type)

    @cached_property
    def profiles(self) -> dict[str, Row]:
        return recount(self.events, self.users, _NO_NAMES, self.project_type)

    def object(self, table: str, key: int | None) -> Record:
        return self.objects[table].get(key, {}) if key is not None else {}

    def person(self, key: str | None) -> Row:
        found = self.profiles.get(key or "", {})
        name = " ".join(each for each in (found.get("first_name"), found.get("last_name")) if each)
        return {"user_id": found.get("it_user_id"), "email": found.get("email"), "user_full_name": name.strip() or None}

    def recurring(self, campaign: Record) -> Row:
        parent = self.object("campaigns", campaign.get("recurringCampaignId"))
        parents = {each.get("recurringCampaignId") for each in self.objects["campaigns"].values()}
        return {
            "is_campaign_recurring": campaign.get("campaignState") == "Recurring" or campaign.get("id", 0) in parents,
            "recurring_campaign_id": campaign.get("recurringCampaignId"),
            "recurring_campaign_name": parent.get("name"),
        }


def events(truth: Truth) -> list[Row]:
    """iterable__events without the columns that say how a row came here."""
    return [_event(truth, data_type, record) for data_type, record in truth.events]


def _event(truth: Truth, data_type: str, record: Record) -> Row:
    key = key_of(record, truth.project_type)
    key = truth.links[key] if key is not None else None
    person = truth.person(key)
    campaign = truth.object("campaigns", whole(record, "campaignId"))
    template_id = whole(record, "templateId") if whole(record, "templateId") is not None else campaign.get("templateId")
    template = truth.object("templates", template_id)
    message_type_id = _first(whole(record, "messageTypeId"), template.get("messageTypeId"))
    message_type = truth.object("message_types", message_type_id)
    channel_id = _first(whole(record, "channelId"), message_type.get("channelId"))
    channel = truth.object("channels", channel_id)
    workflow_id = _first(whole(record, "workflowId"), campaign.get("workflowId"))
    at = moment(record, "createdAt")
    revenue = decimal(record, "total") if DATA_TYPE[data_type].stream == PURCHASE else None
    return {
        "event_name": data_type,
        "custom_event_name": text(record, "eventName"),
        "stream": DATA_TYPE[data_type].stream,
        "created_at": at,
        "created_on": at.date() if at else None,
        "unique_user_key": key,
        "email": _first(address(record), person["email"]),
        "user_id": _first(person["user_id"], text(record, "userId") or None),
        "user_full_name": person["user_full_name"],
        "campaign_id": whole(record, "campaignId"),
        "campaign_name": _first(campaign.get("name"), text(record, "campaignName")),
        "campaign_type": campaign.get("type"),
        **truth.recurring(campaign),
        "template_id": template_id,
        "template_name": _first(template.get("name"), text(record, "templateName")),
        "template_creator_user_id": template.get("creatorUserId"),
        "message_type_id": message_type_id,
        "message_type_name": message_type.get("name"),
        "channel_id": channel_id,
        "channel_name": channel.get("name"),
        "channel_type": channel.get("channelType"),
        "message_medium": _first(channel.get("messageMedium"), campaign.get("messageMedium")),
        "workflow_id": workflow_id,
        "workflow_name": _first(truth.object("journeys", workflow_id).get("name"), text(record, "workflowName")),
        "message_id": text(record, "messageId"),
        "content_id": whole(record, "contentId"),
        "experiment_id": whole(record, "experimentId"),
        "experience_id": text(record, "experience_id"),
        "purchase_revenue": float(revenue) if revenue is not None else None,
        **{column: text({"it": record.get(name)}, "it") for column, name in EVENT_FIELDS.items()},
        "additional_properties": json.dumps(record, sort_keys=True),
    }


def user_campaign(truth: Truth) -> dict[Any, Row]:
    """iterable__user_campaign by person, campaign and experiment."""
    return {key: _user_campaign(truth, key, own) for key, own in _by_person_and_campaign(truth).items()}


def _by_person_and_campaign(truth: Truth) -> dict[tuple[str, int | None, int | None], list[Event]]:
    grouped = defaultdict(list)
    for data_type, record in truth.events:
        key = key_of(record, truth.project_type)
        if key is not None:
            campaign, experiment = whole(record, "campaignId"), whole(record, "experimentId")
            grouped[truth.links[key], campaign, experiment].append((data_type, record))
    return grouped


def _user_campaign(truth: Truth, key: tuple[str, int | None, int | None], own: list[Event]) -> Row:
    person, campaign_id, experiment_id = key
    about, campaign = truth.person(person), truth.object("campaigns", campaign_id)
    name = _first(campaign.get("name"), _newest(own, lambda record: text(record, "campaignName")))
    recurring = truth.recurring(campaign)
    reacted = [(kind, record) for kind, record in own if step_of(kind) in ("opened", "clicked")]
    return {
        "unique_user_key": person,
        "user_id": about["user_id"],
        "user_email": about["email"],
        "user_full_name": about["user_full_name"],
        "campaign_id": campaign_id,
        "experiment_id": experiment_id,
        "campaign_name": "organic" if campaign_id is None else name,
        **_template(truth, campaign, own),
        "recurring_campaign_id": recurring["recurring_campaign_id"],
        "recurring_campaign_name": recurring["recurring_campaign_name"],
        **_span(own),
        "first_open_or_click_event_at": _span(reacted)["first_event_at"],
        "count_events": len(own),
        **{f"total_{each.lower()}": sum(kind == each for kind, _ in own) for each in EVENT_TYPES},
        "purchase_revenue": _revenue(own),
    }


def campaigns(truth: Truth) -> dict[Any, Row]:
    """iterable__campaigns by campaign and experiment."""
    grouped: dict[tuple[int, int | None], dict[str, list[Event]]] = defaultdict(dict)
    for (person, campaign_id, experiment_id), own in _by_person_and_campaign(truth).items():
        if campaign_id is not None:
            grouped[campaign_id, experiment_id][person] = own
    for campaign_id in truth.objects["campaigns"].keys() - {campaign for campaign, _ in grouped}:
        grouped[campaign_id, None] = {}
    return {key: _campaign(truth, key, people) for key, people in grouped.items()}


def _campaign(truth: Truth, key: tuple[int, int | None], people: dict[str, list[Event]]) -> Row:
    campaign = truth.object("campaigns", key[0])
    parent = truth.object("campaigns", campaign.get("recurringCampaignId"))
    own = [each for events in people.values() for each in events]
    template = _template(truth, campaign, own)
    template_object = truth.object("templates", template["template_id"])
    message_type = truth.object("message_types", template_object.get("messageTypeId"))
    channel = truth.object("channels", message_type.get("channelId"))
    totals: Row = {}
    for each in EVENT_TYPES:
        counts = [sum(kind == each for kind, _ in events) for events in people.values()]
        totals |= {f"total_{each.lower()}": sum(counts), f"unique_total_{each.lower()}": sum(map(bool, counts))}
    return {
        "campaign_id": key[0],
        "experiment_id": key[1],
        "campaign_name": _first(campaign.get("name"), _newest(own, lambda record: text(record, "campaignName"))),
        "is_listed": bool(campaign),
        "campaign_state": campaign.get("campaignState"),
        "campaign_type": campaign.get("type"),
        "send_size": campaign.get("sendSize"),
        "start_at": moment(campaign, "startAt"),
        "ended_at": moment(campaign, "endedAt"),
        "created_at": moment(campaign, "createdAt"),
        "updated_at": moment(campaign, "updatedAt"),
        "created_by_user_id": campaign.get("createdByUserId"),
        **truth.recurring(campaign),
        "recurring_campaign_state": parent.get("campaignState"),
        "recurring_campaign_send_size": parent.get("sendSize"),
        "recurring_campaign_start_at": moment(parent, "startAt"),
        "count_send_lists": len(campaign.get("listIds", [])),
        "count_suppress_lists": len(campaign.get("suppressionListIds", [])),
        "labels": ", ".join(campaign.get("labels", [])) or None,
        **template,
        "template_creator_user_id": template_object.get("creatorUserId"),
        "message_type_id": template_object.get("messageTypeId"),
        "message_type_name": message_type.get("name"),
        "channel_id": message_type.get("channelId"),
        "channel_name": channel.get("name"),
        "channel_type": channel.get("channelType"),
        "message_medium": _first(campaign.get("messageMedium"), channel.get("messageMedium")),
        "workflow_id": campaign.get("workflowId"),
        "workflow_name": truth.object("journeys", campaign.get("workflowId")).get("name"),
        "count_unique_users": len(people),
        "count_events": len(own),
        **_span(own),
        **totals,
        "purchase_revenue": _revenue(own),
    }


def users(truth: Truth) -> dict[Any, Row]:
    """iterable__users by person."""
    on: dict[str, set[int]] = defaultdict(set)
    campaigns_of: dict[str, set[int]] = defaultdict(set)
    for row in list_user_history(truth).values():
        if row["is_current"]:
            on[row["unique_user_key"]].add(row["list_id"])
    own: dict[str, list[Event]] = defaultdict(list)
    for (person, campaign, _), events in _by_person_and_campaign(truth).items():
        own[person] += events
        campaigns_of[person] |= {campaign} if campaign is not None else set()
    # of some nothing is known but that they are on a list
    people = {key: {"email": key if "@" in key else None} for key in on} | truth.profiles
    return {
        key: {
            "unique_user_key": key,
            "email": profile["email"],
            "user_id": profile.get("it_user_id"),
            "first_name": profile.get("first_name"),
            "last_name": profile.get("last_name"),
            "signup_date": profile.get("signup_date"),
            "signup_source": text(truth.known.get(key, {}), "signupSource"),
            "updated_at": profile.get("profile_updated_at"),
            "phone_number": _first(text(truth.known.get(key, {}), "phoneNumber"), profile.get("phone")),
            "email_list_ids": json.dumps(sorted(on[key]), separators=(",", ":")),
            "count_lists": len(on[key]),
            "count_total_campaigns": len(campaigns_of[key]),
            **_span(own[key]),
            "count_events": len(own[key]),
            **{f"total_{each.lower()}": sum(kind == each for kind, _ in own[key]) for each in EVENT_TYPES},
            "purchase_revenue": _revenue(own[key]),
            "has_user_record": key in truth.known,
        }
        for key, profile in people.items()
    }


def list_user_history(truth: Truth) -> dict[Any, Row]:
    """iterable__list_user_history by list, person and joined_at."""
    stays = defaultdict(list)
    for list_id, key, joined, left, source in truth.members:
        person = truth.links.get(key) or link({key: []}, truth.known, truth.project_type)[key]
        stays[list_id, person].append((joined, left or datetime.max, source))
    found: dict[Any, Row] = {}
    for (list_id, person), own in stays.items():
        merged: list[list[Any]] = []
        for joined, left, source in sorted(own):
            if merged and joined <= merged[-1][1]:
                merged[-1][1:] = [max(left, merged[-1][1]), min(source, merged[-1][2])]
            else:
                merged.append([joined, left, source])
        listed, profile = truth.object("lists", list_id), truth.profiles.get(person, {})
        for joined, left, source in merged:
            found[list_id, person, joined] = {
                "unique_user_key": person,
                "user_id": profile.get("it_user_id"),
                "user_email": profile.get("email"),
                "user_first_name": profile.get("first_name"),
                "user_last_name": profile.get("last_name"),
                "user_signup_date": profile.get("signup_date"),
                "user_signup_source": text(truth.known.get(person, {}), "signupSource"),
                "user_updated_at": profile.get("profile_updated_at"),
                "list_id": list_id,
                "list_name": listed.get("name"),
                "list_type": listed.get("listType"),
                "list_description": listed.get("description"),
                "list_created_at": moment(listed, "createdAt"),
                "joined_at": joined,
                "left_at": None if left == datetime.max else left,
                "is_current": left == datetime.max,
                "source": source,
            }
    return found


def _template(truth: Truth, campaign: Record, own: list[Event]) -> Row:
    template_id = _first(campaign.get("templateId"), _newest(own, lambda record: whole(record, "templateId")))
    named = truth.object("templates", template_id).get("name")
    return {
        "template_id": template_id,
        "template_name": _first(named, _newest(own, lambda record: text(record, "templateName"))),
    }


def _span(own: Iterable[Event]) -> Row:
    at = [time for time in (moment(record, "createdAt") for _, record in own) if time]
    return {"first_event_at": min(at, default=None), "last_event_at": max(at, default=None)}


def _revenue(own: Iterable[Event]) -> float:
    totals = [decimal(record, "total") for kind, record in own if DATA_TYPE[kind].stream == PURCHASE]
    return float(sum((each.quantize(Decimal("0.000001")) for each in totals if each is not None), Decimal(0)))


def _newest(own: Iterable[Event], value: Any) -> Any:
    dated = [(moment(record, "createdAt"), value(record)) for _, record in own]
    return max(((at, it) for at, it in dated if at is not None and it is not None), default=(None, None))[1]


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)
