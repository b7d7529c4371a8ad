"""`track_calls/*.yml`: one file, one destination, one asset. What is wrong in them is refused at start, by line."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from iterable_pipelines.declared import Scheduled, Section, Variable, load_declared
from iterable_pipelines.moments import parse_moment
from iterable_pipelines.settings import Settings
from iterable_pipelines.settings_values import did_you_mean
from iterable_pipelines.track_calls.events import TRACK_EVENT, TRACK_EVENTS, TrackEvent
from iterable_pipelines.variables import variable

FOLDER = "track_calls"
# what Segment takes: events and bytes of a batch, bytes of an event (its HTTP API, "Max request size" and "Errors")
_SEGMENT_CALLS, _SEGMENT_BYTES = 2500, 500_000
LARGEST_CALL = 32_000


@dataclass(frozen=True)
class Limits:
    """What one batch may hold."""

    calls: int
    bytes: int


def _moment(given: Any) -> datetime | None:
    if given == "now":
        return None
    if isinstance(given, datetime):
        return given.replace(tzinfo=UTC) if given.tzinfo is None else given.astimezone(UTC)
    if isinstance(given, date):
        return datetime(given.year, given.month, given.day, tzinfo=UTC)
    if not isinstance(given, str):
        raise ValueError("write now, or a date such as 2026-11-01")
    try:
        return parse_moment(given)
    except ValueError as error:
        raise ValueError(f"{error}, or now") from None


def _events(given: Any) -> tuple[str, ...]:
    """Names or data types, as data types."""
    if isinstance(given, str):
        given = [given]
    if not isinstance(given, list) or not given or not all(isinstance(each, str) for each in given):
        raise ValueError("write a list of names or data types, or leave it out for all of them")
    known = {name: each.data_type for each in TRACK_EVENTS for name in (each.name, each.data_type)}
    for unknown in [each for each in given if each not in known]:
        near = did_you_mean(unknown, known) or f"; there are {', '.join(each.name for each in TRACK_EVENTS)}"
        raise ValueError(f"{unknown!r} is no track event{near}")
    return tuple(dict.fromkeys(known[each] for each in given))


def _folder(given: Path) -> Path:
    # an empty text is the folder that one is in
    if given == Path():
        raise ValueError("name a folder of its own, such as out/track_calls")
    return given


class To(Section):
    """Where calls go: `url_env` names the variable that holds the address, `key_env` that of the write key."""

    url_env: Variable | None = None
    key_env: Variable | None = None
    format: Literal["segment_batch", "single"] = "segment_batch"
    folder: Annotated[Path, AfterValidator(_folder)] | None = None

    @model_validator(mode="after")
    def _fit_together(self) -> "To":
        if (self.url_env is None) == (self.folder is None):
            raise ValueError("name where to: either `url_env`, the variable that holds the address, or `folder`")
        if self.folder and self.model_fields_set & {"key_env", "format"}:
            raise ValueError("`key_env` and `format` belong to `url_env`: files hold a call a line")
        return self


class Batch(Section):
    """What is written down, and sent, at once."""

    calls: int | None = Field(None, ge=1, le=1_000_000)
    bytes: int | None = Field(None, ge=2 * LARGEST_CALL, le=1_000_000_000)


class Destination(Scheduled):
    """Where track calls go, which, and from when on: `since` is None for what happens after the first run."""

    to: To
    events: Annotated[tuple[str, ...], BeforeValidator(_events)] = tuple(TRACK_EVENT)
    since: Annotated[datetime | None, BeforeValidator(_moment)] = None
    # what names a user whom Iterable knows by address only: as Segment's userId, or as Iterable's own source does
    email_as: Literal["userId", "anonymousId"] = "userId"
    batch: Batch = Batch()
    enabled: bool = True

    @model_validator(mode="after")
    def _fit_together(self) -> "Destination":
        if self.to.url_env and self.to.format == "segment_batch":
            for name, most in (("calls", _SEGMENT_CALLS), ("bytes", _SEGMENT_BYTES)):
                if (getattr(self.batch, name) or 0) > most:
                    raise ValueError(f"`batch`: a segment_batch takes {most:,} {name} at most")
        return self

    @property
    def limits(self) -> Limits:
        """What one batch may hold: as `batch` says, else what suits the receiver."""
        usual = Limits(50_000, 50_000_000) if self.to.folder else Limits(1000, _SEGMENT_BYTES)
        return Limits(self.batch.calls or usual.calls, self.batch.bytes or usual.bytes)

    @property
    def track_events(self) -> list[TrackEvent]:
        """The events that are sent."""
        return [TRACK_EVENT[each] for each in self.events]

    def place(self, root: Path) -> tuple[str, ...]:
        """Where to, so that two destinations can be told apart; two variables may hold the same."""
        if self.to.folder:
            return ("folder", str(root / self.to.folder))
        return ("url", *(variable(name, root) or name for name in (self.to.url_env, self.to.key_env) if name))


def load_destinations(settings: Settings) -> list[Destination]:
    """Every destination of the project, by name. Raises SettingsError with all that is wrong, by file and line."""
    return load_declared(
        settings, FOLDER, Destination, "A destination of track calls", "iterable-pipelines track-calls --all --dry-run"
    )


def enabled_destinations(settings: Settings) -> list[Destination]:
    """Those that are not switched off."""
    return [each for each in load_destinations(settings) if each.enabled]


def ledger_path(settings: Settings, name: str) -> Path:
    """The ledger of a destination. Not in the warehouse: one that is made anew must not send anything twice."""
    return settings.data_dir / FOLDER / f"{name}.db"


def outbox_path(settings: Settings, destination: Destination) -> Path:
    """The folder of batches that wait: on the receiver's own disk if that is a folder, so that a rename delivers."""
    if destination.to.folder:
        return settings.project_root / destination.to.folder / f".{destination.name}"
    return settings.data_dir / FOLDER / destination.name
