"""What a project keeps beside people and campaigns: catalogs, snippets, metadata tables (api.md 5.8, 5.9)."""

from functools import lru_cache
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from iterable_pipelines.sandbox.chance import dice
from iterable_pipelines.sandbox.errors import bad_params, catalog_not_found, not_found
from iterable_pipelines.sandbox.people import EPOCH
from iterable_pipelines.sandbox.world import World

CATALOGS = {"products": 2_400, "stores": 3, "empty": 0}
TABLES = {"Test": 3, "prices": 30}
TABLE_PAGE = 20
SNIPPETS = 3


@lru_cache(maxsize=10_000)
def item(seed: int, catalog: str, nth: int) -> dict[str, Any]:
    """One item of a catalog; lastModified in epoch milliseconds, as clients have seen it."""
    chance = dice(seed, "catalog", catalog, nth)
    value = {
        "name": f"Thing {nth}",
        "price": round(chance.random() * 90, 2),
        "tags": ["a", "ü"],
        "sizes": {"s": 1},
        "stock": None,
    }
    return {
        "catalogName": catalog,
        # Item-3 is another item than item-3
        "itemId": f"item-{nth}" if nth != 7 else "Item-3",
        "lastModified": (EPOCH + nth) * 1000,
        "size": 96 + nth,
        "value": value,
    }


def items_of(world: World, catalog: str) -> list[dict[str, Any]]:
    """Every item of a catalog, as it is now."""
    return world.shifts.shown(catalog, [item(world.seed, catalog, nth) for nth in range(CATALOGS[catalog])])


def metadata_of(table: str) -> list[dict[str, Any]]:
    """Every key of a metadata table, in order, without the values; names of tables ignore case, keys do not."""
    name = next((each for each in TABLES if each.lower() == table.lower()), "")
    keys = [f"key-{nth:04d}" if nth != 2 else "Key-0001" for nth in range(TABLES.get(name, 0))]
    return [
        {"table": name, "key": key, "size": 17, "lastModified": (EPOCH + nth) * 1000}
        for nth, key in enumerate(sorted(keys))
    ]


def value_of(row: dict[str, Any]) -> dict[str, Any]:
    """A row of a metadata table with its value."""
    return row | {"value": {"of": row["key"], "größe": [row["size"], None]}}


def snippet(nth: int) -> dict[str, Any]:
    """A snippet; its times are ISO 8601."""
    when = "2025-01-01T00:00:00.000Z"
    return {
        "id": 700 + nth,
        "name": f"footer-{nth}",
        "description": "",
        "content": "<p>{{unsubscribeUrl}} größe</p>",
        "variables": ["unsubscribeUrl"],
        "projectId": 9079,
        "createdAt": when,
        "createdBy": "marketing@example.com",
        "updatedAt": when,
        "updatedBy": "marketing@example.com",
    }


def wrapped(params: dict[str, Any]) -> Response:
    """Catalog reads come in an envelope, unlike every other read."""
    return JSONResponse({"msg": "", "code": "Success", "params": params})


def paged(request: Request, rows: list[Any], key: str, total: str) -> Response:
    """One page of a catalog read, wrapped; the next page's URL is relative."""
    page, size = int(request.query_params.get("page", 1)), int(request.query_params.get("pageSize", 10))
    if page < 1 or not 1 <= size <= 1000:
        return bad_params("page must be at least 1 and pageSize between 1 and 1000")
    params: dict[str, Any] = {key: rows[(page - 1) * size : page * size], total: len(rows)}
    if page * size < len(rows):
        params["nextPageUrl"] = f"{request.url.path}?page={page + 1}&pageSize={size}"
    return wrapped(params)


def shelf_routes(world: World) -> list[Route]:
    """The routes of catalogs, snippets and metadata."""

    def catalogs(request: Request) -> Response:
        return paged(request, [{"name": name} for name in CATALOGS], "catalogNames", "totalCatalogsCount")

    def items(request: Request) -> Response:
        name = request.path_params["catalog"].lower()  # catalog names ignore case, item ids do not
        if name not in CATALOGS:
            return catalog_not_found(name)
        rows = world.shifts.strike(request, name, items_of(world, name))
        return paged(request, rows, "catalogItemsWithProperties", "totalItemsCount")

    def one_item(request: Request) -> Response:
        name, asked = request.path_params["catalog"].lower(), request.path_params["item"]
        if name not in CATALOGS:
            return catalog_not_found(name)
        found = [each for each in items_of(world, name) if each["itemId"] == asked]
        return JSONResponse(found[0]) if found else not_found(f"Item not found: {asked}")

    def mappings(request: Request) -> Response:
        name = request.path_params["catalog"].lower()
        if name not in CATALOGS:
            return catalog_not_found(name)
        return wrapped(
            {"definedMappings": {"price": "double", "name": "string"}, "undefinedFields": ["tags", "sizes", "stock"]}
        )

    def snippets(request: Request) -> Response:
        return JSONResponse({"snippets": [snippet(nth) for nth in range(SNIPPETS)]})

    def one_snippet(request: Request) -> Response:
        asked = request.path_params["identifier"]
        found = [each for each in map(snippet, range(SNIPPETS)) if asked in (str(each["id"]), each["name"])]
        return JSONResponse({"snippet": found[0]}) if found else not_found(f"Snippet not found: {asked}")

    def tables(request: Request) -> Response:
        return JSONResponse({"results": [{"name": name} for name in TABLES]})

    def table(request: Request) -> Response:
        name, marker = request.path_params["table"], request.query_params.get("nextMarker", "")
        rows = metadata_of(name)
        if not rows:
            return not_found(f"Metadata table not found: {name}")
        rows = [each for each in rows if each["key"] > marker]
        more = {"nextMarker": rows[TABLE_PAGE - 1]["key"]} if len(rows) > TABLE_PAGE else {}
        return JSONResponse({"results": rows[:TABLE_PAGE]} | more)

    def value(request: Request) -> Response:
        name, key = request.path_params["table"], request.path_params["key"]
        found = [each for each in metadata_of(name) if each["key"] == key]
        return JSONResponse(value_of(found[0])) if found else not_found(f"Metadata not found: {name}/{key}")

    return [
        Route("/api/catalogs", catalogs),
        Route("/api/catalogs/{catalog}/items", items),
        Route("/api/catalogs/{catalog}/items/{item}", one_item),
        Route("/api/catalogs/{catalog}/fieldMappings", mappings),
        Route("/api/snippets", snippets),
        Route("/api/snippets/{identifier}", one_snippet),
        Route("/api/metadata", tables),
        Route("/api/metadata/{table}", table),
        Route("/api/metadata/{table}/{key}", value),
    ]
