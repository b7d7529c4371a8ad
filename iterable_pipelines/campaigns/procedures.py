"""What can be done to a campaign or a journey as a whole: one class each (K18 to K20, outbound.md 4.2). Add one here.

A class says where the call goes, which arguments it takes, in which state the campaign must be, and by which state a
call whose answer was lost is known to have happened (S9).
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic.alias_generators import to_camel

from iterable_pipelines.activation.declaration import Zone
from iterable_pipelines.campaigns.errors import CallRefused
from iterable_pipelines.declared import Section

# every state that Iterable documents (api.md 5.1); what a campaign in any other may do is for Iterable to say
STATES = ("Draft", "Ready", "Scheduled", "Running", "Finished", "Starting", "Aborted", "Recurring", "Archived")
_NOT_SENT = frozenset({"Draft", "Ready"})
_GOES = frozenset({"Starting", "Running", "Finished"})
_LONGEST_AHEAD = timedelta(days=7)


class Procedure(Section):
    """Something that is done once. Fields are its arguments, which Iterable spells in camel case."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, loc_by_alias=False)

    # as its job is called, and the command below `campaign`
    name: ClassVar[str]
    command: ClassVar[str]
    description: ClassVar[str]
    path: ClassVar[str]
    # calls of one kind about one thing wait for each other: two that send are of one kind, what stops is of another
    kind: ClassVar[str]
    # arguments that stand in the path, and those that name a person, which are kept nowhere
    in_path: ClassVar[tuple[str, ...]] = ()
    persons: ClassVar[tuple[str, ...]] = ()
    # how a lost answer is made up for: by the campaign's state, by what was sent, or by a person
    settled_by: ClassVar[Literal["state", "sends", "person"]] = "state"
    # an effect that does not show by then is not there
    shown_within: ClassVar[timedelta] = timedelta(minutes=1)

    @property
    def lane(self) -> str:
        """What calls that must not happen at once, or while one of them is in doubt, have in common."""
        raise NotImplementedError

    @property
    def to(self) -> str:
        """The path, filled."""
        return self.path.format(**self.model_dump(include=set(self.in_path)))

    @property
    def body(self) -> dict[str, Any] | None:
        """What is sent; None for a call that has no body. What was not given is left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True, exclude=set(self.in_path))

    @property
    def sent(self) -> bytes:
        """The body as its bytes."""
        return b"" if self.body is None else json.dumps(self.body, ensure_ascii=False).encode()

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments as they are written down: nobody is named, and data fields may name somebody."""
        given = self.model_dump(mode="json", exclude_none=True)
        for name in self.persons:
            given |= {name: "not kept"} if name in given else {}
        return given | ({"data_fields": sorted(given["data_fields"])} if "data_fields" in given else {})

    def objections(self, moment: datetime) -> list[str]:
        """What the arguments themselves have against a call at `moment`."""
        return []


class OfCampaign(Procedure):
    """What is done to one campaign."""

    # the states in which Iterable does it, and the type of campaign
    states: ClassVar[frozenset[str]]
    type: ClassVar[str | None] = None
    # the states in which the campaign is once it was done, and while it was not
    done_in: ClassVar[frozenset[str]] = frozenset()
    not_done_in: ClassVar[frozenset[str]] = frozenset()

    campaign_id: int = Field(ge=1, description="Iterable's id of the campaign.")

    @property
    def lane(self) -> str:
        return f"{self.kind}-campaign-{self.campaign_id}"


class AbortCampaign(OfCampaign):
    name = "abort_campaign"
    command = "abort"
    description = "Stop a campaign that is being sent."
    path = "/api/campaigns/abort"
    kind = "abort"
    states = frozenset({"Running", "Starting"})
    done_in = frozenset({"Aborted"})
    not_done_in = frozenset({"Running", "Starting", "Finished"})


class CancelScheduledOrRecurringCampaign(OfCampaign):
    name = "cancel_campaign"
    command = "cancel"
    description = "Call off a campaign that is scheduled or recurring."
    path = "/api/campaigns/cancel"
    kind = "cancel"
    states = frozenset({"Scheduled", "Recurring"})
    # what Finished means depends on what it was: see settle.py
    done_in = frozenset({"Draft", "Ready", "Aborted", "Archived"})
    not_done_in = frozenset({"Scheduled", "Recurring", "Starting", "Running"})


class TriggerCampaign(OfCampaign):
    name = "trigger_campaign"
    command = "trigger"
    description = "Send a triggered campaign to everybody on these lists."
    path = "/api/campaigns/trigger"
    kind = "send"
    states = frozenset({"Running"})
    type = "Triggered"
    settled_by = "sends"
    # people are sent to one after the other, and their messages appear after that
    shown_within = timedelta(minutes=15)

    list_ids: list[int] = Field(description="The lists to send to: one at least.")
    suppression_list_ids: list[int] | None = Field(None, description="Lists whose members get nothing.")
    data_fields: dict[str, Any] | None = Field(
        None, description="Fields for the template, as {{name}}. Nothing of a person belongs here."
    )
    allow_repeat_marketing_sends: bool | None = Field(
        None, description="Whether who has had this campaign gets it again. Left out, Iterable takes true."
    )

    @field_validator("list_ids")
    @classmethod
    def _somebody(cls, given: list[int]) -> list[int]:
        if not given:
            # D9: the document calls listIds optional, Iterable refuses to trigger without
            raise ValueError("name one list at least: Iterable triggers no campaign without listIds")
        return given

    @field_validator("suppression_list_ids", "data_fields")
    @classmethod
    def _or_nothing(cls, given: Any) -> Any:
        return given or None


