"""Read endpoints for campaigns, templates, channels, message types, journeys and lists (api.md 5.1 to 5.6)."""

from collections.abc import Iterable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from iterable_pipelines.sandbox.errors import bad_params, invalid_list, not_found
from iterable_pipelines.sandbox.shifts import Rows
from iterable_pipelines.sandbox.world import World


def page_of(world: World, request: Request, rows: Rows, key: str, default: int, largest: int, total: str) -> Response:
    """One page of `rows`, with links to its neighbours (api.md 1.7). 400 for a page or size out of range."""
    query = request.query_params
    try:
        page, size = int(query.get("page", 1)), int(query.get("pageSize", default))
    except ValueError:
        return bad_params("page and pageSize must be numbers")
    if page < 1 or not 1 <= size <= largest:
        return bad_params(f"page must be at least 1 and pageSize between 1 and {largest}")
    filters = [each for each in query.multi_items() if each[0] not in ("page", "pageSize", "sort")]
    rows = world.shifts.strike(request, f"{key} {dict(filters)}" if filters else key, rows)
    answer: dict[str, Any] = {key: rows[(page - 1) * size : page * size], total: len(rows)}
    if page * size < len(rows):
        answer["nextPageUrl"] = str(request.url.include_query_params(page=page + 1, pageSize=size))
    if page > 1:
        answer["previousPageUrl"] = str(request.url.include_query_params(page=page - 1, pageSize=size))
    return JSONResponse(answer)


def ordered(rows: Iterable[dict[str, Any]], sort: str, default: str) -> list[dict[str, Any]]:
    """Rows in the order of `sort`, a field name with an optional minus; unknown fields leave the default."""
    backwards, field = sort.startswith("-"), sort.lstrip("+- ") or default
    found = list(rows)
    known = field if found and any(field in each for each in found) else default
    return sorted(found, key=lambda each: (str(type(each.get(known))), each.get(known) or 0), reverse=backwards)


def lookup_routes(world: World) -> list[Route]:
    """The routes that serve the world's objects."""
    objects = world.objects

    def moment() -> int:
        world.settle()
        return int(world.now().timestamp())

    def campaigns(request: Request) -> Response:
        states = request.query_params.getlist("campaignState")
        rows = [each.as_json() for each in objects.campaigns(moment()) if not states or each.state in states]
        ranked = ordered(rows, request.query_params.get("sort", ""), "id")
        return page_of(world, request, ranked, "campaigns", 20, 1000, "totalCampaignsCount")

    def campaign(request: Request) -> Response:
        for each in objects.campaigns(moment()):
            if each.id == request.path_params["id"]:
                return JSONResponse(each.as_json())
        return not_found(f"Campaign not found: {request.path_params['id']}")

    def children(request: Request) -> Response:
        rows = [
            each.as_json() for each in objects.campaigns(moment()) if each.recurring_id == request.path_params["id"]
        ]
        return page_of(world, request, rows, "campaigns", 20, 1000, "totalCampaignsCount")

    def channels(request: Request) -> Response:
        return JSONResponse({"channels": objects.channels})

    def message_types(request: Request) -> Response:
        return JSONResponse({"messageTypes": objects.message_types})

    def journeys(request: Request) -> Response:
        archived = request.query_params.get("state") == "Archived"
        rows = [each for each in objects.journeys if each["isArchived"] is archived]
        ranked = ordered(rows, request.query_params.get("sort", ""), "id")
        return page_of(world, request, ranked, "journeys", 10, 50, "totalJourneysCount")

    def lists(request: Request) -> Response:
        return JSONResponse({"lists": objects.lists})

    def list_size(request: Request) -> Response:
        members = world.members(request.path_params["id"])
        return invalid_list(request.path_params["id"]) if members is None else PlainTextResponse(str(len(members)))

    def list_users(request: Request) -> Response:
        query = request.query_params
        asked = query.get("listId", "")
        members = world.members(int(asked)) if asked.isdigit() else None
        if members is None:
            return invalid_list(asked)
        by_id = query.get("preferUserId") == "true"
        names = [(user_id if by_id and user_id else email or user_id) or "" for email, user_id in members]
        if "size" in query:
            names = names[: int(query["size"])]
        return PlainTextResponse("".join(f"{name}\n" for name in names))

    return [
        Route("/api/campaigns", campaigns),
        Route("/api/campaigns/{id:int}", campaign),
        Route("/api/campaigns/recurring/{id:int}/childCampaigns", children),
        Route("/api/channels", channels),
        Route("/api/messageTypes", message_types),
        Route("/api/journeys", journeys),
        Route("/api/lists", lists),
        Route("/api/lists/getUsers", list_users),
        Route("/api/lists/previewUsers", list_users),
        Route("/api/lists/{id:int}/size", list_size),
    ]
