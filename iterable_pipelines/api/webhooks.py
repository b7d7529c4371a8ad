"""The project's system webhooks at Iterable: listed, and pointed somewhere else (api.md 5.9, 6.5).

They can be made and deleted in Iterable's UI only. What they show to be let in is never listed.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

from iterable_pipelines.api.client import Iterable
from iterable_pipelines.api.errors import Broken, IterableError

PATH = "/api/webhooks"
AuthWay = Literal["header", "basic", "oauth2"]
# where the token of each stands: `header` needs none of Iterable's own ways
_AUTH_TYPES: dict[AuthWay, str] = {"header": "NoAuth", "basic": "Basic", "oauth2": "OAuth2"}
_HIDDEN = "(hidden)"


@dataclass(frozen=True)
class Webhook:
    """One webhook as Iterable lists it. `blast` and `triggered`: whether it gets the sends of such campaigns."""

    id: int
    endpoint: str
    enabled: bool
    auth_type: str
    blast: bool
    triggered: bool
    channel_ids: tuple[Any, ...] = ()
    message_type_ids: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Registration:
    """What a webhook is to become: enabled, sent to `endpoint` for all campaigns, showing `token` in its `way`.

    `header`, as custom header of this name; `basic` and `oauth2`, as Iterable writes it into Authorization (UNCERTAIN
    in which form, api.md 7). A custom header takes the place of all those before; the other two leave them.
    """

    webhook_id: int
    endpoint: str
    token: str = field(repr=False)
    header: str
    way: AuthWay

    def as_body(self, hidden: bool = False) -> dict[str, Any]:
        """The body of the request; with `hidden`, as it may be shown."""
        token = _HIDDEN if hidden else self.token
        shown: dict[str, Any] = (
            {"headers": [{"key": self.header, "value": token}]} if self.way == "header" else {"authToken": token}
        )
        return {
            "id": self.webhook_id,
            "endpoint": self.endpoint,
            "enabled": True,
            "authType": _AUTH_TYPES[self.way],
            **shown,
            "blastSendEnabled": True,
            "triggeredSendEnabled": True,
        }

    def became(self, webhook: Webhook) -> bool:
        """Whether a webhook, as listed, is what was asked for."""
        listed = (webhook.endpoint, webhook.enabled, webhook.auth_type, webhook.blast, webhook.triggered)
        return listed == (self.endpoint, True, _AUTH_TYPES[self.way], True, True)


def read_webhooks(client: Iterable) -> list[Webhook]:
    """Every webhook of the project, by id. Raises Broken for an answer of another shape."""
    try:
        rows = client.get(PATH)["webhooks"]
        return sorted((_webhook(each) for each in rows), key=lambda each: each.id)
    except (KeyError, TypeError, AttributeError):
        raise Broken(f"GET {PATH}: the answer holds no list of webhooks") from None


def update_webhook(client: Iterable, registration: Registration) -> None:
    """Change a webhook. What it is then, `read_webhooks` tells. The token shows in no error."""
    try:
        client.post(PATH, registration.as_body())
    except IterableError as error:
        # an answer may quote what it refuses
        error.args = (str(error).replace(registration.token, _HIDDEN),)
        raise


def _webhook(row: dict[str, Any]) -> Webhook:
    return Webhook(
        row["id"],
        row["endpoint"],
        row["enabled"],
        row["authType"],
        row["blastSendEnabled"],
        row["triggeredSendEnabled"],
        tuple(row.get("channelIds") or ()),
        tuple(row.get("messageTypeIds") or ()),
    )