class ActivateTriggeredCampaign(OfCampaign):
    name = "activate_triggered_campaign"
    command = "activate"
    description = "Let a triggered campaign send from now on."
    path = "/api/campaigns/activateTriggered"
    kind = "switch"
    states = frozenset(STATES) - {"Running", "Starting", "Archived"}
    type = "Triggered"
    done_in = frozenset({"Running", "Starting"})
    not_done_in = frozenset(STATES) - {"Running", "Starting"}


class DeactivateTriggeredCampaign(OfCampaign):
    name = "deactivate_triggered_campaign"
    command = "deactivate"
    description = "Let a triggered campaign send no more."
    path = "/api/campaigns/deactivateTriggered"
    kind = "switch"
    states = frozenset({"Running", "Starting"})
    type = "Triggered"
    done_in = frozenset(STATES) - {"Running", "Starting"}
    not_done_in = frozenset({"Running", "Starting"})


class ScheduleCampaign(OfCampaign):
    name = "schedule_campaign"
    command = "schedule"
    description = "Have a campaign sent at a moment within the next seven days."
    path = "/api/campaigns/{campaign_id}/schedule"
    kind = "send"
    in_path = ("campaign_id",)
    states = _NOT_SENT
    type = "Blast"
    done_in = _GOES | {"Scheduled"}
    not_done_in = _NOT_SENT

    send_at: datetime = Field(description="When, with its time zone: 2026-11-23T09:00+01:00, or …Z.")
    start_time_zone: Zone | None = Field(
        None, description="By the recipients' own time zones: the zone that is first, such as Pacific/Auckland."
    )
    default_time_zone: Zone | None = Field(None, description="The zone of recipients who have none.")

    @field_validator("send_at")
    @classmethod
    def _in_a_zone(cls, given: datetime) -> datetime:
        if given.tzinfo is None:
            raise ValueError("write the time zone too: 2026-11-23T09:00+01:00, or 2026-11-23T08:00Z")
        return given.astimezone(UTC)

    @model_validator(mode="after")
    def _both_zones(self) -> Self:
        if (self.start_time_zone is None) != (self.default_time_zone is None):
            raise ValueError("start_time_zone and default_time_zone belong together: give both, or neither")
        return self

    @property
    def body(self) -> dict[str, Any]:
        zones = {"startTimeZone": self.start_time_zone, "defaultTimeZone": self.default_time_zone}
        by_zone = {"recipientTimeZone": zones} if self.start_time_zone else {}
        return {"sendAt": f"{self.send_at:%Y-%m-%dT%H:%M:%S}Z", **by_zone}

    def objections(self, moment: datetime) -> list[str]:
        if self.send_at <= moment:
            return [f"send_at {self.send_at:%Y-%m-%d %H:%M} UTC is over: it is {moment:%Y-%m-%d %H:%M} UTC"]
        if self.send_at > moment + _LONGEST_AHEAD:
            return [
                f"send_at {self.send_at:%Y-%m-%d %H:%M} UTC is too far ahead: Iterable schedules seven days at most"
            ]
        return []


class SendCampaign(OfCampaign):
    name = "send_campaign"
    command = "send"
    description = "Send a campaign now, to its own lists."
    path = "/api/campaigns/{campaign_id}/send"
    kind = "send"
    in_path = ("campaign_id",)
    states = _NOT_SENT
    type = "Blast"
    done_in = _GOES
    not_done_in = _NOT_SENT

    @property
    def body(self) -> None:
        return None


class TriggerJourney(Procedure):
    name = "trigger_journey"
    command = "journey"
    description = "Let a user, or everybody on a list, enter a journey."
    path = "/api/workflows/triggerWorkflow"
    kind = "enter"
    persons = ("email", "user_id")
    # Iterable shows nobody's way through a journey (api.md 5.6)
    settled_by = "person"

    workflow_id: int = Field(ge=1, description="Iterable's id of the journey.")
    list_id: int | None = Field(None, ge=1, description="Everybody on this list.")
    email: str | None = Field(None, min_length=1, description="The user of this address.")
    user_id: str | None = Field(None, min_length=1, description="The user of this id.")
    data_fields: dict[str, Any] | None = Field(None, description="Fields of the event that they enter with.")

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if sum(each is not None for each in (self.list_id, self.email, self.user_id)) != 1:
            raise ValueError("say who enters, by exactly one of list_id, email and user_id")
        return self

    @property
    def lane(self) -> str:
        # one trigger at a time per list and journey is Iterable's rule; of users the ledger adds who
        return f"enter-journey-{self.workflow_id}" + (f"-list-{self.list_id}" if self.list_id else "")

    @property
    def person(self) -> str | None:
        """Who enters, for a hash of it."""
        return self.email.strip().lower() if self.email else self.user_id


PROCEDURES: dict[str, type[Procedure]] = {
    each.name: each
    for each in (
        AbortCampaign,
        TriggerCampaign,
        CancelScheduledOrRecurringCampaign,
        ActivateTriggeredCampaign,
        DeactivateTriggeredCampaign,
        ScheduleCampaign,
        SendCampaign,
        TriggerJourney,
    )
}


def procedure_of(kind: type[Procedure], given: Mapping[str, Any]) -> Procedure:
    """The call with these arguments. Raises CallRefused, unsent, with all that is wrong with them."""
    try:
        return kind.model_validate(dict(given))
    except ValidationError as error:
        wrong = [_told(each["loc"], each["msg"]) for each in error.errors(include_input=False, include_url=False)]
        raise CallRefused(
            f"{kind.name}: {'; '.join(wrong)}. Nothing was sent.\n"
            f"Next: iterable-pipelines campaign {kind.command} --help"
        ) from None


def _told(place: Sequence[str | int], message: str) -> str:
    said = message.removeprefix("Value error, ").replace("Input should", "it must").replace("Field required", "missing")
    return f"{'.'.join(map(str, place))}: {said}" if place else said
