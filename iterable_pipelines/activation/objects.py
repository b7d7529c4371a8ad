"""What can be sent: one class per object, each with its modes and its own fields (outbound.md 6.1). Add one here."""

import re
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from iterable_pipelines.activation.catalogs import CatalogSync, WholeCatalogSync
from iterable_pipelines.activation.conflicts import conflicts
from iterable_pipelines.activation.content import (
    CampaignSync,
    InAppSync,
    MetadataSync,
    SnippetSync,
    TemplateSync,
    WholeListSync,
)
from iterable_pipelines.activation.declaration import FOLDER, Columns, Given, Sync, To
from iterable_pipelines.activation.managed_fields import managed
from iterable_pipelines.declared import Kinds, Section, load_declared
from iterable_pipelines.settings import Settings
from iterable_pipelines.settings_values import did_you_mean


def key_of(name: str) -> str:
    """The key of an audience or trait: lower case, blanks and dots as underscores (P1)."""
    return re.sub(r"[\s.]", "_", name.strip().lower())


def _key(given: str) -> str:
    if not given or re.search(r"[\s.]", given):
        raise ValueError("a key has no blanks and no dots (P1)")
    if why := managed(given):
        raise ValueError(why)
    return given


Key = Annotated[str, AfterValidator(_key)]


class ProfileSync(Sync):
    """What syncs of profiles have in common."""

    modes = ("insert", "update", "upsert", "mirror")
    of_profile = True
    naming_columns: ClassVar[tuple[str, ...]] = ("new_email",)
    new_email: str | None = None
    # what becomes of two rows about one user (I9)
    on_duplicate_identity: Literal["next_request", "error"] = "next_request"
    existence: Literal["auto", "lookup", "snapshot"] = "auto"
    existence_max_age_hours: int = Field(24, ge=1)
    update_only_flag: bool = False


class UserSync(ProfileSync):
    """Profiles: created, enriched, updated."""

    leaves = ("keep", "null_fields", "delete")
    takes_fields = True
    object: Literal["user"]
    # GrowthLoop's table of mappings asks for one; profiles have none (outbound.md 0.13)
    event_name: Given | None = None

    @model_validator(mode="after")
    def _deletes_in_mirror_only(self) -> "UserSync":
        if self.on_leave == "delete" and self.mode != "mirror":
            raise ValueError("`on_leave: delete` needs `mode: mirror`")
        return self

    @property
    def warnings(self) -> tuple[str, ...]:
        """The event name has no effect."""
        return ("`event_name` has no effect: a profile has none",) if self.event_name is not None else ()


class TraitSync(ProfileSync):
    """A computed trait: one field of the profile, named like the trait (P1, P2)."""

    leaves = ("keep", "null_fields")
    naming_columns = (*ProfileSync.naming_columns, "value")
    object: Literal["trait"]
    trait_name: str
    key: Key | None = None
    value: str = "value"
    allow_reuse: bool = False

    @property
    def field(self) -> str:
        """The field of the profile (P1)."""
        return self.key or key_of(self.trait_name)

    @property
    def targets(self) -> dict[str, To]:
        """The trait's column, and who is meant. NULL clears the trait (P2)."""
        return {**self.fields, self.value: To(to=self.field)}


class _HistorySync(Sync):
    modes = ("insert", "update", "upsert")
    is_history = True
    takes_fields = True
    naming_columns: ClassVar[tuple[str, ...]] = ("id", "created_at", "campaign_id", "template_id")
    id: str | None = None
    created_at: str | None = None
    campaign_id: Given | None = None
    template_id: Given | None = None
    allow_missing_created_at: bool = False
    trust_ids: bool = False

    @model_validator(mode="after")
    def _has_a_moment_and_an_id(self) -> "_HistorySync":
        if self.created_at is None and not self.allow_missing_created_at:
            raise ValueError(
                "`created_at` names the column with the moment; without it a retry moves the event (T2), which "
                "`allow_missing_created_at: true` permits"
            )
        if self.mode == "update" and self.id is None:
            raise ValueError("`mode: update` needs `id`, the column with the event's id (G7)")
        return self


class EventSync(_HistorySync):
    """Custom events."""

    naming_columns = (*_HistorySync.naming_columns, "event_name")
    object: Literal["event"]
    event_name: Given


class PurchaseSync(_HistorySync):
    """Purchases: rows with an order each, its items in a list, struct or JSON column."""

    naming_columns = (*_HistorySync.naming_columns, "total", "items")
    object: Literal["purchase"]
    total: str | None = None
    items: str
    total_fallback: Literal["revenue", "sum_of_items"] | None = None
    item_id_from_sku: bool = False
    split_categories_on: str | None = None

    @property
    def roles(self) -> frozenset[str]:
        """With the column that stands in for a total (C3)."""
        return super().roles | ({"revenue"} if self.total_fallback == "revenue" else set())


