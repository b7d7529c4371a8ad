"""Fields of a profile that Iterable itself writes: no sync of profiles may (K3)."""

# and the object that changes it
_MANAGED = {
    "emailListIds": "list",
    "userListIds": "list",
    "subscribedMessageTypeIds": "subscription",
    "unsubscribedChannelIds": "subscription",
    "unsubscribedMessageTypeIds": "subscription",
    "devices": "device",
    "browserTokens": "device",
    "shoppingCartItems": "cart",
    "itblUserId": None,
    "profileUpdatedAt": None,
    "signupDate": None,
    "signupSource": None,
    "receivedSMSDisclaimer": None,
}


def managed(field: str) -> str | None:
    """Why a field of the profile must not be written: the words of the error; None if it may be (K3)."""
    first = field.split(".")[0]
    if first not in _MANAGED and not first.startswith(("itblInternal", "itblDS")):
        return None
    better = _MANAGED.get(first)
    return f"{first} is managed by Iterable; " + (f"use object: {better}" if better else "leave it out")
