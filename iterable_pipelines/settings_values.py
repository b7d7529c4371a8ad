"""From what people write to values: each function takes one text, and says in one sentence what is wrong with it."""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from difflib import get_close_matches
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from pydantic import ByteSize, TypeAdapter

from iterable_pipelines.hours import hour_of, now, parse_hour

# nothing can be older: Iterable was founded in 2013, and a mistyped century would make millions of partitions
_FIRST_YEAR = 2013
# days: the last audit is seven days after the end of the hour's day (passes.py)
_SHORTEST_RETENTION = 9
_COLUMN = re.compile(r"[a-z][a-z0-9_]{0,62}")
_TOKEN_LENGTH = 16
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
# what a request has anyway, or a proxy sets or takes away
_HEADERS_TAKEN = ("connection", "content-encoding", "content-length", "content-type", "cookie", "host", "te",
                  "transfer-encoding", "upgrade", "user-agent")  # fmt: skip
_MEMORY = re.compile(r"\d+(\.\d+)?\s*[KMGT]i?B", re.IGNORECASE)


def did_you_mean(name: object, allowed: Iterable[str]) -> str:
    """ ", did you mean emailOpen?" for something near an allowed name, whatever its case; else nothing."""
    by_lower = {each.lower(): each for each in allowed}
    near = get_close_matches(str(name).lower(), by_lower, n=1, cutoff=0.7)
    return f", did you mean {by_lower[near[0]]}?" if near else ""


def trimmed(text: str) -> str:
    """The text without white space and one pair of quotes around it."""
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        text = text[1:-1].strip()
    return text


def names(given: Any) -> tuple[str, ...]:
    """A list, or comma-separated text, as its distinct names in the order given."""
    if isinstance(given, str):
        given = given.split(",")
    if not isinstance(given, list | tuple):
        raise ValueError("write a list, or names with commas between them")
    return tuple(dict.fromkeys(name for name in (str(each).strip() for each in given) if name))


def list_ids(given: Any) -> Any:
    """`all`, `none`, or ids of lists as numbers: one, several with commas between them, or a list."""
    given = names(str(given) if isinstance(given, int) and not isinstance(given, bool) else given)
    if given in (("all",), ("none",)):
        return given[0]
    if not given or not all(re.fullmatch(r"[0-9]{1,18}", each) for each in given):
        raise ValueError("write all, none, or ids of lists with commas between them, such as 949814,949815")
    return tuple(int(each) for each in given)


def pairs(given: Any) -> dict[str, str]:
    """A mapping, or `column=field,column=field`, as a dict. Columns are lower-case SQL names, fields anything else."""
    if isinstance(given, str):
        split = [each.partition("=") for each in names(given)]
        if not all(sign and right.strip() for _, sign, right in split):
            raise ValueError("write column=field, with commas between them")
        given = {left.strip(): right.strip() for left, _, right in split}
    if not isinstance(given, dict):
        raise ValueError("write a mapping of columns to fields of the user record")
    for column, record_field in given.items():
        if not _COLUMN.fullmatch(str(column)) or str(column).startswith("it_"):
            raise ValueError(
                f"{column!r} cannot be a column: use lower-case letters, digits and _, starting with a letter, "
                "not with it_, which the profile's own columns use"
            )
        if not isinstance(record_field, str) or not record_field.strip() or not record_field.isprintable():
            raise ValueError(f"column {column!r} needs the name of a field of the user record")
    return given


def retention(given: Any, streams: list[str]) -> dict[str, int]:
    """A number of days for all streams, or a mapping (`stream=90d,default=400d`), as the days of each stream that has
    any. `keep` is for ever.
    """
    if isinstance(given, str):
        split = [each.partition("=") for each in names(given)]
        given = {
            (left.strip() if sign else "default"): (right if sign else left).strip() for left, sign, right in split
        }
    if not isinstance(given, dict):
        raise ValueError("write days such as 400d, or a mapping of streams to days")
    unknown = [name for name in given if name not in (*streams, "default")]
    if unknown:
        raise ValueError(
            f"{unknown[0]!r} is no stream of events{did_you_mean(unknown[0], streams) or ''} "
            f"(there are default, {', '.join(streams)})"
        )
    days = {name: _days(str(name), each) for name, each in given.items()}
    chosen = {stream: days.get(stream, days.get("default", 0)) for stream in streams}
    return {stream: each for stream, each in chosen.items() if each}