class CartSync(Sync):
    """Shopping carts: each row is the whole cart of one user."""

    modes = ("upsert",)
    leaves = ("keep", "clear")
    naming_columns = ("items", "created_at")
    object: Literal["cart"]
    items: str
    # orders this cart among the user's purchases (C9)
    created_at: str | None = None
    item_id_from_sku: bool = False
    split_categories_on: str | None = None


class ToList(Section):
    """A static list: by `id`, or by `name`, which is made if `create` says so.

    `channel_id`: the channel whose messages go to it. `channel_unsubscribe`: who leaves it leaves everything.
    """

    id: int | None = None
    name: str | None = None
    create: bool = False
    update_existing_users_only: bool | None = None
    channel_id: int | None = None
    channel_unsubscribe: bool = False

    @model_validator(mode="after")
    def _is_one_list(self) -> "ToList":
        if self.id is not None and (self.name is not None or self.create):
            raise ValueError("write either the `id` of a list, or a `name`, with `create: true` if it is to be made")
        return self


class ConsentSync(Sync):
    """Objects that subscribe people: what somebody has left is given back only after an opt-in that is newer."""

    # the column with the moment at which somebody has opted in
    opted_in_at: str | None = None


class MemberSync(ConsentSync):
    """Objects whose rows are members of a list."""

    # not_needed: for a list that nobody is written to by
    consent: Literal["respected", "not_needed"] = "respected"
    # whether each member is asked for right before; auto: unless they are too many
    consent_lookup: Literal["auto", "lookup", "import"] = "auto"

    @property
    def warnings(self) -> tuple[str, ...]:
        """That nobody's unsubscribe keeps them off the list."""
        said = "`consent: not_needed`: whoever has unsubscribed is put on the list too"
        return () if self.consent == "respected" else (said,)


def _outputs(given: tuple[str, ...]) -> tuple[str, ...]:
    if not given or set(given) - {"identify", "track", "list"} or len(set(given)) < len(given):
        raise ValueError("write one or more of identify, track and list")
    return given


class AudienceSync(MemberSync):
    """Who belongs to an audience: rows are members, and whoever has no row any more leaves (section 3)."""

    modes = ("mirror",)
    leaves = ("exit",)
    naming_columns = ("changed_at", "emails_column", "opted_in_at")
    object: Literal["audience"]
    mode: Literal["mirror"] = "mirror"
    on_leave: Literal["exit"] = "exit"
    audience_name: str
    key: Key | None = None
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

    @property
    def profile_fields(self) -> frozenset[str]:
        """Its key; kept for it alone even where members get no field, because events and lists go by it too (P1)."""
        return frozenset({self.field})

    @property
    def field(self) -> str:
        """The key, and the field of the profile that says whether somebody is a member (P1, P3)."""
        return self.key or key_of(self.audience_name)

    @model_validator(mode="after")
    def _says_nothing_in_vain(self) -> "AudienceSync":
        for name in ("list", "opted_in_at", "consent", "consent_lookup"):
            if name in self.model_fields_set and "list" not in self.outputs:
                raise ValueError(f"`{name}` has no effect unless `as` holds list")
        if self.emails != "all" and self.emails_column is None:
            raise ValueError("`emails` has no effect without `emails_column`, the column with all addresses of a user")
        return self


class ListSync(MemberSync):
    """Members of a static list: `insert` adds, `remove` removes, `mirror` does both."""

    modes = ("insert", "mirror", "remove")
    leaves = ("keep", "unsubscribe")
    naming_columns = ("opted_in_at",)
    object: Literal["list"]
    list: ToList
    reject_placeholder: bool = False

    @model_validator(mode="before")
    @classmethod
    def _a_mirror_takes_off(cls, given: Any) -> Any:
        mirrors = isinstance(given, dict) and given.get("mode") == "mirror"
        return {"on_leave": "unsubscribe", **given} if mirrors else given

    @model_validator(mode="after")
    def _names_its_list(self) -> "ListSync":
        if self.list.id is None and not self.list.name:
            raise ValueError("write `list: {id: …}`, or `list: {name: …}`, with `create: true` if it is to be made")
        if self.on_leave == "unsubscribe" and self.mode != "mirror":
            raise ValueError("`on_leave: unsubscribe` needs `mode: mirror`")
        return self


class DeviceSync(Sync):
    """Device tokens, or those of browsers."""

    modes = ("upsert",)
    leaves = ("keep", "disable")
    takes_fields = True
    naming_columns = ("token", "platform", "application_name", "sandbox")
    object: Literal["device"]
    token: str
    platform: str | None = None
    application_name: Given | None = None
    sandbox: Given | None = None
    browser: bool = False


