"""The body of a webhook: what it says, whatever the order of its keys, and whether it can be read at all."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Body:
    """A body as it came. `digest` (32 hex digits) is the same however keys are ordered and blanks are set.

    `unreadable` says why it is no event that can be loaded; None for one that is. It never quotes the body.
    """

    raw: bytes
    digest: str
    unreadable: str | None = None


def read_body(raw: bytes) -> Body:
    """What came as the body of a request. Never raises: what cannot be read is kept as it is, with the reason."""
    try:
        event = json.loads(raw.decode("utf-8"), object_pairs_hook=_members, parse_constant=_refused)
        if not isinstance(event, dict):
            raise ValueError("not a JSON object")
        canonical = json.dumps(event, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    except UnicodeDecodeError:
        return _unreadable(raw, "not UTF-8")
    except UnicodeEncodeError:
        return _unreadable(raw, "a lone surrogate")
    except RecursionError:
        return _unreadable(raw, "nested too deep")
    except ValueError as error:
        # the message of a JSON error holds the position, not the text
        return _unreadable(raw, f"not JSON ({error.msg})" if isinstance(error, json.JSONDecodeError) else str(error))
    return Body(raw, _digest(canonical))


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        # which of the two is meant, nobody knows; a reader would take either
        raise ValueError("a key that stands twice")
    return members


def _refused(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _unreadable(raw: bytes, reason: str) -> Body:
    return Body(raw, _digest(raw), reason)


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()
