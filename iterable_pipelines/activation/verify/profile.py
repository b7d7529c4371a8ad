"""What a profile has to show of each kind of record that was acknowledged for it."""

from collections.abc import Iterable, Mapping
from typing import Any

from iterable_pipelines.activation.verify.promises import MISSING, VERIFIED, Finding, Promise
from iterable_pipelines.activation.verify.sameness import differing

# as Iterable answers a read: email, userId, dataFields; None for nobody
Profile = Mapping[str, Any]

# the field that holds the static lists goes by another name where addresses do not identify (api.md 1.8)
_LISTS = ("emailListIds", "userListIds")
# where a change of subscriptions shows, and whether being in it is to be subscribed
_CHANGED = {
    "list": ("emailListIds", True),
    "channel": ("unsubscribedChannelIds", False),
    "message_type": ("unsubscribedMessageTypeIds", False),
}


def fields_are_there(promise: Promise, profile: Profile | None) -> Finding:
    """users/bulkUpdate and users/update: every field that was sent, both identifiers included."""
    return MISSING if profile is None else _finding(*_user_differs(promise.payload, profile))


def is_on_list(promise: Promise, profile: Profile | None) -> Finding:
    """lists/subscribe: the list is one of the user's, and what else was sent is there."""
    if profile is None or promise.flags.get("listId") not in lists_of(profile):
        return MISSING
    return _finding(*_user_differs(promise.payload, profile))


def is_off_list(promise: Promise, profile: Profile | None) -> Finding:
    """lists/unsubscribe: the list is none of the user's; who does not exist is on none."""
    on_it = profile is not None and promise.flags.get("listId") in lists_of(profile)
    return Finding("mismatch", ("listId",)) if on_it else VERIFIED


def subscriptions_are_so(promise: Promise, profile: Profile | None) -> Finding:
    """users/bulkUpdateSubscriptions: arrays are the whole of what is there, in any order; of changes each is made."""
    if profile is None:
        return MISSING
    shown = _shown(profile)
    wrong = []
    for name, sent in promise.payload.items():
        if isinstance(sent, list):
            found = lists_of(profile) if name in _LISTS else shown.get(name) or []
            wrong += [] if sorted(map(str, sent)) == sorted(map(str, found)) else [name]
    for what, ids in promise.payload.get("changes", {}).items():
        name, is_subscribed = _CHANGED[what]
        found = {str(each) for each in (lists_of(profile) if name in _LISTS else shown.get(name) or [])}
        inside, outside = (ids["in"], ids["out"]) if is_subscribed else (ids["out"], ids["in"])
        wrong += [] if found.issuperset(map(str, inside)) and found.isdisjoint(map(str, outside)) else [name]
    return _finding(wrong, shown)


def device_is_there(promise: Promise, profile: Profile | None) -> Finding:
    """users/registerDeviceToken: a device of this token that is not disabled."""
    if profile is None:
        return MISSING
    token = str(promise.payload.get("device", {}).get("token"))
    device = _device(profile, token)
    if device is None:
        return MISSING
    return Finding("mismatch", ("endpointEnabled",)) if device.get("endpointEnabled") is False else VERIFIED


def device_is_off(promise: Promise, profile: Profile | None) -> Finding:
    """users/disableDevice: no device of this token, or one that is disabled."""
    device = _device(profile, str(promise.payload.get("token"))) if profile else None
    return VERIFIED if device is None or device.get("endpointEnabled") is False else Finding("mismatch", ("token",))


def browser_is_there(promise: Promise, profile: Profile | None) -> Finding:
    """users/registerBrowserToken: the token is one of the user's."""
    tokens = _shown(profile).get("browserTokens") if profile else None
    token = str(promise.payload.get("browserToken"))
    return VERIFIED if token in (_token(each) for each in tokens or ()) else MISSING


def cart_is_so(promise: Promise, profile: Profile | None) -> Finding:
    """commerce/updateCart: the items that were sent, and no others (C7)."""
    if profile is None:
        return MISSING
    found = flat_items(_shown(profile).get("shoppingCartItems"))
    return VERIFIED if same_items(flat_items(promise.payload.get("items")), found) else _CART_DIFFERS


def address_is_theirs(promise: Promise, profile: Profile | None) -> Finding:
    """users/updateEmail: somebody has the new address."""
    return MISSING if profile is None else VERIFIED


def is_gone(promise: Promise, profile: Profile | None) -> Finding:
    """DELETE of a user, or the source of a merge: nobody goes by that name."""
    return VERIFIED if profile is None else Finding("mismatch", ("user",))


def lists_of(profile: Profile) -> list[Any]:
    """The static lists that the profile is on."""
    shown = _shown(profile)
    return [each for name in _LISTS for each in shown.get(name) or ()]


def flat_items(items: Any) -> list[dict[str, Any]]:
    """Items with the fields of their own beside the others, where Iterable shows them (api.md 4.10)."""
    found = [each for each in items if isinstance(each, Mapping)] if isinstance(items, list) else []
    return [{**{name: each[name] for name in each if name != "dataFields"}, **_shown(each)} for each in found]


def same_items(sent: list[dict[str, Any]], found: list[dict[str, Any]]) -> bool:
    """Whether there are as many, in the same order, each with all that was sent."""
    return len(sent) == len(found) and not any(map(differing, sent, found))


_CART_DIFFERS = Finding("mismatch", ("shoppingCartItems",))


def _user_differs(payload: Mapping[str, Any], profile: Profile) -> tuple[list[str], Mapping[str, Any]]:
    shown = _shown(profile)
    names = {name: profile.get(name) or shown.get(name) for name in ("email", "userId")}
    fields = payload.get("dataFields") or {}
    wrong = [
        name
        for name, found in names.items()
        # an address in dataFields is one that changes, and later than the one on top names the user (I7)
        if (sent := fields.get(name) or payload.get(name)) and _named(name, sent) != _named(name, found)
    ]
    whole = not payload.get("mergeNestedObjects", False)
    for name, value in fields.items():
        if name not in names:
            wrong += differing({name: value}, {name: shown.get(name)}, whole)
    return wrong, shown | names


def _named(kind: str, name: Any) -> str:
    text = str(name or "").strip()
    return text.lower() if kind == "email" else text


def _finding(wrong: Iterable[str], shown: Mapping[str, Any]) -> Finding:
    names = tuple(wrong)
    if not names:
        return VERIFIED
    return Finding("mismatch", names, {top: shown.get(top) for top in (name.partition(".")[0] for name in names)})


def _shown(profile: Mapping[str, Any]) -> dict[str, Any]:
    fields = profile.get("dataFields")
    return fields if isinstance(fields, dict) else {}


def _device(profile: Profile, token: str) -> Mapping[str, Any] | None:
    devices = _shown(profile).get("devices")
    found = (each for each in devices if isinstance(each, Mapping)) if isinstance(devices, list) else ()
    return next((each for each in found if str(each.get("token")) == token), None)


def _token(written: Any) -> str:
    return str(written.get("token") or written.get("browserToken")) if isinstance(written, Mapping) else str(written)
