"""Syncs of who belongs to what: audiences, list members, subscriptions, all of which heed consent (section 3)."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from iterable_pipelines.activation.declaration import Columns, Given, Sync
from iterable_pipelines.activation.managed_fields import managed
from iterable_pipelines.declared import Section


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
