"""Cells of CSV files are texts: Iterable's own types of the fields say what they are meant to be (4.3)."""

from collections.abc import Callable, Mapping

import duckdb

from iterable_pipelines.activation.catalogs import CatalogSync
from iterable_pipelines.activation.declaration import Sync, To
from iterable_pipelines.activation.objects import UserSync
from iterable_pipelines.activation.one_off.rows import RowsFile
from iterable_pipelines.activation.project import Project
from iterable_pipelines.api import Iterable
from iterable_pipelines.api.catalog_reads import read_field_types
from iterable_pipelines.quoting import quoted
from iterable_pipelines.settings import Settings

# Iterable's name of a type → the type of a mapping; a text stays one, and a date is read as a text is (V1)
_AS = {each: each for each in ("long", "double", "boolean")}
_AS |= dict.fromkeys(("object", "nested", "geo_location"), "json")


def with_types(settings: Settings, sync: Sync, columns: Mapping[str, str], log: Callable[[str], None]) -> Sync:
    """The sync with a type for each field that Iterable knows and whose column is text. Raises IterableError."""
    if not isinstance(sync, UserSync | CatalogSync):
        return sync
    client = Project.of(settings, sync).client(log)
    known = _user_fields(client) if isinstance(sync, UserSync) else _item_fields(client, sync)
    fields = {
        column: to.model_copy(update={"type": _AS[known[to.to]]}) if _is_open(to, known) and column in columns else to
        for column, to in sync.fields.items()
    }
    return sync.model_copy(update={"fields": fields})


def _is_open(to: To, known: Mapping[str, str]) -> bool:
    return to.type is None and known.get(to.to) in _AS


def _user_fields(client: Iterable) -> dict[str, str]:
    found = client.get("/api/users/getFields").get("fields", {})
    return {str(name): str(kind) for name, kind in found.items()} if isinstance(found, dict) else {}


def _item_fields(client: Iterable, sync: CatalogSync) -> dict[str, str]:
    """The types of the fields of every catalog that the rows name; a field of several types stays text."""
    names = [sync.catalog] if sync.catalog else []
    if sync.catalog_column and isinstance(sync.source, RowsFile):
        with duckdb.connect() as con:
            query = f"select distinct {quoted(sync.catalog_column)} {sync.source.sql}"
            names = [name for (name,) in con.execute(query).fetchall()]
    types: dict[str, str] = {}
    for name in names:
        for field, kind in (read_field_types(client, name) or {}).items() if name else ():
            types[field] = kind if types.get(field, kind) == kind else "string"
    return types
