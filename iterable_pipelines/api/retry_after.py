"""Reading Retry-After, which proxies and servers write in more ways than libraries accept (faults.md M6)."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def parse_retry_after(text: str | None, now: datetime) -> float | None:
    """Seconds to wait, more than 0, from `7`, `1.5` or an HTTP date; None where the header says nothing usable.

    `now` is the server's own clock where its Date header is known: the two must be compared with each other. The caller
    caps the result; this one may be infinite.
    """
    text = (text or "").strip()
    if re.fullmatch(r"\d+(\.\d*)?", text):
        return float(text) or None
    moment = parse_http_date(text)
    if moment is None or moment <= now:
        return None
    return (moment - now).total_seconds()


def parse_http_date(text: str | None) -> datetime | None:
    """The moment an HTTP date names, UTC; None if it is not one."""
    try:
        moment = parsedate_to_datetime(text or "")
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
