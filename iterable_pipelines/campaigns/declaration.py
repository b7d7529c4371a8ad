"""`campaigns/*.yml`: one file, one triggered campaign whose sends must pass a gate."""

import re
from collections.abc import Sequence
from datetime import time, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from iterable_pipelines.activation.declaration import Sync, Zone
from iterable_pipelines.activation.lists import wanted_list
from iterable_pipelines.activation.objects import load_syncs
from iterable_pipelines.data_types import STREAM
from iterable_pipelines.declared import Scheduled, Section, load_declared
from iterable_pipelines.settings import Settings
from iterable_pipelines.settings_values import did_you_mean

FOLDER = "campaigns"
CheckName = Literal[
    "campaign",
    "audience",
    "fresh",
    "complete",
    "rejects",
    "verified",
    "streams",
    "size",
    "suppression",
    "not_too_often",
    "awake",
]
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def _span(given: Any) -> Any:
    if isinstance(given, timedelta):
        return given
    found = re.fullmatch(r"([1-9][0-9]{0,4})([mhdw])", str(given))
    if not found:
        raise ValueError("write a span: 90m, 24h, 7d or 2w")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _clock(given: Any) -> Any:
    # YAML reads 21:00 as a number to the base of 60
    return time(*divmod(given, 60)) if isinstance(given, int) and 0 <= given < 24 * 60 else given


Span = Annotated[timedelta, BeforeValidator(_span)]
Clock = Annotated[time, BeforeValidator(_clock)]


class Size(Section):
    """How many it may go to, and how far that may lie from the last time (0.5: half as many, or half as many again)."""

    min: int | None = Field(None, ge=0)
    max: int | None = Field(None, ge=1)
    max_change: float | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _holds_somebody(self) -> Self:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("`min` is more than `max`: no list has so many")
        return self


class StreamHours(Section):
    """Streams that must be complete in the last hours; the newest two are always on their way."""

    names: Annotated[tuple[str, ...], Field(min_length=1)]
    hours: int = Field(24, ge=1, le=24 * 92)

    @field_validator("names")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for each in names:
            if each not in STREAM:
                raise ValueError(
                    f"{each!r} is no stream{did_you_mean(each, STREAM) or '; there are ' + ', '.join(STREAM)}"
                )
        return names


class Suppression(Section):
    """Lists that must shut people out of it, and within which time their members must have been read."""

    lists: Annotated[tuple[int, ...], Field(min_length=1)]
    read_within: Span = timedelta(hours=24)


class QuietHours(Section):
    """When nothing is sent, by the clock of a zone; `from` may be later than `to`: over night."""

    start: Clock = Field(alias="from")
    end: Clock = Field(alias="to")
    timezone: Zone = "UTC"

    @model_validator(mode="after")
    def _last_a_while(self) -> Self:
        if self.start == self.end:
            raise ValueError("`from` and `to` are the same: no time of the day is quiet")
        return self


class GateRules(Section):
    """What must be so before it is sent. A rule that is left out is not looked at; what is not known is not so."""

    fresh_within: Span | None = None
    complete: bool = True
    max_reject_ratio: float = Field(0.05, ge=0, le=1)
    min_verified: float = Field(0.99, ge=0, le=1)
    streams: StreamHours | None = None
    size: Size | None = None
    suppression: Suppression | None = None
    at_most_every: Span | None = None
    quiet_hours: QuietHours | None = None


class GatedCampaign(Scheduled):
    """A triggered campaign, whom it goes to, and its gate. With `approve` its schedule sends; without, it looks."""

    campaign_id: int = Field(ge=1)
    list_ids: tuple[int, ...] = ()
    # the sync whose list it goes to
    audience: str | None = None
    suppression_list_ids: tuple[int, ...] = ()
    data_fields: dict[str, Any] = Field(default_factory=dict)
    allow_repeat_marketing_sends: bool = False
    gate: GateRules
    approve: bool = False

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if bool(self.list_ids) == bool(self.audience):
            raise ValueError("write `audience`, the name of a sync, or `list_ids`: one of the two (D9)")
        rules = self.gate
        for name in ("complete", "max_reject_ratio", "min_verified"):
            if name in rules.model_fields_set and not self.audience:
                raise ValueError(f"`gate.{name}` looks at a sync: it has no effect without `audience`")
        missing = set(rules.suppression.lists if rules.suppression else ()) - set(self.suppression_list_ids)
        if missing:
            listed = ", ".join(map(str, sorted(missing)))
            raise ValueError(f"`gate.suppression` asks for list {listed}: write it into `suppression_list_ids` too")
        if self.approve and not (self.schedule and rules.at_most_every):
            raise ValueError(
                "`approve: true` sends with nobody looking: it needs a `schedule`, and `gate.at_most_every`, so that "
                "nobody gets it twice"
            )
        return self

    @property
    def checks(self) -> tuple[CheckName, ...]:
        """The checks that its rules ask for."""
        rules, of_sync = self.gate, self.audience is not None
        asked: dict[CheckName, bool] = {
            "campaign": True,
            "audience": of_sync,
            "fresh": rules.fresh_within is not None,
            "complete": of_sync and rules.complete,
            "rejects": of_sync,
            "verified": of_sync,
            "streams": rules.streams is not None,
            "size": rules.size is not None,
            "suppression": rules.suppression is not None,
            "not_too_often": rules.at_most_every is not None,
            "awake": rules.quiet_hours is not None,
        }
        return tuple(name for name, wanted in asked.items() if wanted)

    def place(self, root: Path) -> tuple[str, ...]:
        """One gate for each campaign."""
        return ("campaign", str(self.campaign_id))


def load_campaigns(settings: Settings) -> list[GatedCampaign]:
    """Every gated campaign of the project, by name. Raises SettingsError with all that is wrong, by file and line."""

    def together(found: Sequence[GatedCampaign]) -> list[str]:
        if not any(each.audience for each in found):
            return []
        syncs = {each.name: each for each in load_syncs(settings)}
        return [f"{FOLDER}/{each.name}.yml, audience: {wrong}" for each in found if (wrong := _wrong(each, syncs))]

    return load_declared(settings, FOLDER, GatedCampaign, "A campaign", "iterable-pipelines campaign gates", together)


def _wrong(campaign: GatedCampaign, syncs: dict[str, Sync]) -> str:
    if not campaign.audience:
        return ""
    sync = syncs.get(campaign.audience)
    if sync is None:
        return f"there is no sync {campaign.audience!r}{did_you_mean(campaign.audience, syncs)}"
    if wanted_list(sync) is None:
        return f"the sync {sync.name} has no list: a campaign is sent to one"
    if sync.connection:
        return f"the sync {sync.name} writes to another project of Iterable than the settings name"
    return ""
