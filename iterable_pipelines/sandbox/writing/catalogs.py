"""Catalogs: created, typed, filled, emptied and deleted; items show up later (api.md 6.4, outbound 4.1)."""

import re
from collections.abc import Iterator
from typing import Any

from starlette.responses import JSONResponse, Response

from iterable_pipelines.sandbox.bodies import Shape
from iterable_pipelines.sandbox.catalogs import Catalog, Value, compact
from iterable_pipelines.sandbox.errors import Refused, bad_params, catalog_not_found, refusal
from iterable_pipelines.sandbox.world import World
from iterable_pipelines.sandbox.writing.call import Call, Write, success

NAME = re.compile(r"[A-Za-z0-9-]{1,255}")
FIELD_TYPES = ("boolean", "date", "geo_location", "long", "double", "object", "string")
MOST_ITEMS, LARGEST_ITEM = 1000, 30_000
FIELD = Shape({"fieldName": "String", "fieldType": "String"}, ("fieldName", "fieldType"))


def catalog_writes(world: World) -> list[Write]:
    """Every write of catalogs/."""
    catalogs = CatalogWrites(world)
    bulk = Shape({"documents": "Object", "replaceUploadedFieldsOnly": "Boolean"}, ("documents",))
    return [
        Write("POST", "catalogs/{catalog}", None, catalogs.create),
        Write("DELETE", "catalogs/{catalog}", None, catalogs.delete),
        Write(
            "PUT",
            "catalogs/{catalog}/fieldMappings",
            Shape({"mappingsUpdates": [FIELD]}, ("mappingsUpdates",)),
            catalogs.map_fields,
        ),
        Write("POST", "catalogs/{catalog}/items", bulk, catalogs.upload),
        Write("DELETE", "catalogs/{catalog}/items", Shape({"itemIds": ["String"]}, ("itemIds",)), catalogs.remove_many),
        Write("PUT", "catalogs/{catalog}/items/{item}", Shape({"value": "Object"}, ("value",)), catalogs.replace),
        Write("PATCH", "catalogs/{catalog}/items/{item}", Shape({"update": "Object"}, ("update",)), catalogs.merge),
        Write("DELETE", "catalogs/{catalog}/items/{item}", None, catalogs.remove),
    ]


class CatalogWrites:
    """Writes catalogs of one world."""

    def __init__(self, world: World):
        self.world, self.catalogs = world, world.catalogs

    def create(self, call: Call) -> Response:
        """POST catalogs/{c}: 201; what a second one answers, nobody knows (rule existing_catalog)."""
        name = call.at["catalog"]
        if not NAME.fullmatch(name):
            raise Refused(bad_params(f"Invalid catalog name: {name}"))
        if self.catalogs.find(name) is not None:
            raise Refused(refusal(self.world.rules.existing_catalog, "BadParams", f"Catalog already exists: {name}"))
        if not call.is_lost(self.world, name):
            self.catalogs.create(name)
        return _accepted(f"Catalog {name} created", 201)

    def delete(self, call: Call) -> Response:
        """DELETE catalogs/{c}: the items go with it."""
        catalog = self._catalog(call)
        if not call.is_lost(self.world, catalog.name):
            self.catalogs.delete(catalog.name)
        return success(f"Catalog {catalog.name} deleted")

    def map_fields(self, call: Call) -> Response:
        """PUT catalogs/{c}/fieldMappings: a type that was set may not become another."""
        catalog = self._catalog(call)
        asked = {each["fieldName"]: each["fieldType"] for each in call.asked["mappingsUpdates"]}
        for name, kind in asked.items():
            if kind not in FIELD_TYPES:
                raise Refused(bad_params(f"Invalid field type: {kind}"))
            if catalog.mappings.get(name, kind) != kind:
                raise Refused(bad_params(f"Field {name} is already defined as {catalog.mappings[name]}"))
        catalog.mappings |= asked
        return success()

    def upload(self, call: Call) -> Response:
        """POST catalogs/{c}/items: at most 1,000 documents, all or none accepted, applied later."""
        catalog, documents = self._catalog(call), call.asked["documents"]
        if call.asked.get("replaceUploadedFieldsOnly") is None:
            raise Refused(bad_params("replaceUploadedFieldsOnly is required"))
        if not 1 <= len(documents) <= MOST_ITEMS:
            raise Refused(bad_params(f"documents must hold 1 to {MOST_ITEMS} items"))
        for item_id, value in documents.items():
            _check(item_id, value)
        self._later(call, catalog, documents, bool(call.asked["replaceUploadedFieldsOnly"]))
        return _accepted(f"Request to bulk-upload documents into {catalog.name} processed successfully")

    def replace(self, call: Call) -> Response:
        """PUT catalogs/{c}/items/{id}: all there is of the item from now on."""
        return self._one(call, call.asked["value"], merge=False)

    def merge(self, call: Call) -> Response:
        """PATCH catalogs/{c}/items/{id}: other fields stay."""
        return self._one(call, call.asked["update"], merge=True)

    def remove(self, call: Call) -> Response:
        """DELETE catalogs/{c}/items/{id}: accepted whether it is there or not."""
        self._later(call, self._catalog(call), {call.at["item"]: None})
        return _accepted("Received request to delete item")

    def remove_many(self, call: Call) -> Response:
        """DELETE catalogs/{c}/items: a body names them."""
        self._later(call, self._catalog(call), dict.fromkeys(call.asked["itemIds"]))
        return _accepted("Bulk delete catalog items request received")

    def _one(self, call: Call, value: Value, merge: bool) -> Response:
        catalog, item_id = self._catalog(call), call.at["item"]
        _check(item_id, value)
        self._later(call, catalog, {item_id: value}, merge)
        return _accepted("Catalog item update request received")

    def _later(self, call: Call, catalog: Catalog, values: dict[str, Value | None], merge: bool = False) -> None:
        kept = {each: value for each, value in values.items() if not call.is_lost(self.world, each)}

        def happen() -> None:
            for item_id, value in kept.items():
                self.catalogs.write(catalog.name, item_id, value, merge)

        self.world.submit("bulk", happen)

    def _catalog(self, call: Call) -> Catalog:
        catalog = self.catalogs.find(call.at["catalog"])
        if catalog is None:
            raise Refused(catalog_not_found(call.at["catalog"]))
        return catalog


def _check(item_id: str, value: Any) -> None:
    """Raise Refused for an item that Iterable does not take."""
    if not NAME.fullmatch(item_id):
        raise Refused(bad_params(f"Invalid item ID: {item_id}"))
    if not isinstance(value, dict):
        raise Refused(bad_params(f"Item {item_id} is not an object"))
    dotted = next((name for name in _names(value) if "." in name), None)
    if dotted is not None:
        raise Refused(bad_params(f"Item {item_id}: field names must not contain periods: {dotted}"))
    if len(compact(value)) > LARGEST_ITEM:
        raise Refused(bad_params(f"Item {item_id} is larger than 30 kB"))


def _names(value: Any) -> Iterator[str]:
    """The names of all fields, nested ones too."""
    if isinstance(value, dict):
        yield from value
        for each in value.values():
            yield from _names(each)
    elif isinstance(value, list):
        for each in value:
            yield from _names(each)


def _accepted(message: str, status: int = 202) -> Response:
    return JSONResponse({"msg": message, "code": "Success", "params": None}, status)
