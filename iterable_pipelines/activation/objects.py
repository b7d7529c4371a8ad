"""What can be sent: one class per object, each with its modes and its own fields (outbound.md 6.1). Add one here."""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

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
from iterable_pipelines.activation.declaration import FOLDER, Given, Sync, To
from iterable_pipelines.activation.memberships import AudienceSync, Key, ListSync, SubscriptionSync, key_of
from iterable_pipelines.declared import Kinds, Section, load_declared
from iterable_pipelines.settings import Settings
from iterable_pipelines.settings_values import did_you_mean


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
