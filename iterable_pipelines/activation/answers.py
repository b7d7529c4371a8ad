"""What Iterable's answer to a request means for each of its records, or what to do next (R1 to R18). Pure."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from iterable_pipelines.activation.content_answers import made_of, refused_content
from iterable_pipelines.activation.mismatches import mismatched, without
from iterable_pipelines.activation.outcomes import Kind, Outcome
from iterable_pipelines.activation.requests import Change, Request
from iterable_pipelines.api import Answer
from iterable_pipelines.api.error_body import plain_text

# done: all is decided. resend: the undecided go again without those that were. bisect: one of the undecided, at least,
# is why. smaller: fewer bytes. wait, again: the same bytes, later. close: nothing more with these flags. stop: no more
Then = Literal["done", "resend", "bisect", "smaller", "wait", "again", "close", "stop"]

# the arrays of failures, in the order of precedence of R2; each with Emails or UserIds behind it
_FAILURES = (
    ("forgotten", "user_forgotten"),
    ("conflict", "identity_conflict"),
    ("invalid", ""),
    ("invalidData", "invalid_data"),
    ("notFound", "user_not_found"),
)
_INVALID = {"Emails": "invalid_email", "UserIds": "invalid_user_id"}
# R16, and what an endpoint answers once it is so already
_CODES = {
    "ForgottenUserError": "user_forgotten",
    "ExternalKeyConflict": "identity_conflict",
    "UserIdAlreadyExists": "identity_conflict",
    "EmailAlreadyExists": "email_already_exists",
    "InvalidEmailAddressError": "invalid_email",
    "InvalidUserIdError": "invalid_user_id",
    "UnknownEmailError": "unknown_email",
    "UnknownUserIdError": "unknown_user_id",
    "error.users.noUserWithIdExists": "user_not_found",
    "NotFound": "user_not_found",
    "BadParams": "bad_params",
    "BadJsonBody": "bad_json_field",
    "BatchTooLarge": "record_too_large",
}
MESSAGES = {
    "user_forgotten": "Iterable has forgotten this user (GDPR)",
    "identity_conflict": "another profile has this address or user id",
    "email_already_exists": "another profile has the new address",
    "invalid_email": "Iterable does not take this address",
    "invalid_user_id": "Iterable does not take this user id",
    "invalid_data": "Iterable does not take the fields of this record",
    "user_not_found": "Iterable knows no such user",
    "unknown_email": "Iterable knows no user of the old address",
    "unknown_user_id": "Iterable knows no user of the old user id",
    "disallowed_event_name": "the project does not take events of this name",
    "subscription_failed": "Iterable could not change the subscriptions of this user",
    "device_limit": "this user has 500 devices, the most there can be",
    "record_too_large": "alone it is more than Iterable takes in a request",
    "not_named": "Iterable counted a failure, and named nobody",
    "catalog_not_found": "Iterable has no such catalog",
}
_ASYNCHRONOUS = {
    *("events", "subscriptions"),
    *("catalog_items", "catalog_item", "catalog_item_update", "catalog_items_gone"),
}
# whether Iterable knows whom it is to forget is nowhere said to matter (api.md 6.1): nobody is left either way
_NOOP_IN_ANY_CASE = {
    *(("delete", "bad_params"), ("forget", "user_forgotten"), ("delete", "user_not_found")),
    *(
        (each, code)
        for each in ("forget", "unforget")
        for code in ("user_not_found", "unknown_email", "unknown_user_id")
    ),
}
_PLACE = re.compile(r"obj\.\w+\[(\d+)\]\.?(.*)")


@dataclass
class Reading:
    """What an answer says. `outcomes` go by the number of a change, `left` are the changes without one.

    code, message: why, for a lone record that is left, and for whoever is told that the run stopped.
    """

    then: Then
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    left: list[Change] = field(default_factory=list)
    code: str = ""
    message: str = ""
    retry_after: float | None = None
    created: frozenset[str] = frozenset()
    filtered: frozenset[str] = frozenset()
    # what was left out of a record that goes again (R8): codes with the field
    notes: dict[int, str] = field(default_factory=dict)

    @property
    def rejection(self) -> Outcome:
        """What becomes of a lone record that is left."""
        return Outcome("rejected", self.code, self.message)


def read_answer(request: Request, answer: Answer, drop_mismatched: bool = False) -> Reading:
    """Judge an answer by its status first, then its code (api.md 1.4), then every list in it."""
    changes, body = request.changes, answer.json()
    code, message = _said(body)
    if answer.status == 429 or code == "RateLimitExceeded":
        return Reading("wait", left=changes, code="rate_limit", retry_after=answer.retry_after)
    if answer.status < 300:
        reading = _read_success(request, answer, body, code, message)
        reading.created, reading.filtered = _named(body, "createdFields"), _named(body, "filteredOutFields")
        return reading
    if answer.status in (401, 403) or answer.status < 400:
        return Reading("stop", left=changes, code="bad_api_key", message=_quoted(answer, code, message))
    if "error.lists.invalidListId" in message and request.endpoint.envelope is not None:
        return Reading("close", left=changes, code="list_not_found", message="Iterable has no such static list")
    if answer.status == 404 and request.endpoint.path.startswith("/api/catalogs/"):
        return _without_catalog(request)
    if answer.status == 413 or code == "BatchTooLarge":
        return Reading("smaller", left=changes, code="record_too_large", message=MESSAGES["record_too_large"])
    if answer.status == 408 or answer.status >= 500:
        return Reading("again", left=changes, code=f"http_{answer.status}", message=_quoted(answer, code, message))
    if code == "UniqueFieldsLimitExceeded":
        return Reading("stop", left=changes, code="field_limit", message=_quoted(answer, code, message))
    params = (body or {}).get("params")
    if isinstance(params, dict) and (found := _places(request, params)):
        return _without(changes, found)
    if code == "RequestFieldsTypesMismatched" and isinstance(params, dict):
        wrong = mismatched(changes, params.get("validationErrors"))
        if wrong and drop_mismatched:
            return _dropping(changes, wrong)
        if wrong:
            return _without(changes, {number: each[0].outcome for number, each in wrong.items()})
    return _refused(request, answer, code, message)


def _refused(request: Request, answer: Answer, code: str, message: str) -> Reading:
    """A 4xx for the whole request, which one of its records must be the cause of (R9, R16)."""
    endpoint, known = request.endpoint, _CODES.get(code, "iterable_error")
    if endpoint.name == "device" and "device" in message.lower() and known == "bad_params":
        known = "device_limit"
    text = MESSAGES.get(known) or _quoted(answer, code, message)
    if len(request.changes) > 1:
        return Reading("bisect", left=request.changes, code=known, message=text)
    number = request.changes[0].number
    if about_content := refused_content(endpoint.name, answer.status, code, message, _quoted(answer, code, message)):
        return Reading("done", {number: about_content})
    if endpoint.name == "whole_catalog" and answer.status in (400, 409) and "exist" in f"{code} {message}".lower():
        # with which status and code is not documented (api.md 6.4)
        return Reading("done", {number: Outcome("noop", "already_exists")})
    if (endpoint.name, known) in _NOOP_IN_ANY_CASE:
        return Reading("done", {number: Outcome("noop", known)})
    return Reading("done", {number: Outcome("rejected", known, text)})


def _without_catalog(request: Request) -> Reading:
    """R15: what is to go is gone with its catalog; all else has to wait until somebody makes one."""
    changes = request.changes
    if request.endpoint.method == "DELETE":
        return Reading("done", {each.number: Outcome("noop", "catalog_not_found") for each in changes})
    return Reading("close", left=changes, code="catalog_not_found", message=MESSAGES["catalog_not_found"])


def _read_success(request: Request, answer: Answer, body: dict[str, Any] | None, code: str, message: str) -> Reading:
    changes, endpoint = request.changes, request.endpoint
    accepted = answer.status == 202 or endpoint.name in _ASYNCHRONOUS
    good: Kind = "accepted" if accepted else "acked"
    if endpoint.envelope is None or endpoint.shape != "array":
        result = made_of(endpoint.name, body)
        if body is None or (result is None and code not in ("Success", "Accepted")):
            return _unreadable(changes)
        if endpoint.shape != "array":
            # nothing is said of any of them (api.md 6.4)
            return Reading("done", {each.number: Outcome(good) for each in changes})
        if "is disallowed from tracking" in message:
            said = Outcome("rejected", "disallowed_event_name", MESSAGES["disallowed_event_name"])
            return Reading("done", {changes[0].number: said})
        return Reading("done", {changes[0].number: Outcome(good, result=result)})
    succeeded, failed = (body or {}).get("successCount"), (body or {}).get("failCount")
    if body is None or not isinstance(succeeded, int) or not isinstance(failed, int):
        return _unreadable(changes)
    lists = _lists(body)
    if not lists and failed == 0 and succeeded >= len(changes):
        return Reading("done", {each.number: Outcome(good) for each in changes})
    found, shared = _attributed(changes, lists)
    failures = {number: outcomes for number, outcomes in found.items() if outcomes[0].kind != "noop"}
    disallowed = sum(outcomes[0].code == "disallowed_event_name" for outcomes in failures.values())
    # whether these two count is nowhere said; unsubscribing whom nobody knows is a failure to Iterable (R6)
    unneeded = [number for number, outcomes in found.items() if outcomes[0].code == "user_not_found"]
    counted = len(failures) + sum(found[number][0].kind == "noop" for number in unneeded)
    noops = len(found) - counted
    outcomes = {
        number: replace(first, details=tuple(each.code for each in more)) for number, (first, *more) in found.items()
    }
    left = [each for each in changes if each.number not in outcomes]
    agreed = failed in (counted, counted - disallowed)
    whole = succeeded + failed >= len(changes) - noops - disallowed
    if counted > failed and shared and not agreed:
        # R3: some of those who share a name failed, and nobody can tell which
        left = [each for each in changes if each.number not in outcomes or each.number in shared]
        outcomes = {number: each for number, each in outcomes.items() if number not in shared}
        return _ambiguous(outcomes, left, body)
    if failed > counted or not whole:
        return _ambiguous(outcomes, left, body)
    return Reading("done", {**outcomes, **{each.number: Outcome(good) for each in left}})


def _ambiguous(outcomes: dict[int, Outcome], left: list[Change], body: dict[str, Any]) -> Reading:
    return Reading("bisect", outcomes, left, "not_named", MESSAGES["not_named"])


def _unreadable(changes: list[Change]) -> Reading:
    # R17: whatever it is, it is no success
    return Reading(
        "again", left=changes, code="unreadable_answer", message="the answer was not what Iterable documents"
    )


def _attributed(changes: Sequence[Change], lists: dict[str, list[str]]) -> tuple[dict[int, list[Outcome]], set[int]]:
    """Outcomes by number, the one that counts first (R1, R2); and the numbers whose names are rarer than they are."""
    index: dict[tuple[str, str], list[Change]] = {}
    for change in changes:
        for known in _names(change):
            index.setdefault(known, []).append(change)
    found: dict[int, list[Outcome]] = {}
    shared = set[int]()
    for name, values in lists.items():
        kind, code = _meaning(name)
        for value in set(values):
            named = index.get((kind, value.strip().lower() if kind == "Emails" else value), [])
            if values.count(value) < len(named) and kind != "eventName":
                shared |= {each.number for each in named}
            for change in named:
                found.setdefault(change.number, []).append(_outcome_of(change, code))
    return found, shared


def _names(change: Change) -> Iterable[tuple[str, str]]:
    payload = change.read()
    inside = payload.get("dataFields") or {}
    emails = {str(each["email"]).strip().lower() for each in (payload, inside) if each.get("email") is not None}
    ids = {str(each["userId"]) for each in (payload, inside) if each.get("userId") is not None}
    yield from (("Emails", each) for each in emails)
    yield from (("UserIds", each) for each in ids)
    if "eventName" in payload:
        yield "eventName", str(payload["eventName"])


def _outcome_of(change: Change, code: str) -> Outcome:
    if code == "noop":
        return Outcome("noop")
    if code == "user_not_found" and change.endpoint.name == "unsubscribe":
        # R6, X50: whoever is not there is not on the list
        return Outcome("noop", code)
    if code in ("user_not_found", "invalid_user_id") and change.read().get("preferUserId") is False:
        # G2: how an update that must create nobody says that there was nobody
        return Outcome("skipped", "not_in_iterable")
    return Outcome("rejected", code, MESSAGES[code])


def _meaning(name: str) -> tuple[str, str]:
    """Which names a list holds, and the code of whoever is in it."""
    if name == "disallowedEventNames":
        return "eventName", "disallowed_event_name"
    if name.startswith("valid"):
        return "Emails" if "Email" in name else "UserIds", "subscription_failed"
    kind = "Emails" if name.endswith("Emails") else "UserIds"
    if name.startswith("noOp"):
        return kind, "noop"
    reason = name.removesuffix(kind)
    return kind, dict(_FAILURES)[reason] or _INVALID[kind]


def _lists(body: dict[str, Any]) -> dict[str, list[str]]:
    """Every list that names somebody, in the order of precedence; the deprecated ones count where no other has them."""
    failed = body.get("failedUpdates")
    inner = failed if isinstance(failed, dict) else {}
    names = [reason + kind for reason, _ in _FAILURES for kind in ("Emails", "UserIds")]
    found = {name: inner.get(name) or body.get(name) for name in names}
    others = ("validEmailFailures", "validUserIdFailures", "disallowedEventNames", "noOpEmails", "noOpUserIds")
    found |= {name: body.get(name) for name in others}
    return {
        name: [str(each) for each in values] for name, values in found.items() if isinstance(values, list) and values
    }


def _places(request: Request, params: dict[str, Any]) -> dict[int, Outcome]:
    """R7: the records that a BadJsonBody names by their place."""
    found: dict[int, Outcome] = {}
    if request.endpoint.envelope is None:
        return found
    for place, said in params.items():
        match = _PLACE.fullmatch(str(place))
        if match and int(match[1]) < len(request.changes):
            number = request.changes[int(match[1])].number
            found[number] = Outcome("rejected", "bad_json_field", f"{match[2]}: {str(said)[:80]}", match[2])
    return found


def _without(changes: list[Change], outcomes: dict[int, Outcome]) -> Reading:
    left = [each for each in changes if each.number not in outcomes]
    return Reading("resend" if left else "done", outcomes, left)


def _dropping(changes: list[Change], wrong: Any) -> Reading:
    left = [without(each, wrong[each.number]) if each.number in wrong else each for each in changes]
    notes = {number: f"field_dropped:{fields[0].field}" for number, fields in wrong.items()}
    return Reading("resend", {}, left, notes=notes)


def _named(body: dict[str, Any] | None, member: str) -> frozenset[str]:
    """R5: fields that came into being, or were left out."""
    names = (body or {}).get(member)
    return frozenset(map(str, names if isinstance(names, list) else ()))


def _said(body: dict[str, Any] | None) -> tuple[str, str]:
    body = body or {}
    return str(body.get("code") or ""), str(body.get("msg") or body.get("message") or "")


def _quoted(answer: Answer, code: str, message: str) -> str:
    """What Iterable said, without persons."""
    said = plain_text((message or answer.body.decode("utf-8", "replace")).encode())
    return f"HTTP {answer.status}" + (f" {code}" if code else "") + (f": {said}" if said else "")
