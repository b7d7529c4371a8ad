"""A one-off write leaves alone what is at Iterable already as it would be written: an export that is imported again."""

import json
from collections.abc import Sequence

from iterable_pipelines.activation.catalogs import item_of
from iterable_pipelines.activation.outcomes import Outcome
from iterable_pipelines.activation.requests import Change
from iterable_pipelines.activation.verify.items import judge_item
from iterable_pipelines.activation.verify.promises import VERIFIED, Promise
from iterable_pipelines.activation.verify.readings import READ_BACK
from iterable_pipelines.api import Iterable, IterableError
from iterable_pipelines.api.catalog_reads import read_item
from iterable_pipelines.hours import now

AS_IT_IS = Outcome("noop", "as_it_is")


def as_it_is(client: Iterable, changes: Sequence[Change]) -> dict[int, Outcome]:
    """By its number, each change that would change nothing. What cannot be read is written."""
    return {each.number: AS_IT_IS for each in changes if _is_so(client, each)}


def _is_so(client: Iterable, change: Change) -> bool:
    how = READ_BACK[change.endpoint.name]
    if change.endpoint.repeat != "state" or how.by not in ("content", "item"):
        return False
    flags = json.loads(change.flags)
    promise = Promise(
        *(change.pk, change.output, change.pk, change.endpoint.name, flags, change.read()),
        *(change.identity_kind, change.identity, now().replace(tzinfo=None)),
    )
    try:
        if how.look is not None:
            return how.look(client, promise) is VERIFIED
        return judge_item(promise, read_item(client, *item_of(change.identity))) is VERIFIED
    except IterableError:
        return False
