"""Whether what a record is about is at Iterable: one line per kind of identity. Add one here."""

import json
from collections.abc import Callable, Mapping

from iterable_pipelines.activation.asking import person_of
from iterable_pipelines.activation.catalogs import item_of
from iterable_pipelines.activation.requests import Change
from iterable_pipelines.api import Iterable
from iterable_pipelines.api.catalog_reads import read_item
from iterable_pipelines.api.content_reads import lists_named, read_snippet, read_template, templates_of
from iterable_pipelines.api.user_reads import read_user

# how many there are: of a clientTemplateId there may be several
Lookup = Callable[[Iterable, Change], int]


def _user(client: Iterable, change: Change) -> bool:
    return read_user(client, person_of(change)) is not None


def _item(client: Iterable, change: Change) -> bool:
    return read_item(client, *item_of(change.identity)) is not None


def _template(client: Iterable, change: Change) -> int:
    sent, medium = change.read(), json.loads(change.flags)["medium"]
    if "templateId" in sent:
        return read_template(client, medium, sent["templateId"]) is not None
    found, locale = templates_of(client, sent["clientTemplateId"]), sent.get("locale")
    if len(found) == 1 and locale:
        # each locale of a template is a content of its own
        return locale in (found[0].get("locales") or ())
    return len(found)


def _snippet(client: Iterable, change: Change) -> int:
    return read_snippet(client, change.identity or "") is not None


def _list(client: Iterable, change: Change) -> int:
    return len(lists_named(client, change.identity or ""))


# by kind of identity
LOOKUPS: Mapping[str | None, Lookup] = {
    "email": _user,
    "userId": _user,
    "item": _item,
    "template": _template,
    "snippet": _snippet,
    "list": _list,
}
