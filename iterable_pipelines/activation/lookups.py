"""Whether what a record is about is at Iterable: one line per kind of identity. Add one here."""

from collections.abc import Callable, Mapping

from iterable_pipelines.activation.catalogs import item_of
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
    return read_item(client, *item_of(change.identity)) is not None


# by kind of identity
LOOKUPS: Mapping[str | None, Lookup] = {
    "email": _by_email,
    "userId": _by_user_id,
    "item": _item,
}
