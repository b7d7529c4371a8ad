"""Reads of templates: the listing, each medium's detail, and the ids clients gave them (api.md 5.5)."""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from iterable_pipelines.sandbox.dates import read_moment
from iterable_pipelines.sandbox.errors import bad_params, not_found
from iterable_pipelines.sandbox.lookups import ordered, page_of
from iterable_pipelines.sandbox.objects import TEMPLATE_MEDIUMS
from iterable_pipelines.sandbox.template_details import MEDIUM
from iterable_pipelines.sandbox.world import World


def template_routes(world: World) -> list[Route]:
    """templates, templates/{email,push,sms,inapp,embedded}/get and getByClientTemplateId."""

    def listing(request: Request) -> Response:
        query = request.query_params
        try:
            first = read_moment(query["startDateTime"]).timestamp() if "startDateTime" in query else 0
            last = read_moment(query["endDateTime"]).timestamp() if "endDateTime" in query else float("inf")
        except ValueError as wrong:
            return bad_params(str(wrong))
        # without filters a project answers with its blast email templates only: callers must ask for each combination
        medium, kind = query.get("messageMedium") or "Email", query.get("templateType") or "Blast"
        if medium not in TEMPLATE_MEDIUMS:
            return bad_params(f"Invalid messageMedium: {medium}")
        found = [each for each in world.templates.rows(medium, kind) if first <= each["createdAt"] / 1000 < last]
        ranked = ordered(found, query.get("sort", ""), "templateId")
        return page_of(world, request, ranked, "templates", 20, 1000, "totalTemplatesCount")

    def get(request: Request) -> Response:
        asked, locale = request.query_params.get("templateId", ""), request.query_params.get("locale", "")
        if not asked.isdigit():
            return bad_params("templateId is required")
        found = world.templates.find(int(asked))
        if found is None or found.medium != MEDIUM.get(request.path_params["medium"]):
            return not_found(f"Template not found: {asked}")
        if locale and locale not in found.locales:
            return not_found("Content does not exist for specified locale")
        return JSONResponse(world.templates.detail(found, locale))

    def by_client_id(request: Request) -> Response:
        found = world.templates.sharing(request.query_params.get("clientTemplateId", ""))
        return JSONResponse(
            {
                "templates": [
                    {"templateId": each.id, "locales": list(each.locales)}
                    | ({"campaignId": each.campaign_id} if each.campaign_id else {})
                    for each in found
                ]
            }
        )

    def settled(read: Callable[[Request], Response]) -> Callable[[Request], Response]:
        return lambda request: world.settled(lambda: read(request))

    return [
        Route("/api/templates", settled(listing)),
        Route("/api/templates/{medium}/get", settled(get)),
        Route("/api/templates/getByClientTemplateId", settled(by_client_id)),
    ]
