"""The dbt models that syncs read, as dbt's manifest has them: where they are built, and what their columns say."""

import glob
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError

from iterable_pipelines.activation.declaration import Sync
from iterable_pipelines.activation.source import tables_read
from iterable_pipelines.declared import Section
from iterable_pipelines.profiles.dbt import project_dir, read_manifest
from iterable_pipelines.settings import Settings, SettingsError


class ColumnMeta(Section):
    """`meta: {iterable: …}` of a column: what `fields: "*"` makes of it, where the sync itself does not name it.

    field: where it goes, dots nest. ignore: never sent. type and unordered: as in the sync's own fields.
    """

    field: str | None = None
    ignore: bool = False
    type: Literal["string", "long", "double", "boolean"] | None = None
    unordered: bool = False


@dataclass(frozen=True)
class Model:
    """A dbt model: its schema and table in the warehouse, and what its columns say of Iterable."""

    schema: str
    name: str
    columns: Mapping[str, Mapping[str, Any]]


def models(settings: Settings) -> dict[tuple[str, str], Model]:
    """Every dbt model by schema and table. Raises SettingsError for a meta that is not understood."""
    found = (_model(each) for each in read_manifest(settings)["nodes"].values() if each["resource_type"] == "model")
    return {(each.schema, each.name): each for each in found}


def column_meta(settings: Settings, sync: Sync) -> Mapping[str, Mapping[str, Any]]:
    """By column, what the dbt model says that the sync reads; nothing where it is not one model, or needs no saying."""
    if "*" not in sync.fields:
        return {}
    read = tables_read(settings, sync)
    # to look for a file is cheap, and dbt's manifest may have to be made
    if len(read) != 1 or not any((project_dir(settings) / "models").rglob(f"{glob.escape(read[0][1])}.sql")):
        return {}
    model = models(settings).get(read[0])
    return model.columns if model else {}


def _model(node: Mapping[str, Any]) -> Model:
    said = {
        name: {**column.get("meta", {}), **column.get("config", {}).get("meta", {})}.get("iterable")
        for name, column in node["columns"].items()
    }
    columns = {name: _checked(node, name, each) for name, each in said.items() if each is not None}
    return Model(node["schema"], node.get("alias") or node["name"], columns)


def _checked(node: Mapping[str, Any], column: str, given: Any) -> Mapping[str, Any]:
    try:
        return ColumnMeta.model_validate(given).model_dump(exclude_unset=True)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        file = str(node.get("patch_path") or node["name"]).rpartition("://")[2]
        place = ".".join(("meta.iterable", *map(str, first["loc"])))
        raise SettingsError(
            f"dbt model {node['name']}, column {column}, {place}: {first['msg']}. There are "
            f"{', '.join(ColumnMeta.model_fields)}. Nothing was sent.\nNext: correct it in dbt_models/{file}"
        ) from None
