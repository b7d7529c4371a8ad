"""Whether what Iterable shows is what was sent: it spells moments, numbers and empty fields in ways of its own."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

# the shapes of api.md 1.6, in what was sent and in what is shown; a fraction of a second may even stand twice
_MOMENT = re.compile(
    r"(?P<day>\d{4}-\d{2}-\d{2})"
    r"(?:[ T](?P<time>\d{2}:\d{2}:\d{2})(?:\.\d{1,9})?(?:\.\d{3})?(?: ?(?P<zone>Z|[+-]\d{2}:?\d{2}))?)?"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# an epoch from this on counts milliseconds (T1)
_MILLISECONDS = 10**11


def same_value(sent: Any, found: Any) -> bool:
    """Whether the two JSON values mean the same: 1 is 1.0, null is absent, and a moment is one however it is written.

    Objects may have their keys in any order, and null ones or none; arrays keep theirs.
    """
    if sent is None or found is None:
        return sent is found
    if isinstance(sent, bool) or isinstance(found, bool):
        return sent is found
    if isinstance(sent, Mapping):
        return isinstance(found, Mapping) and not differing(sent, found, whole=True)
    if isinstance(sent, list | tuple):
        return isinstance(found, list | tuple) and same_list(sent, found)
    if isinstance(sent, str) and sent != found:
        moment = moment_of(sent)
        return moment is not None and moment == moment_of(found)
    return bool(sent == found)


def same_list(sent: Sequence[Any], found: Sequence[Any]) -> bool:
    """Whether both hold the same values in the same order."""
    return len(sent) == len(found) and all(map(same_value, sent, found))


def differing(sent: Mapping[str, Any], found: Mapping[str, Any], whole: bool = False, within: str = "") -> list[str]:
    """Names of what was sent and is not found so, dotted where they lie in objects.

    `whole`: what is found beyond that, in objects, differs too; without it objects are taken as merged into (V6).
    """
    names = []
    for name in dict.fromkeys((*sent, *found)) if whole else sent:
        one, other = sent.get(name), found.get(name)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            names += differing(one, other, whole, f"{within}{name}.")
        elif not same_value(one, other):
            names.append(within + name)
    return names


def moment_of(value: Any) -> datetime | None:
    """The moment that a value means, to the second; None for what is none. Without a zone it is UTC."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return _at_epoch(value)
    written = _MOMENT.fullmatch(value.strip()) if isinstance(value, str) else None
    if written is None:
        return None
    zone = (written["zone"] or "Z").replace("Z", "+00:00")
    try:
        return datetime.fromisoformat(f"{written['day']}T{written['time'] or '00:00:00'}{zone}").astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _at_epoch(number: float) -> datetime | None:
    try:
        return _EPOCH + timedelta(seconds=int(number / 1000 if abs(number) >= _MILLISECONDS else number))
    except (ValueError, OverflowError):
        return None
