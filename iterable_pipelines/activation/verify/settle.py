"""What must not happen twice, and may have happened: Iterable is asked whether it did (S9, R12)."""

import json
from collections.abc import Callable
from datetime import UTC, timedelta
from typing import Any, Literal

from iterable_pipelines.activation.state import Workspace
from iterable_pipelines.activation.verify.readings import READ_BACK
from iterable_pipelines.api import Iterable
from iterable_pipelines.api.user_reads import Person, read_user
from iterable_pipelines.hours import now

Settled = Literal["done", "not_done", "unknown"]
Body = dict[str, Any]


def settle(workspace: Workspace, client: Iterable, request_id: str) -> Settled:
    """Whether a request of the outbox whose answer never came has had its effect. Nothing is written.

    "unknown" where Iterable shows neither, or nothing is known of the request; and within the first minute, in which
    Iterable may not show the effect yet. Raises IterableError.
    """
    found = workspace.con.execute(
        "select endpoint, body, coalesce(sent_at, planned_at) from state.outbox where request_id = ?", [request_id]
    ).fetchall()
    if not found or found[0][1] is None:
        return "unknown"
    endpoint, body, sent_at = found[0]
    settled = _LOOKS[endpoint](client, json.loads(body))
    age = now() - sent_at.replace(tzinfo=UTC)
    return "unknown" if settled == "not_done" and age < timedelta(seconds=READ_BACK[endpoint].settle) else settled


def _email_change(client: Iterable, body: Body) -> Settled:
    """The user goes by the new address, or still by the old one."""
    new = body["newEmail"]
    if "currentEmail" not in body:
        user = read_user(client, Person(user_id=body["currentUserId"]))
        if user is None:
            return "unknown"
        return "done" if str(user.get("email", "")).lower() == new.lower() else "not_done"
    if read_user(client, Person(email=body["currentEmail"])) is not None:
        # whoever has the new address then is somebody else
        return "not_done"
    return "done" if read_user(client, Person(email=new)) is not None else "unknown"


def _merge(client: Iterable, body: Body) -> Settled:
    """Who was to be merged away is gone, or not."""
    source = Person(email=body["sourceEmail"]) if "sourceEmail" in body else Person(user_id=body["sourceUserId"])
    return "done" if read_user(client, source) is None else "not_done"


_LOOKS: dict[str, Callable[[Iterable, Body], Settled]] = {"email_change": _email_change, "merge": _merge}
