"""The catalogs that items go to: made if the sync says so, and the types of their fields set, before any item goes.

A field that items have had without a type cannot be searched by collections even once it gets one, and a type that is
set stays for ever (api.md 6.4).
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import quote

from iterable_pipelines.activation.catalogs import CatalogSync
from iterable_pipelines.activation.declaration import Sync
from iterable_pipelines.activation.errors import ActivationFailed, ActivationRefused
from iterable_pipelines.activation.state import Workspace
from iterable_pipelines.api import Answer, Broken, Iterable
from iterable_pipelines.api.catalog_reads import read_field_types


@dataclass(frozen=True)
class Setup:
    """What a catalog lacks: itself, and types of fields."""

    catalog: str
    is_missing: bool
    types: dict[str, str]

    def __str__(self) -> str:
        typed = ", ".join(f"{name} {kind}" for name, kind in self.types.items())
        made = [f"the catalog {self.catalog} is made first"] if self.is_missing else []
        return "; ".join([*made, *([f"types are set in {self.catalog} for ever: {typed}"] if typed else [])])


def catalog_setups(workspace: Workspace, sync: Sync, client: Iterable) -> list[Setup]:
    """What the catalogs of `scratch.changes` lack. One request each.

    Raises ActivationRefused for one that is not there and not to be made, or whose fields have other types;
    IterableError.
    """
    return [each for each in _setups(workspace, sync, client) if each.is_missing or each.types]


def set_up_catalogs(workspace: Workspace, sync: Sync, client: Iterable, log: Callable[[str], None]) -> None:
    """Make what is missing. Raises as `catalog_setups`, and ActivationFailed where Iterable does not make it."""
    for setup in catalog_setups(workspace, sync, client):
        log(f"{sync.name}: {setup}")
        path = f"/api/catalogs/{quote(setup.catalog, safe='')}"
        if setup.is_missing:
            answer = _write(sync, client, "POST", path)
            # somebody else may have made it meanwhile
            if answer.status >= 300 and read_field_types(client, setup.catalog) is None:
                raise _failed(sync, f"Iterable did not make the catalog {setup.catalog}", answer)
        if setup.types:
            updates = [{"fieldName": name, "fieldType": kind} for name, kind in setup.types.items()]
            body = json.dumps({"mappingsUpdates": updates}).encode()
            answer = _write(sync, client, "PUT", f"{path}/fieldMappings", body)
            if answer.status >= 300:
                raise _failed(sync, f"Iterable did not set the types of the catalog {setup.catalog}", answer)


def _setups(workspace: Workspace, sync: Sync, client: Iterable) -> Iterator[Setup]:
    if not isinstance(sync, CatalogSync):
        return
    catalogs = workspace.con.execute(
        # a name is one in any case
        "select min(flags->>'$.catalog') as catalog from scratch.changes where op <> 'remove' "
        "group by lower(flags->>'$.catalog') order by all"
    ).fetchall()
    for (catalog,) in catalogs:
        there = read_field_types(client, catalog)
        if there is None and not sync.create_if_missing:
            raise ActivationRefused(
                f"catalog_not_found: Iterable has no catalog called {catalog}. Nothing was sent.\n"
                f"Next: write its exact name into syncs/{sync.name}.yml, or create_if_missing: true"
            )
        known = there or {}
        for name, kind in sync.field_types.items():
            if known.get(name, kind) != kind:
                raise ActivationRefused(
                    f"field_type_conflict: the field {name} of the catalog {catalog} is of type {known[name]} for "
                    f"ever, and syncs/{sync.name}.yml says {kind}. Nothing was sent.\n"
                    f"Next: write {name}: {known[name]} under field_types, or give the field another name"
                )
        yield Setup(
            catalog, there is None, {name: kind for name, kind in sync.field_types.items() if name not in known}
        )


def _write(sync: Sync, client: Iterable, method: str, path: str, body: bytes = b"") -> Answer:
    try:
        return client.write(method, path, body)
    except Broken as error:
        # done twice it is the same: the next run looks what is there
        raise ActivationFailed(
            f"{sync.name}: {method} {path} was not answered: {error}. No item was sent, and the state is safe.\n"
            f"Next: iterable-pipelines sync run {sync.name}"
        ) from error


def _failed(sync: Sync, what: str, answer: Answer) -> ActivationFailed:
    code = (answer.json() or {}).get("code", "")
    return ActivationFailed(
        f"{sync.name}: {what}: {answer.status} {code}. No item was sent, and the state is safe.\n"
        f"Next: make it in Iterable, or iterable-pipelines sync run {sync.name} if it was busy"
    )
