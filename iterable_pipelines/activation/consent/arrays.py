"""The arrays of a subscription request, made of what a user has now: requests replace them (api.md 6.1). Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from iterable_pipelines.activation.compile.subscriptions import CHANGES

LISTS, CHANNELS = "emailListIds", "unsubscribedChannelIds"
LEFT_TYPES, TYPES = "unsubscribedMessageTypeIds", "subscribedMessageTypeIds"
# what the ids of each array are, and whether being in it means to be subscribed
_ARRAYS = {
    LISTS: ("list", True),
    CHANNELS: ("channel", False),
    LEFT_TYPES: ("message_type", False),
    TYPES: ("message_type", True),
}
# whether somebody may be subscribed to this, (what, id), although they left it once
May = Callable[[str, int], bool]
Current = Mapping[str, set[int]]


@dataclass
class Rebuilt:
    """arrays: what the request says, without those that stay as they are. kept: (what, id) that stay unsubscribed.

    wish: the payload without what was kept: what Iterable is to show afterwards.
    """

    arrays: dict[str, list[int]]
    wish: dict[str, Any]
    kept: set[tuple[str, int]] = field(default_factory=set)


def current_of(profile: Mapping[str, Any] | None) -> dict[str, set[int]]:
    """The arrays that a profile shows; one it does not show is empty, and of opted-in types not there at all."""
    fields = (profile or {}).get("dataFields") or {}
    # static lists go by another name where addresses do not identify (api.md 1.8)
    shown = {name: _ids(fields.get(name)) for name in (CHANNELS, LEFT_TYPES)}
    shown[LISTS] = _ids(fields.get(LISTS)) | _ids(fields.get("userListIds"))
    return shown | ({TYPES: _ids(fields[TYPES])} if isinstance(fields.get(TYPES), list) else {})


def rebuild(payload: Mapping[str, Any], current: Current, may: May) -> Rebuilt:
    """What to send so that the user has what `payload` asks for, and everything else as it is now."""
    wanted = {name: set(payload[name]) for name in _ARRAYS if name in payload}
    wish = {name: value for name, value in payload.items() if name != CHANGES}
    kept: set[tuple[str, int]] = set()
    for name, ids in wanted.items():
        what, is_subscribed = _ARRAYS[name]
        had = current.get(name, set())
        # whom the new array would subscribe: to what they are not, or not to what they have left
        gains = ids - had if is_subscribed else had - ids
        stays = {each for each in gains if not may(what, each)}
        kept |= {(what, each) for each in stays}
        wanted[name] = ids - stays if is_subscribed else ids | stays
        wish[name] = sorted(wanted[name])
    for what, ids_of in payload.get(CHANGES, {}).items():
        ins, outs = set(ids_of["in"]), set(ids_of["out"])
        stays = {each for each in ins - _subscribed(what, current) if not may(what, each)}
        kept |= {(what, each) for each in stays}
        ins -= stays
        wish.setdefault(CHANGES, {})[what] = {"in": sorted(ins), "out": sorted(outs)}
        for name, (of, is_subscribed) in _ARRAYS.items():
            if of == what and (name != TYPES or name in current):
                had = current.get(name, set())
                wanted[name] = (had | ins) - outs if is_subscribed else (had - ins) | outs
    arrays = {name: sorted(ids) for name, ids in wanted.items() if ids != current.get(name, set())}
    return Rebuilt(arrays, wish, kept)


def _subscribed(what: str, current: Current) -> set[int]:
    """Ids of lists that somebody is on; of all else, being subscribed is not to have left, which `may` is asked of."""
    return current.get(LISTS, set()) if what == "list" else set()


def _ids(found: Any) -> set[int]:
    return {int(each) for each in found if str(each).isdigit()} if isinstance(found, list) else set()
