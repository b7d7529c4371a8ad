"""What Iterable's answers mean where they are about content: what was made, and why it was refused (4.1, R16)."""

import json
from typing import Any

from iterable_pipelines.activation.outcomes import Outcome

# the id of what was made stands in the answer, with no envelope around it
_MADE = {"whole_list": "listId", "campaign": "campaignId", "snippet": "snippetId"}
_CONTENT = frozenset({"template", "template_update", "whole_list", "snippet", "metadata", "campaign", "in_app"})
_GONE = frozenset({"whole_list_gone", "snippet_gone", "metadata_gone"})
_NOT_THERE = ("error.lists.invalidListId", "not found", "does not exist", "no such")
_IN_USE = "a campaign or journey uses this list: take it out of there first"
_NO_TEMPLATE = "Iterable has no template of this id and medium"


def made_of(endpoint: str, body: dict[str, Any] | None) -> str | None:
    """JSON of the id that Iterable gave to what was made; None where it gave none."""
    member = _MADE.get(endpoint)
    found = (body or {}).get(member) if member else None
    return json.dumps({member: found}) if isinstance(found, int) else None


def refused_content(endpoint: str, status: int, code: str, message: str, quoted: str) -> Outcome | None:
    """What a 4xx says of a record of content; None for other records, and where nothing is special about it.

    `quoted` is what Iterable said, for people: which sender is not authorised, which message type there is not.
    """
    said = f"{code} {message}"
    is_missing = status == 404 or code == "NotFound" or any(mark in said for mark in _NOT_THERE)
    if endpoint in _GONE:
        if status == 409:
            return Outcome("rejected", "list_in_use", _IN_USE)
        # what is to be gone is gone
        return Outcome("noop", "already_gone") if is_missing else Outcome("rejected", "iterable_error", quoted)
    if endpoint == "template_update" and (is_missing or message.lower().startswith("template not found")):
        return Outcome("rejected", "template_not_found", _NO_TEMPLATE)
    if endpoint in _CONTENT and code not in ("ForgottenUserError", "BatchTooLarge"):
        return Outcome("rejected", "iterable_error", quoted)
    return None
