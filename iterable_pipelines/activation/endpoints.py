"""Where records go: one line per endpoint of Iterable that activation writes to (outbound.md 1.9). Add one here."""

from dataclasses import dataclass
from typing import Literal

# state: sent again it changes nothing, so what is in doubt is planned anew. event: an id makes it one, so what is in
# doubt goes again byte for byte. once: what is in doubt is never repeated by itself (S7, S8)
Repeat = Literal["state", "event", "once"]


@dataclass(frozen=True)
class Endpoint:
    """One way to write. `envelope` is the array's name in a bulk request, None where a request is one record.

    `stage`: everything of a lower one is answered before any of a higher one is sent (B7).
    """

    name: str
    method: str
    path: str
    envelope: str | None
    stage: int
    repeat: Repeat

    @property
    def most(self) -> int:
        """Records of one request (B1)."""
        return 1000 if self.envelope else 1


MOST_BYTES = 4_000_000

_ALL = (
    Endpoint("email_change", "POST", "/api/users/updateEmail", None, 0, "once"),
    Endpoint("merge", "POST", "/api/users/merge", None, 0, "once"),
    Endpoint("users", "POST", "/api/users/bulkUpdate", "users", 1, "state"),
    Endpoint("user", "POST", "/api/users/update", None, 1, "state"),
    Endpoint("subscriptions", "POST", "/api/users/bulkUpdateSubscriptions", "updateSubscriptionsRequests", 2, "state"),
    Endpoint("device", "POST", "/api/users/registerDeviceToken", None, 2, "state"),
    Endpoint("browser", "POST", "/api/users/registerBrowserToken", None, 2, "state"),
    Endpoint("device_off", "POST", "/api/users/disableDevice", None, 2, "state"),
    Endpoint("events", "POST", "/api/events/trackBulk", "events", 3, "event"),
    Endpoint("event", "POST", "/api/events/track", None, 3, "event"),
    Endpoint("purchase", "POST", "/api/commerce/trackPurchase", None, 3, "event"),
    Endpoint("cart", "POST", "/api/commerce/updateCart", None, 3, "state"),
    Endpoint("subscribe", "POST", "/api/lists/subscribe", "subscribers", 3, "state"),
    # B5: after those who join
    Endpoint("unsubscribe", "POST", "/api/lists/unsubscribe", "subscribers", 4, "state"),
    Endpoint("forget", "POST", "/api/users/forget", None, 5, "state"),
    Endpoint("unforget", "POST", "/api/users/unforget", None, 5, "state"),
    # the payload is {"email": …} or {"userId": …}: the path ends with it, percent-encoded
    Endpoint("delete", "DELETE", "/api/users/", None, 5, "state"),
)

ENDPOINTS = {each.name: each for each in _ALL}