class SubscriptionSync(ConsentSync):
    """Subscriptions: columns with what is to change, or with whole arrays; one that is not mapped stays as it is."""

    modes = ("upsert",)
    naming_columns = (
        *("email_list_ids", "unsubscribed_channel_ids", "unsubscribed_message_type_ids"),
        *("subscribed_message_type_ids", "campaign_id", "template_id", "opted_in_at"),
        *(
            f"{verb}_{what}_ids"
            for verb in ("subscribe", "unsubscribe")
            for what in ("list", "channel", "message_type")
        ),
    )
    object: Literal["subscription"]
    email_list_ids: str | None = None
    unsubscribed_channel_ids: str | None = None
    unsubscribed_message_type_ids: str | None = None
    subscribed_message_type_ids: str | None = None
    subscribe_list_ids: str | None = None
    unsubscribe_list_ids: str | None = None
    subscribe_channel_ids: str | None = None
    unsubscribe_channel_ids: str | None = None
    subscribe_message_type_ids: str | None = None
    unsubscribe_message_type_ids: str | None = None
    campaign_id: Given | None = None
    template_id: Given | None = None
    # so old an imported user may be for its subscriptions to count as those of now; 0: each is read right before
    state_max_age_minutes: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _whole_or_changes(self) -> "SubscriptionSync":
        for what in ("list", "channel", "message_type"):
            whole = [name for name in _ARRAYS if what in name and getattr(self, name)]
            changes = [name for verb in ("subscribe", "unsubscribe") if getattr(self, name := f"{verb}_{what}_ids")]
            if whole and changes:
                raise ValueError(
                    f"`{whole[0]}` is the whole array, so `{changes[0]}` cannot change it: keep one of them"
                )
        return self


_ARRAYS = (
    *("email_list_ids", "unsubscribed_channel_ids"),
    *("unsubscribed_message_type_ids", "subscribed_message_type_ids"),
)


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

    field: Key


# members of a call, and the columns of the same names
CALL_MEMBERS = (
    *("type", "user_id", "anonymous_id", "email", "event", "name", "category", "traits", "properties", "context"),
    *("timestamp", "message_id", "previous_id", "group_id"),
)
ContextField = Literal["ip", "locale", "timezone", "userAgent", "page", "app", "device", "location"]


def _members(given: dict[str, str]) -> dict[str, str]:
    for unknown in [each for each in given if each not in CALL_MEMBERS]:
        near = did_you_mean(unknown, CALL_MEMBERS) or f"; there are {', '.join(CALL_MEMBERS)}"
        raise ValueError(f"{unknown} is no member of a call{near}")
    return given


class CallsSync(Sync):
    """Rows shaped like Segment's calls: identify, track, page, screen, alias, group, with ecommerce (section 1)."""

    modes = ("upsert",)
    is_history = True
    needs_user = False
    object: Literal["calls"]
    mode: Literal["upsert"] = "upsert"
    # name of a call's member → column, where they differ: type, user_id, email, event, name, traits, properties, …
    columns: Annotated[dict[str, str], AfterValidator(_members)] = Field(default_factory=dict)
    anonymous_id_as_user_id: bool = False
    single_event_name: bool = False
    pages: Literal["all", "named", "categorised", "none"] = "all"
    group: Group | None = None
    devices: Devices | None = None
    cart_without_products: Literal["custom_event", "error"] = "custom_event"
    context_fields: tuple[ContextField, ...] = ()
    total_fallback: Literal["revenue", "sum_of_items"] | None = None
    purchase_updates_profile: bool = False
    item_id_from_sku: bool = False
    split_categories_on: str | None = None
    allow_missing_created_at: bool = False
    segment_classic_compat: bool = False

    @property
    def roles(self) -> frozenset[str]:
        """The columns of the members."""
        return frozenset(self.columns.values())


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
    "template": TemplateSync,
    "snippet": SnippetSync,
    "metadata": MetadataSync,
    "whole_list": WholeListSync,
    "campaign": CampaignSync,
    "in_app": InAppSync,
    "catalog": CatalogSync,
    "whole_catalog": WholeCatalogSync,
}


def load_syncs(settings: Settings) -> list[Sync]:
    """Every sync of the project, by name. Raises SettingsError with all that is wrong, by file and line."""
    kinds = Kinds("object", OBJECTS)

    def together(syncs: Sequence[Sync]) -> list[str]:
        return conflicts(syncs, settings.project_type)

    return load_declared(settings, FOLDER, kinds, "A sync", "iterable-pipelines sync plan --all", together)
