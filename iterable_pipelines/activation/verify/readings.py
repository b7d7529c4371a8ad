"""How each kind of write is read back: one line per endpoint. Add one here when endpoints.py gets one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from iterable_pipelines.activation.verify import content, profile
from iterable_pipelines.activation.verify.profile import Profile
from iterable_pipelines.activation.verify.promises import Finding, Promise
from iterable_pipelines.api import Iterable as Client

By = Literal["profile", "list", "events", "forgotten", "item", "catalog", "content"]


@dataclass(frozen=True)
class ReadBack:
    """`by`: what is read. `settle`: seconds until Iterable shows what it acknowledged (outbound.md 6.6).

    judge: looks at the profile. look: asks for what else it is. in_export: an export of users that is newer than the
    acknowledgement shows it too.
    """

    by: By
    settle: int
    judge: Callable[[Promise, Profile | None], Finding] | None = None
    in_export: bool = False
    look: Callable[[Client, Promise], Finding] | None = None


READ_BACK: dict[str, ReadBack] = {
    "users": ReadBack("profile", 60, profile.fields_are_there, in_export=True),
    "user": ReadBack("profile", 60, profile.fields_are_there, in_export=True),
    "email_change": ReadBack("profile", 60, profile.address_is_theirs),
    "merge": ReadBack("profile", 60, profile.is_gone),
    "delete": ReadBack("profile", 60, profile.is_gone),
    "subscriptions": ReadBack("profile", 60, profile.subscriptions_are_so, in_export=True),
    "device": ReadBack("profile", 60, profile.device_is_there),
    "browser": ReadBack("profile", 60, profile.browser_is_there),
    "device_off": ReadBack("profile", 60, profile.device_is_off),
    "cart": ReadBack("profile", 60, profile.cart_is_so),
    "subscribe": ReadBack("list", 60, profile.is_on_list),
    "unsubscribe": ReadBack("list", 60, profile.is_off_list),
    "events": ReadBack("events", 600),
    "event": ReadBack("events", 600),
    "purchase": ReadBack("events", 600),
    "forget": ReadBack("forgotten", 60),
    "unforget": ReadBack("forgotten", 60),
    # up to 20 minutes were seen (outbound.md 4.1)
    "catalog_items": ReadBack("item", 1200),
    "catalog_item": ReadBack("item", 1200),
    "catalog_item_update": ReadBack("item", 1200),
    "catalog_items_gone": ReadBack("item", 1200),
    "whole_catalog": ReadBack("catalog", 60),
    "whole_catalog_gone": ReadBack("catalog", 60),
    "template": ReadBack("content", 60, look=content.template_is_so),
    "template_update": ReadBack("content", 60, look=content.template_is_so),
    "snippet": ReadBack("content", 60, look=content.snippet_is_so),
    "snippet_gone": ReadBack("content", 60, look=content.snippet_is_gone),
    # both are asynchronous (api.md 6.5)
    "metadata": ReadBack("content", 600, look=content.metadata_is_so),
    "metadata_gone": ReadBack("content", 600, look=content.metadata_is_gone),
    "whole_list": ReadBack("content", 60, look=content.list_is_there),
    "whole_list_gone": ReadBack("content", 60, look=content.list_is_gone),
    "campaign": ReadBack("content", 60, look=content.campaign_is_there),
    # sent messages are indexed as late as events are
    "in_app": ReadBack("content", 600, look=content.message_was_sent),
}
