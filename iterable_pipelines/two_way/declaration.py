"""`two_way/*.yml`: one file, one table and what it is kept alike with, one asset. What is wrong is refused by line."""

import re
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from iterable_pipelines.activation.catalogs import CatalogName
from iterable_pipelines.declared import Kinds, Scheduled, Section, load_declared
from iterable_pipelines.settings import Settings
from iterable_pipelines.settings_values import did_you_mean
from iterable_pipelines.two_way.template_members import MEMBERS, Medium

FOLDER = "two_way"
# tables of these are written by others: an edit of theirs would undo every other one
_TAKEN = ("landing", "streams", "objects", "profiles", "marts", "audiences", "activation", "two_way", "erasure")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

Rule = Literal["warehouse", "iterable", "newest", "manual"]
Approval = Literal["changes", "deletes", "empty_side"]
TemplateType = Literal["Base", "Blast", "Triggered", "Workflow"]


def _table(text: str) -> str:
    schema, _, table = text.partition(".")
    if not (_NAME.fullmatch(schema) and _NAME.fullmatch(table)):
        raise ValueError("write schema.table, such as shop.products, of letters, digits and _")
    if schema.lower() in _TAKEN:
        raise ValueError(f"the schema {schema} is written by other parts of this project: take one of your own")
    return text


def _fields(given: Any) -> Any:
    return {"*": "*"} if given == "*" else given


class Guards(Section):
    """What stops a run before anything is changed, unless it is approved."""

    max_changed_ratio: float = Field(0.5, ge=0, le=1)
    max_deleted_ratio: float = Field(0.2, ge=0, le=1)
    # so few pass, whatever the ratio
    at_least: int = Field(10, ge=0)


class TwoWay(Scheduled):
    """One table of the warehouse, and what it is kept alike with."""

    # the name of the kind in figures and texts
    things: ClassVar[str]

    object: str
    table: Annotated[str, AfterValidator(_table)]
    # column: member; "*" for all, under their own names
    fields: Annotated[dict[str, str], BeforeValidator(_fields)] = Field({"*": "*"}, min_length=1)
    key: str
    modified_at: str | None = None
    conflict: Rule = "warehouse"
    guards: Guards = Guards()
    # how long Iterable may still show what was there before a write of ours (Y5)
    settle_seconds: float = Field(ge=0)
    enabled: bool = True

    @model_validator(mode="after")
    def _fit_together(self) -> "TwoWay":
        if self.conflict == "newest" and not self.modified_at:
            raise ValueError("conflict: newest needs `modified_at`, the column that says when a row was changed (Y3)")
        if "*" in self.fields and self.fields != {"*": "*"}:
            raise ValueError('`fields` is either "*" or a list of `column: member`')
        taken = [*self.own_columns, *(each for each in self.fields if each != "*")]
        if len({each.lower() for each in taken}) < len(taken):
            raise ValueError("`key`, `modified_at` and the columns of `fields` are different columns each")
        members = list(self.fields.values())
        if len(set(members)) < len(members):
            raise ValueError("`fields` names a member twice")
        for each in members:
            self.check_member(each)
        return self

    @property
    def is_everything(self) -> bool:
        """Whether all columns are members, under their own names."""
        return "*" in self.fields

    @property
    def own_columns(self) -> list[str]:
        """Columns that are no members: the key, and what else we keep there."""
        return [self.key, *([self.modified_at] if self.modified_at else [])]

    @property
    def deletes(self) -> bool:
        """Whether what is deleted on one side is deleted on the other (Y4)."""
        return False

    @property
    def schema_and_table(self) -> tuple[str, str]:
        """The two parts of `table`."""
        schema, _, table = self.table.partition(".")
        return schema, table

    def check_member(self, name: str) -> None:
        """Raise ValueError for a name that Iterable does not take."""
        raise NotImplementedError


class CatalogTwoWay(TwoWay):
    """Items of one catalog."""

    things = "items"

    object: Literal["catalog"]
    catalog: CatalogName
    key: str = "item_id"
    propagate_deletes: bool = False
    settle_seconds: float = Field(1200.0, ge=0)

    @property
    def deletes(self) -> bool:
        return self.propagate_deletes

    def check_member(self, name: str) -> None:
        if "." in name:
            raise ValueError(f"{name}: names of a catalog's fields hold no periods (outbound 4.1)")

    def place(self, root: Path) -> tuple[str, ...]:
        """Names of catalogs ignore case."""
        return ("catalog", self.catalog.lower())


class TemplateTwoWay(TwoWay):
    """Templates of one medium. They are never deleted in Iterable (Y4)."""

    things = "templates"

    object: Literal["template"]
    medium: Medium
    # those of campaigns are copies, which nobody edits any more once they are sent
    types: Annotated[tuple[TemplateType, ...], Field(min_length=1)] = ("Base",)
    key: str = "client_template_id"
    id_column: str = "template_id"
    settle_seconds: float = Field(60.0, ge=0)

    @property
    def own_columns(self) -> list[str]:
        return [*super().own_columns, self.id_column]

    def check_member(self, name: str) -> None:
        if name == "clientTemplateId":
            raise ValueError("clientTemplateId stands in the column that `key` names")
        known = [each for each in MEMBERS[self.medium] if each != "clientTemplateId"]
        if name not in known and name != "*":
            near = did_you_mean(name, known) or f"; there are {', '.join(known)}"
            raise ValueError(f"{name}: {self.medium} templates have no such member that can be written{near}")

    def place(self, root: Path) -> tuple[str, ...]:
        return ("template", self.medium, *sorted(self.types))


_KINDS: Kinds[TwoWay] = Kinds("object", {"catalog": CatalogTwoWay, "template": TemplateTwoWay})


def _tables_twice(found: Any) -> list[str]:
    tables = [each.table.lower() for each in found]
    return [f"two_way: {each} is the table of two files" for each in sorted({t for t in tables if tables.count(t) > 1})]


def load_two_way(settings: Settings) -> list[TwoWay]:
    """Every two-way synchronization of the project, by name. Raises SettingsError with all that is wrong, by line."""
    return load_declared(
        settings, FOLDER, _KINDS, "A two-way synchronization", "iterable-pipelines two-way list", _tables_twice
    )
