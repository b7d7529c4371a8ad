"""Campaign and experiment metrics as CSV, with columns that depend on what was asked for (api.md 5.2, 5.7).

The figures are made up from the seed, not counted: they grow by the day and keep their order (opens <= sends).
"""

import csv
import io
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from iterable_pipelines.sandbox.chance import dice
from iterable_pipelines.sandbox.dates import read_moment
from iterable_pipelines.sandbox.errors import bad_params, not_found
from iterable_pipelines.sandbox.objects import Campaign
from iterable_pipelines.sandbox.world import World

COUNTS = {
    "Email": (
        "Total Email Sends",
        "Total Emails Delivered",
        "Total Email Opens",
        "Unique Email Opens",
        "Unique Email Clicks",
        "Total Complaints",
    ),
    "Push": (
        "Total Pushes Sent",
        "Total Pushes Delivered",
        "Total Pushes Opened",
        "Unique Pushes Opened",
        "Total App Uninstalls",
    ),
    "SMS": ("Total SMS Sent", "Total SMS Delivered", "Total SMS Clicks", "Total Inbound SMS"),
    "InApp": ("Total In-app Sent", "Total In-app Delivered", "Total In-app Opens", "Total In-app Clicks"),
    "WebPush": ("Total Web Pushes Sent", "Total Web Push Clicks"),
}
SHARED = ("Revenue", "Total Purchases", "Total Unsubscribes", "Unique Purchases")


def measured(world: World, campaign: Campaign, days: float) -> dict[str, Any]:
    """The metrics of one campaign after `days` days; each count is a share of the one before."""
    chance = dice(world.seed, "metrics", campaign.id)
    count = int(chance.randrange(500, 5000) * min(days, 30) / 30)
    figures: dict[str, Any] = {"id": campaign.id}
    for column in COUNTS.get(campaign.medium, ()):
        figures[column] = count
        count = int(count * chance.uniform(0.2, 0.98))
    purchases = int(count * 0.3)
    return figures | dict(zip(SHARED, (round(purchases * 17.5, 2), purchases, count // 9, purchases), strict=True))


def as_table(rows: list[dict[str, Any]]) -> str:
    """Rows as CSV under the union of their columns; what a row lacks is blank."""
    columns = ["id", *sorted({name for row in rows for name in row} - {"id"})]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def metric_routes(world: World) -> list[Route]:
    """GET campaigns/metrics and experiments/metrics."""

    def asked_for(request: Request) -> tuple[list[Campaign], float]:
        names = [name for value in request.query_params.getlist("campaignId") for name in value.split(",")]
        if len(str(request.url)) > 2048:
            raise OverflowError("Request-URI Too Long")
        if not all(name.isdigit() for name in names):
            raise ValueError("campaignId must be a number")
        start = read_moment(request.query_params.get("startDateTime", "2018-06-25"))
        end = read_moment(request.query_params.get("endDateTime", f"{world.now():%Y-%m-%d %H:%M:%S}"))
        known = {each.id: each for each in world.objects.campaigns(int(world.now().timestamp()))}
        missing = [name for name in names if int(name) not in known]
        if missing:
            raise LookupError(missing[0])
        return [known[int(name)] for name in dict.fromkeys(names)], (end - start).total_seconds() / 86_400

    def refused(wrong: Exception) -> Response:
        if isinstance(wrong, OverflowError):
            return PlainTextResponse(str(wrong), 414)
        if isinstance(wrong, ValueError):
            return bad_params(str(wrong))
        return not_found(f"Campaign not found: {wrong}")

    def campaign_metrics(request: Request) -> Response:
        try:
            campaigns, days = asked_for(request)
        except (ValueError, LookupError, OverflowError) as wrong:
            return refused(wrong)
        if not campaigns:
            return bad_params("campaignId is required")
        return PlainTextResponse(as_table([measured(world, each, days) for each in campaigns]))

    def experiment_metrics(request: Request) -> Response:
        try:
            campaigns, days = asked_for(request)
        except (ValueError, LookupError, OverflowError) as wrong:
            return refused(wrong)
        rows = []
        for campaign in campaigns:
            if campaign.experience_id and campaign.medium == "Email":
                figures = measured(world, campaign, days)
                figures.pop("id")
                variant = {
                    "id": campaign.id * 10,
                    "campaignId": campaign.id,
                    "templateId": campaign.template_id,
                    "name": "Variant A",
                    "type": "Subject",
                }
                rows.append(
                    variant | {"experimentId": campaign.id * 10, "improvement": "", "confidence": 0.9} | figures
                )
        return PlainTextResponse(as_table(rows) if rows else "", media_type="text/csv")

    def experiments(request: Request) -> Response:
        known = world.objects.campaigns(int(world.now().timestamp()))
        rows = [
            {
                "id": each.id * 10,
                "name": f"Subject of {each.name}",
                "status": "running",
                "channelType": "email",
                "author": "marketing@example.com",
            }
            for each in known
            if each.experience_id and each.medium == "Email"
        ]
        limit, offset = int(request.query_params.get("limit", 20)), int(request.query_params.get("offset", 0))
        pages = {"limit": limit, "offset": offset, "total": len(rows)}
        return JSONResponse({"experiments": rows[offset : offset + limit], "pagination": pages})

    return [
        Route("/api/campaigns/metrics", campaign_metrics),
        Route("/api/experiments/metrics", experiment_metrics),
        Route("/api/experiments", experiments),
    ]
