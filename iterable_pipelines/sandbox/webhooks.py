"""The project's system webhooks: where Iterable posts events to, and the two calls by which that is seen and changed.

They are made in Iterable's UI only; the API lists and updates them, and never shows a token or a header (api.md 5.9).
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from iterable_pipelines.api.address import is_loopback, is_protected
from iterable_pipelines.sandbox.errors import bad_params, refusal

AUTH_TYPES = ("NoAuth", "Basic", "OAuth2")
_MEMBERS: dict[str, tuple[str, type]] = {
    "endpoint": ("endpoint", str),
    "enabled": ("enabled", bool),
    "authType": ("auth_type", str),
    "authToken": ("auth_token", str),
    "headers": ("headers", list),
    "blastSendEnabled": ("blast", bool),
    "triggeredSendEnabled": ("triggered", bool),
}


@dataclass(frozen=True)
class Hook:
    """One webhook. `headers` are the project's own, name and value; `blast` and `triggered` say whose sends it gets."""

    id: int
    endpoint: str
    enabled: bool = True
    auth_type: str = "NoAuth"
    auth_token: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    blast: bool = True
    triggered: bool = True

    def as_json(self) -> dict[str, Any]:
        """As GET /api/webhooks lists it: without what is secret."""
        return {
            "id": self.id,
            "endpoint": self.endpoint,
            "enabled": self.enabled,
            "authType": self.auth_type,
            "blastSendEnabled": self.blast,
            "triggeredSendEnabled": self.triggered,
            "channelIds": [],
            "messageTypeIds": [],
        }

    @property
    def reachable(self) -> bool:
        """Whether the sandbox posts to it: only to this machine, never into the world."""
        return self.enabled and is_loopback(self.endpoint)

    def takes(self, send_of: str | None) -> bool:
        """Whether it gets an event: a send of a campaign of this type, or, for None, anything else."""
        return {"Blast": self.blast, "Triggered": self.triggered}.get(send_of or "", True)

    def request_headers(self, oauth2_scheme: str) -> dict[str, str]:
        """What every request carries. How Iterable writes the token is UNCERTAIN (api.md 7): Basic sends it bare."""
        tokens = {"Basic": self.auth_token, "OAuth2": f"{oauth2_scheme} {self.auth_token}"}
        named = {"Authorization": tokens[self.auth_type]} if self.auth_type in tokens else {}
        return {"Content-Type": "application/json"} | named | dict(self.headers)


HOOKS = (
    Hook(51, "https://hooks.example.com/iterable", triggered=False),
    Hook(52, "https://hooks.example.com/retired", enabled=False, auth_type="OAuth2", auth_token="not to be shown"),
)


class Hooks:
    """The webhooks of one project. `changed` is set whenever one of them was updated."""

    def __init__(self, hooks: Iterable[Hook] = HOOKS) -> None:
        self._by_id = {each.id: each for each in hooks}
        self._lock = threading.Lock()
        self.changed = threading.Event()

    def all(self) -> list[Hook]:
        """Every webhook, by id."""
        return [self._by_id[each] for each in sorted(self._by_id)]

    def get(self, hook_id: int) -> Hook | None:
        """The webhook of this id as it is now; None for none."""
        return self._by_id.get(hook_id)

    def update(self, hook_id: int, **changes: Any) -> Hook:
        """Change what is named and leave the rest. Raises KeyError for no webhook of this project."""
        with self._lock:
            self._by_id[hook_id] = replace(self._by_id[hook_id], **changes)
        self.changed.set()
        return self._by_id[hook_id]


def webhook_routes(hooks: Hooks) -> list[Route]:
    """GET and POST /api/webhooks."""

    async def webhooks(request: Request) -> Response:
        if request.method == "GET":
            return JSONResponse({"webhooks": [each.as_json() for each in hooks.all()]})
        try:
            asked = await request.json()
            hook_id, changes = int(asked["id"]), _changes(asked)
        except (ValueError, KeyError, TypeError, AttributeError) as wrong:
            return refusal(400, "BadJsonBody", "[/api/webhooks] Invalid JSON body", {"obj": type(wrong).__name__})
        if hooks.get(hook_id) is None:
            return bad_params(f"Webhook not found: {hook_id}")
        # whether Iterable takes http at all is UNCERTAIN; the article says that an endpoint must be https (api.md 7)
        if "endpoint" in changes and not is_protected(changes["endpoint"]):
            return bad_params("Webhook endpoint must be https")
        if changes.get("auth_type", AUTH_TYPES[0]) not in AUTH_TYPES:
            return bad_params(f"Invalid authType, must be one of {', '.join(AUTH_TYPES)}")
        return JSONResponse(hooks.update(hook_id, **changes).as_json())

    return [Route("/api/webhooks", webhooks, methods=["GET", "POST"])]


def _changes(asked: dict[str, Any]) -> dict[str, Any]:
    """The members that are to be updated, by our names. Raises TypeError or KeyError for a body of another shape."""
    changes = {}
    for name, (ours, kind) in _MEMBERS.items():
        if name in asked:
            if type(asked[name]) is not kind:
                raise TypeError(name)
            changes[ours] = asked[name]
    if "headers" in changes:
        changes["headers"] = tuple((str(each["key"]), str(each["value"])) for each in changes["headers"])
    return changes
