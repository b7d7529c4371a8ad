"""Syncs of content: templates, snippets, metadata, whole lists, campaigns, in-app messages (outbound.md 4.1)."""

from collections.abc import Collection
from typing import ClassVar, Literal, get_args

from pydantic import ValidationInfo, model_validator

from iterable_pipelines.activation.declaration import Given, Sync
from iterable_pipelines.activation.template_members import MEMBERS, READ_ONLY, Medium, members_of
from iterable_pipelines.activation.things import ThingSync
from iterable_pipelines.settings_values import did_you_mean

SNIPPET_MEMBERS = ("content", "description", "variables", "createdByUserId")


class _KnownFields(ThingSync):
    """A thing whose fields are members that Iterable knows: others are refused, by name and with the nearest."""

    @classmethod
    def _may_be_written(cls, name: str, info: ValidationInfo) -> None:
        _refuse_unknown(name, cls._known(), info.data.get("object", "thing"))

    @classmethod
    def _known(cls) -> Collection[str]:
        raise NotImplementedError


class TemplateSync(_KnownFields):
    """Templates. Only what is mapped is sent, and Iterable keeps the rest of a template that it has."""

    modes = ("insert", "update", "upsert")
    code_of_doubles = "duplicate_template"
    naming_columns = ("medium_column", "client_template_id", "template_id")
    object: Literal["template"]
    medium: Medium | None = None
    medium_column: str | None = None
    client_template_id: str | None = None
    template_id: str | None = None
    # Iterable writes every template that shares the clientTemplateId (api.md 6.5)
    update_all: bool = False

    @classmethod
    def _known(cls) -> Collection[str]:
        return members_of(get_args(Medium))

    @property
    def members(self) -> Collection[str]:
        """What may be written into its templates."""
        return members_of([self.medium] if self.medium else get_args(Medium))

    @property
    def is_looked_up(self) -> bool:
        """In every mode: of a clientTemplateId that several share, all would be written."""
        return not self.update_all or super().is_looked_up

    @model_validator(mode="after")
    def _names_its_templates(self) -> "TemplateSync":
        if (self.medium is None) == (self.medium_column is None):
            raise ValueError(
                f"write either `medium`, one of {', '.join(MEMBERS)}, or `medium_column`, the column that says it"
            )
        if self.client_template_id is None and (self.mode != "update" or self.template_id is None):
            raise ValueError(
                "`client_template_id` names the column with your own id of a template; mode update takes `template_id` "
                "too, the column with Iterable's"
            )
        if self.template_id is not None and self.mode != "update":
            raise ValueError("`template_id` is for mode update: Iterable chooses the id of a new template itself")
        for name in [*(to.to for to in self.fields.values()), *self.constants]:
            _refuse_unknown(name, self.members, f"{self.medium} template")
        return self


class SnippetSync(_KnownFields):
    """Snippets, each of which goes by its name, which can never be changed."""

    modes = ("insert", "update", "upsert", "mirror", "remove")
    leaves = ("keep", "delete")
    code_of_doubles = "duplicate_snippet_name"
    naming_columns = ("snippet",)
    object: Literal["snippet"]
    # the column with its name
    snippet: str

    @classmethod
    def _known(cls) -> Collection[str]:
        return SNIPPET_MEMBERS

    @model_validator(mode="after")
    def _has_content(self) -> "SnippetSync":
        written = {to.to for to in self.fields.values()} | set(self.constants)
        if self.mode != "remove" and not written & {"content", "*"}:
            raise ValueError("`fields` must map a column to content: Iterable takes no snippet without")
        return self


class MetadataSync(ThingSync):
    """Keys of metadata tables, each with a JSON object: a column `value`, or the columns in `fields`."""

    modes = ("upsert", "mirror", "remove")
    leaves = ("keep", "delete")
    code_of_doubles = "duplicate_metadata_key"
    naming_columns = ("table_column", "key", "value")
    object: Literal["metadata"]
    table: str | None = None
    table_column: str | None = None
    key: str
    value: str | None = None

    @model_validator(mode="after")
    def _names_its_keys(self) -> "MetadataSync":
        if (self.table is None) == (self.table_column is None):
            raise ValueError("write either `table`, a metadata table's name, or `table_column`, the column with it")
        has_fields = bool(self.fields or self.constants)
        if self.mode != "remove" and (self.value is None) != has_fields:
            raise ValueError("write either `value`, the column with the whole JSON object, or `fields`")
        return self


