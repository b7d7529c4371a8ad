"""One object, straight from Iterable, by its key: one line for each object (api.md 5.1, 5.3, 5.8)."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from iterable_pipelines.api.client import Iterable
from iterable_pipelines.api.errors import Refused
from iterable_pipelines.api.paging import unwrapped

_GONE = (400, 404)


@dataclass(frozen=True)
class Lookup:
    """Where an object is asked for. `keys` are what names it, each in braces in the path or a parameter of its name.

    `field` is where the answer holds it; with `among` the answer is a list of all, of which `id` tells the one.
    """

    path: str
    keys: tuple[str, ...] = ("id",)
    field: str = ""
    among: str = ""


LOOKUPS = {
    "campaign": Lookup("/api/campaigns/{id}"),
    "catalog_item": Lookup("/api/catalogs/{catalog}/items/{item}", ("catalog", "item")),
    "channel": Lookup("/api/channels", among="channels"),
    "list": Lookup("/api/lists", among="lists"),
    "message_type": Lookup("/api/messageTypes", among="messageTypes"),
    "metadata": Lookup("/api/metadata/{table}/{key}", ("table", "key")),
    "snippet": Lookup("/api/snippets/{name}", ("name",), field="snippet"),
    "template": Lookup("/api/templates/{medium}/get", ("medium", "templateId")),
}


def look_up(client: Iterable, what: Lookup, given: tuple[str, ...]) -> dict[str, Any] | None:
    """What Iterable has now by this key, one text for each of `what.keys`; None for nothing.

    Raises IterableError, and Refused for a key that cannot stand in a path.
    """
    keys = dict(zip(what.keys, given, strict=True))
    path = what.path.format_map({name: quote(each, safe="") for name, each in keys.items()})
    asked = {} if what.among else {name: each for name, each in keys.items() if f"{{{name}}}" not in what.path}
    try:
        answer = client.get(path, asked or None)
    except Refused as error:
        if error.status not in _GONE:
            raise
        return None
    if what.among:
        rows = answer.get(what.among, [])
        return next((each for each in rows if str(each.get("id")) == keys["id"]), None)
    found = unwrapped(answer, what.field or "value")
    inside = found.get(what.field) if what.field else found
    return inside if isinstance(inside, dict) else None
