"""The hard list of what may be asked for: a server-side key could do much more (faults.md X19).

The import only reads; activation writes, by `Iterable.write` and nothing else.
"""

import re

from iterable_pipelines.api.errors import Refused

# one starts an export, the other says where webhooks are sent; no data of the project's is changed
_POSTS = ("/api/export/start", "/api/webhooks")
# add what activation may write here
_ONE = r"[^/]+"
_WRITES = {
    "POST": re.compile(
        r"/api/(users/(bulkUpdate|update|updateEmail|merge|bulkUpdateSubscriptions|updateSubscriptions"
        r"|registerDeviceToken|registerBrowserToken|disableDevice|forget|unforget)"
        r"|events/(track|trackBulk)|commerce/(trackPurchase|updateCart)|lists(/subscribe|/unsubscribe)?"
        rf"|catalogs/{_ONE}(/items)?|templates/(email|push|sms|inapp|embedded)/(upsert|update)"
        rf"|campaigns/(create|trigger|abort|cancel|activateTriggered|deactivateTriggered|{_ONE}/(schedule|send))"
        r"|inApp/target|workflows/triggerWorkflow)"
    ),
    "PUT": re.compile(rf"/api/(catalogs/{_ONE}/(fieldMappings|items/{_ONE})|snippets/{_ONE}|metadata/{_ONE}/{_ONE})"),
    "PATCH": re.compile(rf"/api/catalogs/{_ONE}/items/{_ONE}"),
    "DELETE": re.compile(
        rf"/api/(users/(byUserId/)?{_ONE}|catalogs/{_ONE}(/items)?|lists/\d+|snippets/{_ONE}|metadata/{_ONE}(/{_ONE})?)"
    ),
}
_CANCEL = re.compile(r"/api/export/(\d+)")
# a user id may hold a slash, and there is no other way to ask for that person's events (api.md 1.1)
_EVENTS = re.compile(r"/api/events/(byUserId/)?[^/]+")
_PATH = re.compile(r"/api/[A-Za-z0-9._~%@+,;:=!$&'()*\-/]+")


def check_operation(method: str, path: str, owns_job: bool = False) -> None:
    """Raise Refused, before anything is sent, unless it is a GET, one of two POSTs, or DELETE of an own export job."""
    allowed = (
        method == "GET"
        or (method == "POST" and path in _POSTS)
        or (method == "DELETE" and _CANCEL.fullmatch(path) and owns_job)
    )
    if not (_is_plain(method, path) and allowed):
        raise Refused(f"the import only reads: {method} {path.partition('?')[0][:80]} is not allowed and was not sent")


def check_write(method: str, path: str) -> None:
    """Raise Refused, before anything is sent, unless it is one of the writes of activation."""
    allowed = _WRITES.get(method)
    if not (allowed and allowed.fullmatch(path) and _is_plain(method, path)):
        raise Refused(f"activation does not write {method} {path.partition('?')[0][:80]}: it was not sent")


def _is_plain(method: str, path: str) -> bool:
    checked = re.sub("%2f", "", path, flags=re.IGNORECASE) if method == "GET" and _EVENTS.fullmatch(path) else path
    return bool(_PATH.fullmatch(path) and not re.search(r"/\.{0,2}(/|$)|%2f|%2e%2e", checked, re.IGNORECASE))
