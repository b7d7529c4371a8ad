"""From an answer that is an error to the exception for it. Iterable has four shapes of error body (api.md 1.4)."""

import html
import json
import re
from collections.abc import Mapping
from datetime import datetime

from iterable_pipelines.api.errors import Broken, Busy, IterableError, Refused
from iterable_pipelines.api.patience import Patience
from iterable_pipelines.api.redaction import redacted
from iterable_pipelines.api.retry_after import parse_http_date, parse_retry_after
from iterable_pipelines.hours import now

_SHOWN_CHARACTERS = 200
# each shape's own members and no others: a custom event may well have a "code" and a "msg" among its fields
_MEMBERS = {"msg", "message", "error", "code", "params", "data"}
_NEEDED = ({"msg", "code"}, {"msg", "params"}, {"message", "code"}, {"error", "message"})
# that there is no such user may come with status 500, and is no trouble of the server's all the same (api.md 1.8)
_NOBODY = "error.users.noUser"
_PASSING = {"genericerror", "databaseerror", "queueemailerror", "success", ""}
_ADVICE = {
    401: "Check ITERABLE_API_KEY: it may be revoked, belong to the other data centre (ITERABLE_REGION), or lack the "
    "right to do this. Next: iterable-pipelines check",
    403: "This key lacks the right to do this: exports need a server-side key. Next: iterable-pipelines check",
    414: "The request's address is too long: ask for fewer things at once",
}


def plain_text(body: bytes, key: str = "") -> str:
    """The first 200 characters of a body as text without tags, key and persons."""
    text = body[:65536].decode("utf-8", "replace")
    text = re.sub(r"(?is)<(script|style)\b.*?</\1\s*>|<!--.*?-->|<[^>]*>?", " ", text)
    return redacted(" ".join(html.unescape(text).split()), key)[:_SHOWN_CHARACTERS]


def error_object(text: bytes) -> tuple[str, str] | None:
    """(code, message) if `text` is an error in one of the two JSON shapes, None for anything else, records included."""
    if len(text) > 65536 or not text.strip().startswith(b"{"):
        return None
    try:
        found = json.loads(text)
    except ValueError:
        return None
    members = set(found)
    if not members <= _MEMBERS or not any(each <= members for each in _NEEDED):
        return None
    if not isinstance(found.get("code", ""), str):
        return None
    message = found.get("msg") or found.get("message") or found.get("error")
    return str(found.get("code") or found.get("error") or ""), str(message)


def error_of_status(
    what: str, status: int, headers: Mapping[str, str], body: bytes, patience: Patience, key: str = ""
) -> IterableError:
    """The error for an answer with an error status. The status decides: `code` may say "Success" on a 400."""
    read = error_object(body)
    code, message = (read[0] or None, read[1]) if read else (None, plain_text(body, key))
    if read is None and body.lstrip().startswith(b"{"):
        code, message = _loose_members(body, message)
    message = message[:_SHOWN_CHARACTERS]
    said = f"{what}: HTTP {status}" + redacted((f" {code}" if code else "") + (f": {message}" if message else ""), key)
    if status == 429:
        wait = min(_retry_after(headers) or patience.busy_wait, patience.longest_busy_wait)
        return Busy(said, status, code, wait)
    if status == 408 or (status >= 500 and not (code or "").startswith(_NOBODY)):
        return Broken(said, status, code)
    advice = _ADVICE.get(status)
    return Refused(f"{said}. {advice}" if advice else said, status, code)


def error_of_object(what: str, code: str, message: str, patience: Patience, key: str = "") -> IterableError:
    """The error for an error object that came with status 200, where only the code is left to go by."""
    said = f"{what}: an error came with status 200: {redacted(f'{code}: {message[:_SHOWN_CHARACTERS]}', key)}"
    if code == "RateLimitExceeded":
        return Busy(said, 200, code, min(patience.busy_wait, patience.longest_busy_wait))
    kind = Broken if code.replace(" ", "").lower() in _PASSING else Refused
    return kind(said, 200, code)


def _loose_members(body: bytes, otherwise: str) -> tuple[str | None, str]:
    # with an error status even an object of no known shape may say what is wrong, as 401 does without a code
    try:
        found = json.loads(body)
    except ValueError:
        return None, otherwise
    message = found.get("msg") or found.get("message") or found.get("error") or otherwise
    code = found.get("code")
    return (str(code) if code else None), str(message)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    server_now: datetime = parse_http_date(headers.get("Date")) or now()
    return parse_retry_after(headers.get("Retry-After"), server_now)
