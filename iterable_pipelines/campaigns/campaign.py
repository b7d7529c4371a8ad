"""A campaign as Iterable has it now, and how many people are on a list."""

from typing import Any

from iterable_pipelines.api import Broken, Iterable, IterableError, Refused

# what a call is held against later; nobody who made or changed it is named
_KEPT = ("name", "campaignState", "type", "messageMedium", "startAt", "endedAt", "updatedAt", "sendSize")


def read_campaign(client: Iterable, campaign_id: int) -> dict[str, Any] | None:
    """The campaign's name, state, type and times; None if there is none. Raises IterableError."""
    try:
        found = client.get(f"/api/campaigns/{campaign_id}")
    except Refused as error:
        if error.status in (400, 404):
            return None
        raise
    if found.get("id") != campaign_id:
        raise Broken(f"Iterable was asked for campaign {campaign_id}, and its answer is of none or another")
    return {name: found.get(name) for name in _KEPT} | {
        name: found.get(name) or [] for name in ("listIds", "suppressionListIds")
    }


def read_size(client: Iterable, list_id: int) -> int | None:
    """How many are on a list; None where Iterable does not say, which takes one of five requests a minute."""
    try:
        return int(client.get_text(f"/api/lists/{list_id}/size").strip(' "\r\n'))
    except (IterableError, ValueError):
        return None
