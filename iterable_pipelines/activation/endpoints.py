"""Where records go: one line per endpoint of Iterable that activation writes to (outbound.md 1.9). Add one here."""

from dataclasses import dataclass
from string import Formatter
from typing import Literal

# state: sent again it changes nothing, so what is in doubt is planned anew. event: an id makes it one, so what is in
# doubt goes again byte for byte. once: what is in doubt is never repeated by itself (S7, S8)
Repeat = Literal["state", "event", "once"]
# how a record stands in its envelope: as it is; {"id": …, "value": …} as a member named by the id; {"id": …} as the id
Shape = Literal["array", "map", "ids"]


@dataclass(frozen=True)
class Endpoint:
    """One way to write. `envelope` is the array's name in a bulk request, None where a request is one record.

    `stage`: everything of a lower one is answered before any of a higher one is sent (B7). Names in braces in the path
    are members of the record's flags: they go there, percent-encoded, and not into the body.
    """

    name: str
    method: str
    path: str
    envelope: str | None
    stage: int
    repeat: Repeat
    shape: Shape = "array"

    @property
    def in_path(self) -> tuple[str, ...]:
        """The flags that stand in the path."""
        return tuple(name for _, name, _, _ in Formatter().parse(self.path) if name)

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
    # catalogs, templates and what else is no person (outbound.md 4.1): what is made goes before what is in it
    Endpoint("whole_catalog", "POST", "/api/catalogs/{catalog}", None, 0, "state"),
    Endpoint("catalog_items", "POST", "/api/catalogs/{catalog}/items", "documents", 1, "state", "map"),
    Endpoint("catalog_item", "PUT", "/api/catalogs/{catalog}/items/{itemId}", None, 1, "state"),
    Endpoint("catalog_item_update", "PATCH", "/api/catalogs/{catalog}/items/{itemId}", None, 1, "state"),
    Endpoint("catalog_items_gone", "DELETE", "/api/catalogs/{catalog}/items", "itemIds", 2, "state", "ids"),
    Endpoint("whole_catalog_gone", "DELETE", "/api/catalogs/{catalog}", None, 5, "state"),
    Endpoint("template", "POST", "/api/templates/{medium}/upsert", None, 1, "state"),
    Endpoint("template_update", "POST", "/api/templates/{medium}/update", None, 1, "state"),
    Endpoint("whole_list", "POST", "/api/lists", None, 0, "once"),
    Endpoint("whole_list_gone", "DELETE", "/api/lists/{listId}", None, 5, "state"),
    Endpoint("snippet", "PUT", "/api/snippets/{name}", None, 1, "state"),
    Endpoint("snippet_gone", "DELETE", "/api/snippets/{name}", None, 5, "state"),
    Endpoint("metadata", "PUT", "/api/metadata/{table}/{key}", None, 1, "state"),
    Endpoint("metadata_gone", "DELETE", "/api/metadata/{table}/{key}", None, 5, "state"),
    Endpoint("campaign", "POST", "/api/campaigns/create", None, 1, "once"),
    Endpoint("in_app", "POST", "/api/inApp/target", None, 3, "once"),
)

ENDPOINTS = {each.name: each for each in _ALL}
