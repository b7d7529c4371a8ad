"""What must not happen twice, and may have happened: Iterable is asked whether it did (S9, R12)."""

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from iterable_pipelines.activation.content_answers import made_of
from iterable_pipelines.activation.state import Workspace
from iterable_pipelines.activation.verify.content import SKEW, campaign_shown
from iterable_pipelines.activation.verify.readings import READ_BACK
from iterable_pipelines.activation.verify.sameness import moment_of
from iterable_pipelines.api import Iterable
from iterable_pipelines.api.content_reads import campaigns_since, lists_named, messages_since
from iterable_pipelines.api.user_reads import Person, read_user
from iterable_pipelines.hours import now

Settled = Literal["done", "not_done", "unknown"]
Body = dict[str, Any]


@dataclass(frozen=True)
class Became:
    """What became of a request, and what Iterable made of it, as the answer would have said it: JSON."""

    settled: Settled
    result: str | None = None


@dataclass(frozen=True)
class Doubt:
    """A request that may have had its effect; `since`: not before that.

    known: results of others, JSON. others: how many records were acknowledged since that would look the same.
    """

    body: Body
    since: datetime
    known: Collection[str]
    others: int


def settle(workspace: Workspace, client: Iterable, request_id: str) -> Became:
    """Whether a request of the outbox whose answer never came has had its effect. Nothing is written.

    "unknown" where Iterable shows neither, or nothing is known of the request; and as long as Iterable may not show
    the effect yet: a minute, or ten for messages. Raises IterableError.
    """
    found = workspace.con.execute(
        "select endpoint, body, coalesce(sent_at, planned_at), coalesce(planned_at, sent_at) from state.outbox "
        "where request_id = ?",
        [request_id],
    ).fetchall()
    if not found or found[0][1] is None:
        return Became("unknown")
    endpoint, body, sent_at, planned_at = found[0]
    doubt = _doubt(workspace, endpoint, request_id, json.loads(body), planned_at.replace(tzinfo=UTC) - SKEW)
    became = _LOOKS[endpoint](client, doubt)
    age = now() - sent_at.replace(tzinfo=UTC)
    too_early = became.settled == "not_done" and age < timedelta(seconds=READ_BACK[endpoint].settle)
    return Became("unknown") if too_early else became


def _doubt(workspace: Workspace, endpoint: str, request_id: str, body: Body, since: datetime) -> Doubt:
    known = workspace.con.execute("select result from state.acked where result is not null").fetchall()
    of_request = (
        "select c.identity from state.changes c join state.outbox_rows r using (number) "
        "join state.outbox o on o.request_id = r.request_id and o.run_id = c.run_id where o.request_id = $request"
    )
    ((others,),) = workspace.con.execute(
        "select count(*) from state.acked where endpoint = $endpoint and not in_doubt and last_acked_at >= $since "
        # messages of other campaigns to the same user look otherwise
        f"and identity in ({of_request}) and (payload->>'$.campaignId') is not distinct from $campaign",
        {
            "endpoint": endpoint,
            "since": since.replace(tzinfo=None),
            "request": request_id,
            "campaign": None if body.get("campaignId") is None else str(body["campaignId"]),
        },
    ).fetchall()
    return Doubt(body, since, {result for (result,) in known}, others)


def _email_change(client: Iterable, doubt: Doubt) -> Became:
    """The user goes by the new address, or still by the old one."""
    body, new = doubt.body, doubt.body["newEmail"]
    if "currentEmail" not in body:
        user = read_user(client, Person(user_id=body["currentUserId"]))
        if user is None:
            return Became("unknown")
        return Became("done" if str(user.get("email", "")).lower() == new.lower() else "not_done")
    if read_user(client, Person(email=body["currentEmail"])) is not None:
        # whoever has the new address then is somebody else
        return Became("not_done")
    return Became("done" if read_user(client, Person(email=new)) is not None else "unknown")


def _merge(client: Iterable, doubt: Doubt) -> Became:
    """Who was to be merged away is gone, or not."""
    body = doubt.body
    source = Person(email=body["sourceEmail"]) if "sourceEmail" in body else Person(user_id=body["sourceUserId"])
    return Became("done" if read_user(client, source) is None else "not_done")


def _list(client: Iterable, doubt: Doubt) -> Became:
    """A list of the name that was made since, and is none that is known already."""
    since = int(doubt.since.timestamp() * 1000)
    made = [each for each in lists_named(client, doubt.body["name"]) if int(each.get("createdAt") or 0) >= since]
    return _newest(doubt, "whole_list", [{"listId": each["id"]} for each in made])


def _campaign(client: Iterable, doubt: Doubt) -> Became:
    """A campaign of the name, with the same lists, that was made since. Its template is a copy, of another id."""
    wanted = campaign_shown(doubt.body)
    made = [each for each in campaigns_since(client, doubt.since) if campaign_shown(each) == wanted]
    return _newest(doubt, "campaign", [{"campaignId": each["id"]} for each in made])


def _newest(doubt: Doubt, endpoint: str, made: list[Body]) -> Became:
    results = [result for each in made if (result := made_of(endpoint, each)) and result not in doubt.known]
    if not results:
        return Became("not_done")
    # of two that look the same nobody can tell which one it was
    return Became("done", results[0]) if len(results) == 1 else Became("unknown")


def _in_app(client: Iterable, doubt: Doubt) -> Became:
    """One more message of the campaign than were acknowledged for this user since. What is to come is not shown yet."""
    body = doubt.body
    send_at = moment_of(body.get("sendAt"))
    person = Person(email=body.get("recipientEmail"), user_id=body.get("recipientUserId"))
    sent = messages_since(client, person, body["campaignId"], doubt.since)
    if len(sent) > doubt.others:
        return Became("done")
    return Became("unknown" if send_at is not None and send_at > now() else "not_done")


_LOOKS: dict[str, Callable[[Iterable, Doubt], Became]] = {
    "email_change": _email_change,
    "merge": _merge,
    "whole_list": _list,
    "campaign": _campaign,
    "in_app": _in_app,
}
