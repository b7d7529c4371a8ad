"""What can be sent: one class per object, each with its modes and its own fields (outbound.md 6.1). Add one here."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from iterable_pipelines.activation.declaration import FOLDER, Columns, Sync
from iterable_pipelines.declared import Kinds, Section, load_declared
from iterable_pipelines.settings import Settings


class Constant(Section):
    """A value instead of a column."""

    constant: Any


Given = str | Constant


class _ProfileSync(Sync):
    modes = ("insert", "update", "upsert", "mirror")
    leaves = ("keep", "null_fields", "delete")
    new_email: str | None = None
    existence: Literal["auto", "lookup", "snapshot"] = "auto"
    existence_max_age_hours: int = Field(24, ge=1)
    update_only_flag: bool = False


class UserSync(_ProfileSync):
    """Profiles: created, enriched, updated."""

    object: Literal["user"]


class TraitSync(_ProfileSync):
    """A computed trait: one field of the profile, named like the trait (P1, P2)."""

    object: Literal["trait"]
    trait_name: str
    key: str | None = None
    value: str = "value"
    allow_reuse: bool = False


class _HistorySync(Sync):
    modes = ("insert", "update", "upsert")
    is_history = True
    id: str | None = None
    created_at: str | None = None
    campaign_id: Given | None = None
    template_id: Given | None = None
    allow_missing_created_at: bool = False
    trust_ids: bool = False


class EventSync(_HistorySync):
    """Custom events."""

    object: Literal["event"]
    event_name: Given


class PurchaseSync(_HistorySync):
    """Purchases: rows with an order each, its items in a list, struct or JSON column."""

    object: Literal["purchase"]
    total: str | None = None
    items: str
    total_fallback: Literal["revenue", "sum_of_items"] | None = None
    purchase_updates_profile: bool = False
    item_id_from_sku: bool = False
    split_categories_on: str | None = None


class CartSync(Sync):
    """Shopping carts: each row is the whole cart of one user."""

    modes = ("upsert",)
    leaves = ("keep", "clear")
    object: Literal["cart"]
    items: str
    item_id_from_sku: bool = False
    split_categories_on: str | None = None


class ToList(Section):
    """A static list: by `id`, or by `name`, which is made if `create` says so."""

    id: int | None = None
    name: str | None = None
    create: bool = False
    update_existing_users_only: bool | None = None
    channel_unsubscribe: Literal[False] = False


def _outputs(given: tuple[str, ...]) -> tuple[str, ...]:
    if not given or set(given) - {"identify", "track", "list"} or len(set(given)) < len(given):
        raise ValueError("write one or more of identify, track and list")
    return given


class AudienceSync(Sync):
    """Who belongs to an audience: rows are members, and whoever has no row any more leaves (section 3)."""

    modes = ("mirror",)
    leaves = ("exit",)
    object: Literal["audience"]
    mode: Literal["mirror"] = "mirror"
    on_leave: Literal["exit"] = "exit"
    audience_name: str
    key: str | None = None
    outputs: Annotated[Columns, AfterValidator(_outputs), Field(alias="as")]
    list: ToList | None = None
    entered_event: str = "Audience Entered"
    exited_event: str = "Audience Exited"
    include_name: bool = False
    changed_at: str | None = None
    include_history: bool = True
    emails: Literal["all", "first", "last"] = "all"
    emails_column: str | None = None
    on_identity_removed: Literal["exit", "keep"] = "exit"
    on_delete: Literal["keep", "exit_members"] = "keep"
    allow_reuse: bool = False


class ListSync(Sync):
    """Members of a static list: `insert` adds, `remove` removes, `mirror` does both."""

    modes = ("insert", "mirror", "remove")
    leaves = ("keep", "unsubscribe")
    object: Literal["list"]
    list: ToList
    reject_placeholder: bool = False


class DeviceSync(Sync):
    """Device tokens, or those of browsers."""

    modes = ("upsert",)
    leaves = ("keep", "disable")
    object: Literal["device"]
    token: str
    platform: str | None = None
    application_name: Given | None = None
    sandbox: Given | None = None
    browser: bool = False


class SubscriptionSync(Sync):
    """Subscriptions: columns with the whole new array of each; an array that is not mapped stays as it is."""

    modes = ("upsert",)
    object: Literal["subscription"]
    email_list_ids: str | None = None
    unsubscribed_channel_ids: str | None = None
    unsubscribed_message_type_ids: str | None = None
    subscribed_message_type_ids: str | None = None
    campaign_id: Given | None = None
    template_id: Given | None = None


class UserActionSync(Sync):
    """Once per key: a user is deleted, forgotten, or no longer forgotten."""

    modes = ("insert",)
    object: Literal["user_action"]
    action: Literal["delete", "forget", "unforget"]


class Devices(Section):
    """Devices that calls tell of in their context (1.8)."""

    enabled: bool = True
    application_name: str


class Group(Section):
    """The field of the profile that takes the traits of a group call (1.6)."""

    field: str


class CallsSync(Sync):
    """Rows shaped like Segment's calls: identify, track, page, screen, alias, group, with ecommerce (section 1)."""

    modes = ("upsert",)
    is_history = True
    object: Literal["calls"]
    mode: Literal["upsert"] = "upsert"
    # name of a call's member → column, where they differ: type, user_id, email, event, name, traits, properties, …
    columns: dict[str, str] = Field(default_factory=dict)
    anonymous_id_as_user_id: bool = False
    single_event_name: bool = False
    pages: Literal["all", "named", "categorised", "none"] = "all"
    group: Group | None = None
    devices: Devices | None = None
    cart_without_products: Literal["custom_event", "error"] = "custom_event"
    context_fields: Columns = ()
    total_fallback: Literal["revenue", "sum_of_items"] | None = None
    purchase_updates_profile: bool = False
    item_id_from_sku: bool = False
    split_categories_on: str | None = None
    allow_missing_created_at: bool = False
    segment_classic_compat: bool = False


OBJECTS: dict[str, type[Sync]] = {
    "user": UserSync,
    "event": EventSync,
    "purchase": PurchaseSync,
    "cart": CartSync,
    "audience": AudienceSync,
    "trait": TraitSync,
    "list": ListSync,
    "device": DeviceSync,
    "subscription": SubscriptionSync,
    "user_action": UserActionSync,
    "calls": CallsSync,
}


def load_syncs(settings: Settings) -> list[Sync]:
    """Every sync of the project, by name. Raises SettingsError with all that is wrong, by file and line."""
    kinds = Kinds("object", OBJECTS)
    return load_declared(settings, FOLDER, kinds, "A sync", "iterable-pipelines sync plan --all")
