"""Content, straight from Iterable: templates, snippets, metadata, lists, campaigns, messages (api.md 5.1 to 5.10)."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from iterable_pipelines.api.client import Iterable
from iterable_pipelines.api.errors import Broken, Refused
from iterable_pipelines.api.user_reads import Person

Shown = dict[str, Any]
MOST_MESSAGES = 1000


def read_template(client: Iterable, medium: str, template_id: int, locale: str | None = None) -> Shown | None:
    """A template in full, or its content in a locale; None for none of this id, medium and locale."""
    asked = {"templateId": template_id} | ({"locale": locale} if locale else {})
    # a template of another medium is answered with either status (api.md 5.5)
    return _there(client, f"/api/templates/{medium}/get", asked, (400, 404))


def templates_of(client: Iterable, client_template_id: str) -> list[Shown]:
    """templateId, campaignId and locales of each template that has this clientTemplateId."""
    asked = {"clientTemplateId": client_template_id}
    return _rows(_there(client, "/api/templates/getByClientTemplateId", asked), "templates")


def read_snippet(client: Iterable, name: str) -> Shown | None:
    """A snippet; None for none of this name."""
    found = _there(client, f"/api/snippets/{quote(name, safe='')}")
    inner = found.get("snippet") if found else None
    return inner if isinstance(inner, dict) else found


def read_metadata(client: Iterable, table: str, key: str) -> Shown | None:
    """The row of a metadata table with its value; None for none."""
    return _there(client, f"/api/metadata/{quote(table, safe='')}/{quote(key, safe='')}")


def lists_named(client: Iterable, name: str) -> list[Shown]:
    """The static lists of exactly this name: nothing keeps two from having one."""
    rows = _rows(client.get("/api/lists"), "lists")
    return [each for each in rows if each.get("name") == name and each.get("listType", "Standard") == "Standard"]


def read_campaign(client: Iterable, campaign_id: int) -> Shown | None:
    """A campaign; None for none of this id."""
    return _there(client, f"/api/campaigns/{campaign_id}")


def campaigns_since(client: Iterable, moment: datetime) -> Iterator[Shown]:
    """Campaigns that were made at this moment (UTC, aware) or later, the newest first."""
    since = int(moment.timestamp() * 1000)
    for each in client.get_pages("/api/campaigns", "campaigns", {"sort": "-id"}, page_size=100):
        # ids grow with time, and what is older is of no interest
        if int(each.get("createdAt") or 0) < since:
            return
        yield each


def messages_since(client: Iterable, person: Person, campaign_id: int, moment: datetime) -> list[Shown]:
    """The messages of a campaign that were sent to somebody at this moment (UTC, aware) or later."""
    asked: Mapping[str, Any] = {
        **person.query,
        "campaignIds": campaign_id,
        "limit": MOST_MESSAGES,
        "startDateTime": f"{moment:%Y-%m-%d %H:%M:%S} +00:00",
    }
    return _rows(_there(client, "/api/users/getSentMessages", dict(asked), (404,)), "messages")


def _there(
    client: Iterable, path: str, params: dict[str, Any] | None = None, missing: tuple[int, ...] = (404,)
) -> Shown | None:
    try:
        return client.get(path, params)
    except Refused as error:
        if error.status in missing:
            return None
        raise


def _rows(answer: Shown | None, key: str) -> list[Shown]:
    rows = answer.get(key, []) if answer else []
    if not isinstance(rows, list) or not all(isinstance(each, dict) for each in rows):
        raise Broken(f"the answer's {key} is no list of objects")
    return rows
