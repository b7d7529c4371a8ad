"""Catalogs and their items as syncs: which catalog, which item, and what becomes of those whose rows are gone."""

import re
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from iterable_pipelines.activation.records import Identity
from iterable_pipelines.activation.things import ThingSync

# catalogs, and their items, are called so: catalogs in any case, items in one (api.md 6.4)
NAME = re.compile(r"[A-Za-z0-9-]{1,255}")
FieldType = Literal["boolean", "date", "geo_location", "long", "double", "object", "string"]


def _name(given: str) -> str:
    if not NAME.fullmatch(given):
        raise ValueError("a catalog's name has 1 to 255 letters without accents, digits and dashes")
    return given


CatalogName = Annotated[str, AfterValidator(_name)]


def item_identity(catalog: str, item_id: str) -> Identity:
    """What an item goes by: its catalog's name is one in any case, its own is not."""
    return Identity("item", f"{catalog.lower()}/{item_id}")


def item_of(identity: str | None) -> tuple[str, str]:
    """Catalog and id of the item that goes by this."""
    catalog, _, item_id = (identity or "").partition("/")
    return catalog, item_id


class CatalogSync(ThingSync):
    """Items of a catalog, or of several that a column names."""

    modes = ("insert", "update", "upsert", "mirror", "remove")
    leaves = ("keep", "delete")
    code_of_doubles = "duplicate_item_id"
    naming_columns: ClassVar[tuple[str, ...]] = ("catalog_column", "item_id")
    object: Literal["catalog"]
    catalog: CatalogName | None = None
    catalog_column: str | None = None
    item_id: str
    # whether an item becomes what is sent, and nothing else; without it fields that are not sent stay as they are
    replace: bool = False
    create_if_missing: bool = False
    # types of fields: what has none cannot be searched by collections, and one that is set stays for ever
    field_types: dict[str, FieldType] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _is_of_a_catalog(self) -> "CatalogSync":
        if (self.catalog is None) == (self.catalog_column is None):
            raise ValueError("write either `catalog`, its name, or `catalog_column`, the column with its name")
        return self

    @model_validator(mode="after")
    def _has_plain_fields(self) -> "CatalogSync":
        written = [*(to.to for to in self.fields.values()), *self.constants]
        if not written and self.mode != "remove":
            raise ValueError('`fields` says what an item holds: write `column: field` a line, or "*" for all columns')
        for name in written:
            if "." in name:
                raise ValueError(f"{name}: the fields of a catalog have no periods in their names (V6)")
        for name, kind in self.field_types.items():
            if "*" not in written and name not in written:
                raise ValueError(f"`field_types` names {name}, which is no field of this sync")
            if (kind == "geo_location") != name.endswith("_geo_location"):
                raise ValueError(f"{name}: a field is a geo_location if its name ends in _geo_location, and only then")
        return self


class WholeCatalogSync(ThingSync):
    """Catalogs themselves: each row is one. A deletion takes its items and collections with it."""

    modes = ("insert", "remove")
    leaves = ("keep", "delete")
    takes_fields = False
    code_of_doubles = "duplicate_catalog"
    naming_columns: ClassVar[tuple[str, ...]] = ("catalog_column",)
    object: Literal["whole_catalog"]
    mode: Literal["insert", "remove"] = "insert"
    catalog_column: str