def _days(name: str, given: Any) -> int:
    text = str(given).strip()
    if text == "keep":
        return 0
    found = re.fullmatch(r"([0-9]{1,5})d", text)
    if not found:
        raise ValueError(f"{name}: {text!r} is no retention: write days such as 90d, or keep")
    if int(found[1]) < _SHORTEST_RETENTION:
        raise ValueError(
            f"{name}: {text} is too short: hours are looked at again until they are eight days old, so write "
            f"{_SHORTEST_RETENTION}d or more"
        )
    return int(found[1])


def api_key(given: str) -> str:
    """A key as it may stand in an HTTP header. The message never holds what was given."""
    key = trimmed(given)
    if not _fits_header(key):
        raise ValueError(
            "the key holds white space, quotes, a line break or a letter that no key has: copy it from Iterable again"
        )
    return key


def webhook_tokens(given: str) -> str:
    """One token, or two with a comma between them, as they may stand in a header. The message never holds them."""
    tokens = names(trimmed(given))
    if len(tokens) > 2:
        raise ValueError("write one token, or two with a comma between them while one takes the place of the other")
    if not all(map(_fits_header, tokens)):
        raise ValueError("the token holds white space, quotes or a letter that no header takes; openssl rand -hex 32")
    if any(len(token) < _TOKEN_LENGTH for token in tokens):
        raise ValueError(f"a token needs {_TOKEN_LENGTH} characters, or it can be guessed; openssl rand -hex 32")
    return ",".join(tokens)


def _fits_header(secret: str) -> bool:
    return secret.isascii() and secret.isprintable() and not any(sign in " '\"" for sign in secret)


def header_name(given: str) -> str:
    """The name of a header that is free for a token, and that proxies let pass."""
    if not _HEADER.fullmatch(given) or given.lower() in _HEADERS_TAKEN:
        raise ValueError("write Authorization, or a name of letters, digits and - such as X-Webhook-Token")
    return given


def is_loopback(url: str) -> bool:
    """Whether the URL's host is this machine, by its spelling: nothing is resolved."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def base_url(given: str) -> str:
    """An https URL, or http to this machine, without the slash at the end: the key is sent there."""
    url = given.rstrip("/")
    parts = urlsplit(url)
    try:
        well_formed = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        well_formed = False
    if not well_formed or not url.isprintable() or " " in url:
        raise ValueError("write a URL such as https://api.iterable.com")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("the URL must hold no user name, password, query or fragment")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(url)):
        raise ValueError("the key is only sent by https; http is for this machine alone (http://127.0.0.1:8800)")
    if parts.path.endswith("/api"):
        raise ValueError("leave /api away: every path that is asked for begins with it")
    return url


def start_date(given: Any) -> datetime:
    """A day or an hour of UTC, or a time with its zone, as the start of its UTC hour."""
    moment = _moment(given)
    if moment > now():
        raise ValueError(f"it lies in the future; it is {now():%Y-%m-%dT%H:%M}Z now")
    if moment.year < _FIRST_YEAR:
        raise ValueError(f"Iterable has no data from before {_FIRST_YEAR}")
    return hour_of(moment)


def _moment(given: Any) -> datetime:
    if isinstance(given, date) and not isinstance(given, datetime):
        return datetime(given.year, given.month, given.day, tzinfo=UTC)
    if isinstance(given, str):
        try:
            return parse_hour(given)
        except ValueError:
            pass
        try:
            given = datetime.fromisoformat(given)
        except ValueError:
            given = None
    if not isinstance(given, datetime):
        raise ValueError("it is no date: write 2026-11-01, 2026-11-01T03 (both UTC) or 2026-11-01T03:00:00Z")
    if given.tzinfo is None:
        raise ValueError(f"it has no time zone: write {given:%Y-%m-%dT%H:%M:%S}Z if UTC is meant")
    try:
        return given.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"Iterable has no data from before {_FIRST_YEAR}") from None


def memory(given: str) -> str:
    """A size as DuckDB reads it: 1GB, 512MB, 1.5GiB."""
    if not _MEMORY.fullmatch(given) or not float(re.match(r"[\d.]+", given)[0]):  # type: ignore[index]
        raise ValueError("write a size such as 1GB or 512MB")
    return given


def memory_bytes(size: str) -> int:
    """How many bytes such a size is."""
    return TypeAdapter(ByteSize).validate_python(size)