class _WithoutFields(ThingSync):
    takes_fields = False

    @classmethod
    def _may_be_written(cls, name: str, info: ValidationInfo) -> None:
        named = ", ".join(cls.naming_columns)
        raise ValueError(f"a {info.data.get('object')} has no fields of your own: its columns are named by {named}")


class WholeListSync(_WithoutFields):
    """Whole static lists: `insert` makes them by name, `remove` deletes them by id. Members are `object: list`."""

    modes = ("insert", "remove")
    leaves = ("keep", "delete")
    naming_columns = ("list_name", "list_description", "list_id")
    code_of_doubles = "duplicate_list_name"
    object: Literal["whole_list"]
    list_name: str | None = None
    list_description: str | None = None
    list_id: str | None = None
    # Iterable would make a second list of the name
    allow_duplicate_name: bool = False

    @property
    def is_looked_up(self) -> bool:
        """A name that is there already would be there twice."""
        return self.mode == "insert" and not self.allow_duplicate_name

    @model_validator(mode="after")
    def _names_its_lists(self) -> "WholeListSync":
        if self.mode == "insert" and (self.list_name is None or self.list_id is not None):
            raise ValueError("mode insert needs `list_name`, the column with the name; Iterable chooses the id itself")
        if self.mode == "remove" and (self.list_id is None or self.list_name is not None):
            raise ValueError("mode remove needs `list_id`, the column with Iterable's id: names may be shared")
        if self.mode == "remove" and self.on_leave != "keep":
            raise ValueError("`on_leave: delete` needs `mode: insert`: it deletes the lists that this sync has made")
        return self


class CampaignSync(_WithoutFields):
    """Campaigns, made once for each primary key. Without `schedule_send` and `send_at` nothing is sent to anybody."""

    modes = ("insert",)
    # two campaigns of one name are two campaigns
    code_of_doubles = ""
    naming_columns = (
        *("campaign_name", "template_id", "list_ids", "suppression_list_ids", "send_at", "send_mode"),
        *("start_time_zone", "default_time_zone", "data_fields", "campaign_data_fields", "schedule_send"),
    )
    object: Literal["campaign"]
    mode: Literal["insert"] = "insert"
    campaign_name: Given
    template_id: Given
    # a blast to these; without any the campaign is a triggered one
    list_ids: Given | None = None
    suppression_list_ids: Given | None = None
    # Iterable's own default is true, which sends a blast at once (api.md 6.5)
    schedule_send: bool | str = False
    send_at: Given | None = None
    send_mode: Given | None = None
    start_time_zone: Given | None = None
    default_time_zone: Given | None = None
    data_fields: Given | None = None
    campaign_data_fields: Given | None = None

    @property
    def is_looked_up(self) -> bool:
        """Any number of campaigns may have one name."""
        return False


class InAppSync(Sync):
    """In-app messages: one to one user for each primary key, by a campaign that is triggered through the API."""

    modes = ("insert",)
    takes_fields = True
    naming_columns: ClassVar[tuple[str, ...]] = ("campaign_id", "send_at")
    object: Literal["in_app"]
    mode: Literal["insert"] = "insert"
    campaign_id: Given
    send_at: Given | None = None
    # Iterable's own default is true (4.1)
    allow_repeat_marketing_sends: bool = False


def _refuse_unknown(name: str, known: Collection[str], what: str) -> None:
    first = name.partition(".")[0]
    if first == "*" or first in known:
        return
    if first in READ_ONLY:
        raise ValueError(f"{first} cannot be written as a field: Iterable shows it, or the file names it elsewhere")
    near = did_you_mean(first, known) or f"; there are {', '.join(known)}"
    raise ValueError(f"a {what} has no {first}{near}")
