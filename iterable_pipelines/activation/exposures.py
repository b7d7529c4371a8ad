"""dbt exposures of the syncs, so that dbt's own lineage shows what goes back to Iterable: generated, never read."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from iterable_pipelines.activation.declaration import Sync
from iterable_pipelines.profiles.dbt import project_dir
from iterable_pipelines.settings import Settings

_HEAD = "# written by: iterable-pipelines sync exposures\n"


def exposures_path(settings: Settings) -> Path:
    """Where dbt finds them."""
    return project_dir(settings) / "models" / "exposures.yml"


def exposures(
    syncs: Sequence[Sync], reads: Mapping[str, Collection[tuple[str, str]]], known: Collection[tuple[str, str]]
) -> str:
    """The file's text, the same for the same syncs. `reads`, of each sync, and `known` models: schema and table."""
    listed = [_exposure(sync, sorted(each[1] for each in reads[sync.name] if each in known)) for sync in syncs]
    listed.sort(key=lambda each: each["name"])
    return _HEAD + yaml.safe_dump({"exposures": listed}, sort_keys=False, allow_unicode=True, width=120)


def _exposure(sync: Sync, models: Sequence[str]) -> dict[str, Any]:
    return {
        "name": f"sync_{sync.name}",
        "label": sync.name,
        "type": "application",
        "description": sync.description or f"Sent to Iterable as {sync.object}, as syncs/{sync.name}.yml says.",
        "owner": {"name": "data"},
        "depends_on": [f"ref('{each}')" for each in models],
        "config": {"meta": {"object": sync.object, "mode": sync.mode, "enabled": sync.enabled}},
    }
