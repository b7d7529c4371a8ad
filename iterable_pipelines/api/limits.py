"""Every limit Iterable states (api.md 2.1), one line each, and which requests fall under it. Add a limit here."""

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

SECOND, MINUTE, DAY = 1.0, 60.0, 86400.0


@dataclass(frozen=True)
class Limit:
    """At most `calls` in any `seconds`, counted over all requests that match, per project, organization or API key."""

    name: str
    calls: int
    seconds: float
    scope: Literal["project", "organization", "key"]
    method: str
    path: str

    @property
    def margin(self) -> float:
        """Seconds added to every span: requests do not all travel equally long, and no two clocks agree."""
        return min(0.25, self.seconds / 20)


_ONE = r"[^/]+"
_ALL = (
    Limit("export", 4, MINUTE, "project", "GET", r"export/data\.(json|csv)"),
    Limit("export start", 1, SECOND, "organization", "POST", r"export/start"),
    Limit("export files", 1, SECOND, "organization", "GET", r"export/\d+/files"),
    Limit("export cancel", 1, SECOND, "project", "DELETE", r"export/\d+"),
    Limit("list users", 5, MINUTE, "project", "GET", r"lists/getUsers"),
    Limit("list preview", 5, MINUTE, "project", "GET", r"lists/previewUsers"),
    Limit("list size", 5, MINUTE, "project", "GET", r"lists/\d+/size"),
    Limit("campaign metrics", 10, MINUTE, "project", "GET", r"campaigns/metrics"),
    Limit("campaigns", 100, SECOND, "project", "GET", r"campaigns(/\d+|/recurring/\d+/childCampaigns)?"),
    Limit("channels", 100, SECOND, "project", "GET", r"channels"),
    Limit("lists", 100, SECOND, "project", "GET", r"lists"),
    Limit("message types", 100, SECOND, "project", "GET", r"messageTypes"),
    Limit(
        "templates", 100, SECOND, "project", "GET", r"templates(/(email|embedded|push|sms)/get|/getByClientTemplateId)?"
    ),
    Limit("view in browser", 100, SECOND, "project", "GET", r"email/viewInBrowser"),
    Limit("template preview", 10, SECOND, "project", "POST", r"templates/(email|inapp)/preview"),
    Limit("template proof", 20, SECOND, "key", "POST", r"templates/(email|inapp|push|sms)/proof"),
    Limit("campaign archive", 5, SECOND, "key", "POST", r"campaigns/archive"),
    Limit("catalogs", 100, SECOND, "key", "GET", rf"catalogs(/{_ONE}/items)?"),
    Limit("catalog items", 100, SECOND, "key", "POST", rf"catalogs/{_ONE}/items"),
    Limit("catalog item", 1000, SECOND, "key", "PUT", rf"catalogs/{_ONE}/items/{_ONE}"),
    Limit("user fields", 3, SECOND, "project", "GET", r"users/(getFields|forgotten|forgottenUserIds|getSentMessages)"),
    Limit("user", 100, SECOND, "project", "GET|DELETE", rf"users/(byUserId(/{_ONE})?|getByEmail|{_ONE}(@|%40){_ONE})"),
    Limit("user events", 100, SECOND, "project", "GET", rf"events/(byUserId/)?{_ONE}"),
    Limit("forget", 3, SECOND, "project", "POST", r"users/(un)?forget"),
    Limit("forget in a day", 1000, DAY, "project", "POST", r"users/(un)?forget"),
    Limit("user update", 500, SECOND, "project", "POST", r"users/update"),
    Limit("user bulk update", 5, SECOND, "project", "POST", r"users/bulkUpdate"),
    Limit("user merge", 50, SECOND, "key", "POST", r"users/merge"),
    Limit("device token", 500, SECOND, "project", "POST", r"users/registerDeviceToken"),
    Limit("track", 2000, SECOND, "project", "POST", r"events/track"),
    Limit("track bulk", 10, SECOND, "project", "POST", r"events/trackBulk"),
    # none stated for these: paces of our own (outbound.md 1.9)
    Limit("email change", 20, SECOND, "project", "POST", r"users/updateEmail"),
    Limit("commerce", 50, SECOND, "project", "POST", r"commerce/(trackPurchase|updateCart)"),
    Limit("list members", 4, SECOND, "project", "POST", r"lists/(subscribe|unsubscribe)"),
    Limit("subscriptions", 4, SECOND, "project", "POST", r"users/(bulkUpdate|update)Subscriptions"),
    Limit("catalog item read", 100, SECOND, "key", "GET", rf"catalogs/{_ONE}/items/{_ONE}"),
    Limit("catalog item change", 200, SECOND, "key", "PATCH|DELETE", rf"catalogs/{_ONE}/items/{_ONE}"),
    Limit("catalog items gone", 20, SECOND, "key", "DELETE", rf"catalogs/{_ONE}/items"),
    # none stated: a mild pace of our own, because a 429 met here would stop other requests too
    Limit("unstated", 10, SECOND, "project", "GET|POST|PUT|PATCH|DELETE", r".*"),
)

LIMITS = {limit.name: limit for limit in _ALL}
_COMPILED = [(limit, re.compile(limit.method), re.compile("/api/" + limit.path)) for limit in _ALL[:-1]]


def limits_of(method: str, path: str) -> list[Limit]:
    """The limits that count a request, most often one; "unstated" where Iterable states none."""
    found = [limit for limit, methods, paths in _COMPILED if methods.fullmatch(method) and paths.fullmatch(path)]
    return found or [LIMITS["unstated"]]


def scope_of(limit: Limit, key: str) -> str:
    """Who shares the budget: everybody of the organization, or everybody with this key (a key belongs to one project).

    The key is named by the beginning of its SHA-256, never by itself.
    """
    if limit.scope == "organization":
        return "organization"
    return f"key-{sha256(key.encode()).hexdigest()[:12]}"
