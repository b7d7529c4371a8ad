"""Users that were to be forgotten, or no longer: Iterable shows who is, by hashes (api.md 5.10)."""

from collections.abc import Sequence
from hashlib import sha256

from iterable_pipelines.activation.verify.promises import MISSING, UNSEEN, VERIFIED, Finding, Promise
from iterable_pipelines.api import Iterable as Client
from iterable_pipelines.api import Refused

_ASKED = (("/api/users/forgotten", "hashedEmails"), ("/api/users/forgottenUserIds", "hashedUserIds"))


def find_forgotten(client: Client, promises: Sequence[Promise]) -> list[Finding]:
    """What became of each of the promises, in their order; two requests, however many they are."""
    hashes = forgotten_hashes(client)
    return [_finding(each, hashes) for each in promises]


def forgotten_hashes(client: Client) -> set[str]:
    """Whom Iterable has forgotten, by address and by user id: SHA-256 of the trimmed lower-case identifier."""
    hashes: set[str] = set()
    for path, key in _ASKED:
        try:
            hashes |= set(client.get(path).get(key) or ())
        except Refused as refused:
            # projects that go by addresses show no user ids, and the other way round
            if refused.status != 400:
                raise
    return hashes


def _finding(promise: Promise, hashes: set[str]) -> Finding:
    if not promise.identity:
        return UNSEEN
    there = sha256(promise.identity.strip().lower().encode()).hexdigest() in hashes
    if there == (promise.endpoint == "forget"):
        return VERIFIED
    return MISSING if promise.endpoint == "forget" else Finding("mismatch", ("forgotten",))
