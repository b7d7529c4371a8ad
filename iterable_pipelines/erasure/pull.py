"""Whom Iterable lists as forgotten, every day: new ones get a tombstone, those that left the list lose it."""

import re
from dataclasses import dataclass

from iterable_pipelines.api import Iterable as Client
from iterable_pipelines.api import Refused
from iterable_pipelines.api.paging import unwrapped
from iterable_pipelines.erasure.errors import ErasureRefused
from iterable_pipelines.erasure.store import Log
from iterable_pipelines.erasure.tombstones import Kind, Tombstones
from iterable_pipelines.settings import Settings

# (api.md 5.10) the list of a kind, and the projects that have one: in the others Iterable answers with an error
_LISTS: dict[Kind, tuple[str, str, frozenset[str]]] = {
    "email": ("/api/users/forgotten", "hashedEmails", frozenset({"email", "hybrid"})),
    "user_id": ("/api/users/forgottenUserIds", "hashedUserIds", frozenset({"userid", "hybrid"})),
}
# more than that, and more than a tenth of the list, do not come back on one day: an answer was cut
_MOST_LIFTED, _LARGEST_SHARE = 10, 0.1
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Pulled:
    """Tombstones that are new, and those that were lifted."""

    added: int
    lifted: int


def pull(client: Client, settings: Settings, log: Log = print, approve_lift: bool = False) -> Pulled:
    """Bring the tombstones to what Iterable's lists say now: all of it, or nothing.

    Only tombstones that came from a list are lifted by it. Raises IterableError, or ErasureRefused for an answer that
    would lift so many at once that it must have been cut; `approve_lift` takes it all the same.
    """
    tombstones, listed = Tombstones(settings), dict[Kind, frozenset[str]]()
    for kind, (path, array, projects) in _LISTS.items():
        try:
            listed[kind] = _hashes(client.get(path), array, path)
        except Refused:
            if settings.project_type in projects:
                raise
    gone: dict[Kind, frozenset[str]] = {}
    for kind, hashes in listed.items():
        standing = tombstones.origins(_source(kind))
        gone[kind] = standing - hashes
        cut = not hashes or (len(gone[kind]) > _MOST_LIFTED and len(gone[kind]) > _LARGEST_SHARE * len(standing))
        if gone[kind] and cut and not approve_lift:
            raise ErasureRefused(
                f"GET {_LISTS[kind][0]} lists {len(hashes):,} people, and {len(gone[kind]):,} of the {len(standing):,} "
                "known are not among them any more: it looks as if the answer was cut. No tombstone was lifted or "
                "added. Next: look in Iterable; if they are right: iterable-pipelines erase run --approve lift"
            )
    added = sum(tombstones.add(kind, hashes, _source(kind)) for kind, hashes in listed.items())
    lifted = tombstones.lift(origin for hashes in gone.values() for origin in hashes)
    log(
        f"erasure: Iterable lists {sum(map(len, listed.values())):,} forgotten, {added:,} are new, {lifted:,} came back"
    )
    return Pulled(added, lifted)


def _source(kind: Kind) -> str:
    return f"iterable {kind}"


def _hashes(answer: dict[str, object], array: str, path: str) -> frozenset[str]:
    found = unwrapped(answer, array).get(array)
    if not isinstance(found, list):
        raise Refused(f"GET {path} answered without the array {array}")
    hashes = [each.strip().lower() if isinstance(each, str) else "" for each in found]
    if not all(_SHA256.fullmatch(each) for each in hashes):
        raise Refused(f"GET {path} lists something that is no SHA-256")
    return frozenset(hashes)
