"""Reads of what a project keeps beside people and campaigns: catalogs, snippets, metadata (api.md 5.8, 5.9)."""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from iterable_pipelines.sandbox.errors import bad_params, catalog_not_found, not_found
from iterable_pipelines.sandbox.shifts import Rows
from iterable_pipelines.sandbox.world import World

TABLE_PAGE = 20


def items_of(world: World, catalog: str) -> list[dict[str, Any]]:
    """Every item of a catalog, as it is now."""
    return list(world.shifts.shown(catalog, world.catalogs.find(catalog) or []))


def shelf_routes(world: World) -> list[Route]:
    """The routes of catalogs, snippets and metadata."""

    def wrapped(params: dict[str, Any]) -> Response:
        """Catalog reads come in an envelope, unlike every other read, but for some versions (api.md 5.8)."""
        return JSONResponse({"msg": "", "code": "Success", "params": params} if world.rules.wrapped else params)

    def paged(request: Request, rows: Rows, key: str, total: str) -> Response:
        """One page of a catalog read, wrapped; the next page's URL is relative."""
        page, size = int(request.query_params.get("page", 1)), int(request.query_params.get("pageSize", 10))
        if page < 1 or not 1 <= size <= 1000:
            return bad_params("page must be at least 1 and pageSize between 1 and 1000")
        params: dict[str, Any] = {key: rows[(page - 1) * size : page * size], total: len(rows)}
        if page * size < len(rows):
            params["nextPageUrl"] = f"{request.url.path}?page={page + 1}&pageSize={size}"
        return wrapped(params)

    def catalogs(request: Request) -> Response:
        rows = [{"name": name} for name in world.catalogs.names()]
        return paged(request, rows, "catalogNames", "totalCatalogsCount")

    def items(request: Request) -> Response:
        name = request.path_params["catalog"].lower()  # catalog names ignore case, item ids do not
        catalog = world.catalogs.find(name)
        if catalog is None:
            return catalog_not_found(name)
        rows = world.shifts.strike(request, name, catalog)
        return paged(request, rows, "catalogItemsWithProperties", "totalItemsCount")

    def one_item(request: Request) -> Response:
        name, asked = request.path_params["catalog"].lower(), request.path_params["item"]
        catalog = world.catalogs.find(name)
        if catalog is None:
            return catalog_not_found(name)
        rows = world.shifts.shown(name, catalog)
        found = catalog.find(asked) if rows is catalog else next((row for row in rows if row["itemId"] == asked), None)
        return JSONResponse(found) if found else not_found(f"Item not found: {asked}")

    def mappings(request: Request) -> Response:
        name = request.path_params["catalog"].lower()
        catalog = world.catalogs.find(name)
        if catalog is None:
            return catalog_not_found(name)
        undefined = [field for field in catalog.fields if field not in catalog.mappings]
        return wrapped({"definedMappings": catalog.mappings, "undefinedFields": undefined})

    def snippets(request: Request) -> Response:
        return JSONResponse({"snippets": world.snippets.all()})

    def one_snippet(request: Request) -> Response:
        asked = request.path_params["identifier"]
        found = world.snippets.find(asked)
        return JSONResponse({"snippet": found}) if found else not_found(f"Snippet not found: {asked}")

    def tables(request: Request) -> Response:
        return JSONResponse({"results": [{"name": name} for name in world.tables.names()]})

    def table(request: Request) -> Response:
        name, marker = request.path_params["table"], request.query_params.get("nextMarker", "")
        rows = world.tables.rows(name)
        if not rows:
            return not_found(f"Metadata table not found: {name}")
        rows = [{key: each[key] for key in each if key != "value"} for each in rows if each["key"] > marker]
        more = {"nextMarker": rows[TABLE_PAGE - 1]["key"]} if len(rows) > TABLE_PAGE else {}
        return JSONResponse({"results": rows[:TABLE_PAGE]} | more)

    def value(request: Request) -> Response:
        name, key = request.path_params["table"], request.path_params["key"]
        found = world.tables.find(name, key)
        return JSONResponse(found) if found else not_found(f"Metadata not found: {name}/{key}")

    def settled(read: Callable[[Request], Response]) -> Callable[[Request], Response]:
        return lambda request: world.settled(lambda: read(request))

    reads = {
        "catalogs": catalogs,
        "catalogs/{catalog}/items": items,
        "catalogs/{catalog}/items/{item}": one_item,
        "catalogs/{catalog}/fieldMappings": mappings,
        "snippets": snippets,
        "snippets/{identifier}": one_snippet,
        "metadata": tables,
        "metadata/{table}": table,
        "metadata/{table}/{key}": value,
    }
    return [Route(f"/api/{path}", settled(read)) for path, read in reads.items()]
