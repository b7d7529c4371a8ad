"""What exactly is asked of Iterable for a window of a data type: users are another matter than events."""

from datetime import UTC, datetime

from iterable_pipelines.hours import Window, hour_of
from iterable_pipelines.settings import Settings

_BEFORE_ITERABLE = datetime(2013, 1, 1, tzinfo=UTC)


def filter_field_of(data_type: str) -> str:
    """What the export's window filters on (api.md 3.6)."""
    return "profileUpdatedAt" if data_type == "user" else "createdAt"


def since_of(settings: Settings, data_type: str, window: Window) -> datetime | None:
    """From when on the records of `window` are asked for, where that is not its start.

    The first hour of users brings everybody who was not updated since: without them profiles would have gaps.
    """
    return _BEFORE_ITERABLE if data_type == "user" and window.start == hour_of(settings.start_date) else None


def asked_window(settings: Settings, data_type: str, window: Window) -> Window:
    """The window as Iterable is asked for it."""
    return Window(since_of(settings, data_type, window) or window.start, window.end)


def fields_of(settings: Settings, data_type: str) -> tuple[str, ...]:
    """The fields asked for; none means all."""
    return settings.user_fields if data_type == "user" else ()
