"""Events and purchases that were acknowledged, found again among those that Iterable shows of a user."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from iterable_pipelines.activation.verify.profile import flat_items, same_items
from iterable_pipelines.activation.verify.promises import MISSING, UNSEEN, VERIFIED, Finding, Promise
from iterable_pipelines.activation.verify.sameness import differing, moment_of
from iterable_pipelines.api.user_reads import MOST_EVENTS

# how far back the events of one user are shown is not stated; what is older than this may be there all the same
_REACH = timedelta(days=14)
_TOP = ("eventName", "campaignId", "templateId", "total")
# where the id of an event may stand, if it is shown at all (api.md 4.10)
_IDS = ("id", "_id", "eventId")


class Shown:
    """An event as Iterable shows it: its own fields under dataFields, or beside the others as in exports."""

    def __init__(self, record: Mapping[str, Any]) -> None:
        own = record.get("dataFields")
        self.record = record
        self.fields = {**record, **own} if isinstance(own, Mapping) else dict(record)
        self.moment = moment_of(record.get("createdAt"))
        self.is_purchase = (record.get("eventType") or record.get("eventName")) == "purchase"
        self.ids = {str(self.fields[name]) for name in _IDS if self.fields.get(name)}


def find_events(
    promises: Sequence[Promise], records: Iterable[Mapping[str, Any]], now: datetime, everything: bool = False
) -> list[Finding]:
    """What became of each of one user's events, in the order of `promises`; each record counts for one of them.

    `everything`: the records are all there are. Otherwise what is not among them may lie beyond them: they are the
    newest 200 at most, and none older than some weeks. Two events that differ in nothing but an id that is not shown
    cannot be told apart.
    """
    left = [Shown(each) for each in records]
    reach = now - _REACH
    if len(left) >= MOST_EVENTS:
        reach = max(reach, min((each.moment for each in left if each.moment), default=now))
    found: dict[int, Finding] = {}
    # those that are whole first, so that a twin that differs takes nobody's place
    for exact in (True, False):
        for nth, promise in enumerate(promises):
            if nth in found:
                continue
            for shown in left:
                if _is_it(promise, shown) and (not (wrong := _differs(promise, shown)) or not exact):
                    left.remove(shown)
                    found[nth] = Finding("mismatch", tuple(wrong), _values(wrong, shown)) if wrong else VERIFIED
                    break
    return [
        found.get(nth) or (MISSING if everything or _within(promise, reach) else UNSEEN)
        for nth, promise in enumerate(promises)
    ]


def _is_it(promise: Promise, shown: Shown) -> bool:
    sent = promise.payload
    if shown.is_purchase != (promise.endpoint == "purchase"):
        return False
    if shown.ids and sent.get("id"):
        return str(sent["id"]) in shown.ids
    if promise.endpoint != "purchase" and sent.get("eventName") != shown.record.get("eventName"):
        return False
    # many events may have one name in one second; without a time there is only the name
    return "createdAt" not in sent or moment_of(sent["createdAt"]) == shown.moment


def _differs(promise: Promise, shown: Shown) -> list[str]:
    sent = promise.payload
    top = {name: sent[name] for name in _TOP if name in sent}
    wrong = differing(top, shown.fields) + differing(sent.get("dataFields") or {}, shown.fields, whole=False)
    if "createdAt" in sent and moment_of(sent["createdAt"]) != shown.moment:
        wrong.append("createdAt")
    items = shown.fields.get("shoppingCartItems") or shown.fields.get("items")
    if promise.endpoint == "purchase" and not same_items(flat_items(sent.get("items")), flat_items(items)):
        wrong.append("items")
    return wrong


def _values(wrong: Iterable[str], shown: Shown) -> dict[str, Any]:
    return {top: shown.fields.get(top) for top in (name.partition(".")[0] for name in wrong)}


def _within(promise: Promise, reach: datetime) -> bool:
    moment = moment_of(promise.payload.get("createdAt"))
    return moment is None or moment > reach
