"""The dbt models that syncs read, as dbt's manifest has them: where they are built, and what their columns say."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from iterable_pipelines.declared import Section
from iterable_pipelines.profiles.dbt import manifest_path
from iterable_pipelines.settings import Settings, SettingsError


class ColumnMeta(Section):
    """`meta: {iterable: …}` of a column: what `fields: "*"` makes of it, where the sync itself does not name it."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    # the field of Iterable that it goes to, dots nest
    field: str | None = None
    # never sent by "*"
    ignore: bool = False
    # what the value is cast to before it is sent, a type of SQL
    type: str | None = None
    # an array in which the order does not count as a change (S4)
    unordered: bool = False


@dataclass(frozen=True)
class Model:
    """A model: its schema and table in the warehouse, and the meta of those of its columns that have one."""

    schema: str
    name: str
    columns: Mapping[str, ColumnMeta] = field(default_factory=dict)


def models(settings: Settings) -> dict[str, Model]:
    """Every dbt model by name. Raises SettingsError for a meta that is not understood, by model and column."""
    manifest = json.loads(manifest_path(settings).read_bytes())
    found = [each for each in manifest["nodes"].values() if each["resource_type"] == "model"]
    return {each["name"]: Model(each["schema"], each["name"], _metas(each)) for each in found}


def _metas(model: Mapping[str, Any]) -> dict[str, ColumnMeta]:
    metas, adapter = {}, TypeAdapter(ColumnMeta)
    for name, column in model["columns"].items():
        given = {**column.get("meta", {}), **column.get("config", {}).get("meta", {})}.get("iterable")
        if given is None:
            continue
        try:
            metas[name] = adapter.validate_python(given)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            raise SettingsError(
                f"dbt model {model['name']}, column {name}, meta.iterable.{'.'.join(map(str, first['loc']))}: "
                f"{first['msg']}; there are {', '.join(ColumnMeta.model_fields)}. Nothing was sent.\n"
                f"Next: correct it in dbt_models/{model.get('patch_path', '').partition('://')[2]}"
            ) from None
    return metas
