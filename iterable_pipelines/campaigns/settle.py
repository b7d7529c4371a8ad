"""A call whose answer was lost: whether it has happened, as Iterable shows it (S9, R12). Reads, and writes nothing."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from typing import Any, Literal

from iterable_pipelines.api import Iterable
from iterable_pipelines.api.user_reads import Person
from iterable_pipelines.campaigns.campaign import read_campaign
from iterable_pipelines.campaigns.ledger import Call
from iterable_pipelines.campaigns.procedures import PROCEDURES, OfCampaign

Settled = Literal["done", "not_done", "unknown"]
# what moves only when a campaign is sent
_MOVES = ("startAt", "endedAt", "sendSize")
# slower than Iterable sends: whoever believes too early that nothing was sent would send twice
_SENT_A_MINUTE = 10_000
# so many of a list are asked for: one message is proof that it was sent
_SAMPLE = 10
# the longest sample of a list that Iterable gives (api.md 5.3)
_LONGEST = 5000


def became(client: Iterable, call: Call, moment: datetime) -> tuple[Settled, str]:
    """What became of a call that is in doubt, and what shows it.

    That it did not happen is believed only once it would show. Raises IterableError.
    """
    kind = PROCEDURES[call.procedure]
    if not issubclass(kind, OfCampaign) or call.campaign_id is None:
        return "unknown", "Iterable does not show who has entered a journey"
    campaign = read_campaign(client, call.campaign_id)
    if campaign is None:
        return "unknown", f"campaign {call.campaign_id} is gone"
    if kind.settled_by == "sends":
        settled, shown = _sent(client, call, campaign)
    else:
        settled, shown = _by_state(kind, call, campaign)
    if settled == "not_done":
        within = _shown_within(kind, call)
        if within is None:
            return "unknown", f"{shown}; but how many it goes to is not known, nor how long that takes"
        # a request that hung may have been carried out at its very end
        if moment - (call.doubtful_since or call.planned_at) < within:
            minutes = int(within.total_seconds() / 60)
            return "unknown", f"{shown}; but that may show only {minutes} min after it was sent"
    return settled, shown


def _shown_within(kind: type[OfCampaign], call: Call) -> timedelta | None:
    """After which time an effect would show; a send takes the longer the more people it goes to."""
    if kind.settled_by == "state":
        return kind.shown_within
    return (
        None if call.list_size is None else kind.shown_within + call.list_size / _SENT_A_MINUTE * timedelta(minutes=1)
    )


def _by_state(kind: type[OfCampaign], call: Call, campaign: Mapping[str, Any]) -> tuple[Settled, str]:
    state = str(campaign.get("campaignState"))
    shown = f"campaign {call.campaign_id} is {state}"
    if state in kind.done_in:
        return "done", shown
    if state in kind.not_done_in:
        return "not_done", shown
    if kind.name == "cancel_campaign" and state == "Finished":
        # a recurring campaign that is called off is over; a scheduled one is over once it was sent
        return ("done" if call.before.get("campaignState") == "Recurring" else "not_done"), shown
    return "unknown", shown


def _sent(client: Iterable, call: Call, campaign: Mapping[str, Any]) -> tuple[Settled, str]:
    """A trigger moves the campaign, or sends to somebody on its lists; where neither shows, it was not done."""
    moved = [name for name in _MOVES if campaign.get(name) != call.before.get(name)]
    if moved:
        return "done", f"{', '.join(moved)} of campaign {call.campaign_id} changed since"
    sample = _sample(client, call)
    read_at = datetime.fromisoformat(call.before["readAt"]) if "readAt" in call.before else call.planned_at
    since = f"{read_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} +00:00"
    for person in sample:
        query = {**person.query, "campaignIds": call.campaign_id, "startDateTime": since, "limit": 10}
        if client.get("/api/users/getSentMessages", query).get("messages"):
            return "done", f"a member of its lists was sent campaign {call.campaign_id} since"
    if not sample:
        return "unknown", "its lists show nobody who could be asked for"
    if campaign.get("updatedAt") != call.before.get("updatedAt"):
        # by the call, or by somebody who has edited it
        return "unknown", f"campaign {call.campaign_id} has changed, and none of {len(sample)} members was sent it"
    return "not_done", f"campaign {call.campaign_id} has not changed, and none of {len(sample)} members was sent it"


def _sample(client: Iterable, call: Call) -> list[Person]:
    """Some of those whom the call was to reach, at random; those who are shut out by a list are none of them."""
    shut_out: set[str] = set()
    for list_id in call.arguments.get("suppression_list_ids", ()):
        found = _members(client, list_id, _LONGEST)
        if len(found) >= _LONGEST:
            # who else is on it is not known, so that somebody without a message proves nothing
            return []
        shut_out.update(found)
    lists = (_members(client, list_id, 100) for list_id in call.arguments["list_ids"])
    # by turns: nobody of one list may be somebody who is sent anything
    names = (name for turn in zip_longest(*lists) for name in turn if name)
    # a line of a list is the address of those who have one, and else the user id (api.md 5.3)
    return [
        Person(email=name) if "@" in name else Person(user_id=name)
        for name in dict.fromkeys(names)
        if name not in shut_out
    ][:_SAMPLE]


def _members(client: Iterable, list_id: int, most: int) -> list[str]:
    text = client.get_text("/api/lists/previewUsers", {"listId": list_id, "size": most})
    return [line.strip() for line in text.splitlines() if line.strip()]
