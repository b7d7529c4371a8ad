"""Whether what a record is about is at Iterable: one line per kind of identity. Add one here."""

import json
from collections.abc import Callable

from iterable_pipelines.activation.requests import Change
from iterable_pipelines.api import Iterable
from iterable_pipelines.api.catalog_reads import read_item
from iterable_pipelines.api.user_reads import Person, read_user

Lookup = Callable[[Iterable, Change], bool]


def _by_email(client: Iterable, change: Change) -> bool:
    return read_user(client, Person(email=change.identity)) is not None


def _by_user_id(client: Iterable, change: Change) -> bool:
    return read_user(client, Person(user_id=change.identity)) is not None


def _item(client: Iterable, change: Change) -> bool:
    flags = json.loads(change.flags)
    item_id = flags.get("itemId") or change.read()["id"]
    return read_item(client, flags["catalog"], item_id) is not None


LOOKUPS: dict[str | None, Lookup] = {
    "email": _by_email,
    "userId": _by_user_id,
    "item": _item,
}
