"""Campaign and experiment metrics as CSV, with columns that depend on what was asked for (api.md 5.2, 5.7).

Messages and what became of them are counted in the world, so that an import can be held against them.
"""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from iterable_pipelines.hours import HOUR, Window, iterate_hours
from iterable_pipelines.sandbox.dates import read_moment
from iterable_pipelines.sandbox.errors import bad_params, not_found
from iterable_pipelines.sandbox.objects import Campaign
from iterable_pipelines.sandbox.world import World

# which events each column counts; unique ones are counted once a message
COUNTS = {
    "Email": {
        "Total Email Sends": "emailSend",
        "Total Emails Bounced": "emailBounce",
        "Total Email Opens": "emailOpen",
        "Unique Email Opens": "emailOpen",
        "Total Emails Clicked": "emailClick",
        "Unique Email Clicks": "emailClick",
        "Total Complaints": "emailComplaint",
    },
    "Push": {
        "Total Pushes Sent": "pushSend",
        "Total Pushes Bounced": "pushBounce",
        "Total Pushes Opened": "pushOpen",
        "Unique Pushes Opened": "pushOpen",
        "Total App Uninstalls": "pushUninstall",
    },
    "SMS": {
        "Total SMS Sent": "smsSend",
        "Total SMS Bounced": "smsBounce",
        "Total SMS Clicks": "smsClick",
        "Unique SMS Clicks": "smsClick",
    },
    "InApp": {"Total In-app Sent": "inAppSend", "Total In-app Opens": "inAppOpen", "Total In-app Clicks": "inAppClick"},
    "WebPush": {"Total Web Pushes Sent": "webPushSend", "Total Web Push Clicks": "webPushClick"},
}
_LATEST = timedelta(days=5)
SHARED = ("Revenue", "Total Purchases", "Total Unsubscribes", "Unique Purchases")


class Counts:
    """The world's events by campaign, counted an hour at a time and remembered; what is not visible yet is not."""

    def __init__(self, world: World):
        self.world = world
        self._hour = lru_cache(maxsize=20_000)(self._count)

    def of(self, campaign: Campaign, data_type: str, window: Window) -> tuple[int, int]:
        """How many events of this type the campaign has in a window, and of how many messages."""
        begin = max(window.start, self.world.start, datetime.fromtimestamp(campaign.created, UTC))
        moment = self.world.now()
        events, messages = 0, set[str]()
        for hour in iterate_hours(begin, min(window.end, moment + timedelta(seconds=1))):
            # nothing is late by more than that
            count = self._hour if hour + _LATEST < moment else self._count
            found = count(data_type, max(hour, window.start), min(hour + HOUR, window.end)).get(campaign.id, [])
            events, messages = events + len(found), messages.union(found)
        return events, len(messages)

    def _count(self, data_type: str, hour: datetime, end: datetime) -> dict[int, list[str]]:
        found: dict[int, list[str]] = {}
        for event in self.world.events(data_type, Window(hour, end)):
            record = json.loads(event.line)
            if record.get("campaignId"):
                found.setdefault(int(record["campaignId"]), []).append(str(record.get("messageId")))
        return found


def measured(counts: Counts, campaign: Campaign, window: Window) -> dict[str, Any]:
    """The metrics of one campaign in a window: messages are counted, purchases are made up from them."""
    figures: dict[str, Any] = {"id": campaign.id}
    for column, data_type in COUNTS.get(campaign.medium, {}).items():
        events, messages = counts.of(campaign, data_type, window)
        figures[column] = messages if column.startswith("Unique") else events
    purchases = max((number for name, number in figures.items() if name != "id"), default=0) // 10
    return figures | dict(zip(SHARED, (round(purchases * 17.5, 2), purchases, purchases // 3, purchases), strict=True))


def experiments_of(world: World) -> list[dict[str, Any]]:
    """Every experiment, as GET /api/experiments lists it."""
    return [
        {
            "id": each.id * 10,
            "name": f"Subject of {each.name}",
            "status": "running",
            "channelType": "email",
            "author": "marketing@example.com",
        }
        for each in world.objects.campaigns(int(world.now().timestamp()))
        if each.experience_id and each.medium == "Email"
    ]


def variants(campaign: Campaign) -> list[dict[str, Any]]:
    """The variants of a campaign's experiment; they share its template."""
    return [
        {
            "id": campaign.id * 10 + nth,
            "campaignId": campaign.id,
            "templateId": campaign.template_id,
            "name": name,
            "type": "Subject",
            "experimentId": campaign.id * 10,
            "improvement": "",
            "confidence": 0.9,
        }
        for nth, name in enumerate(("Variant A", "Variant B"))
    ]


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
    counts = Counts(world)

    def asked_for(request: Request, inclusive: bool = False) -> tuple[list[Campaign], Window]:
        names = [name for value in request.query_params.getlist("campaignId") for name in value.split(",")]
        if len(str(request.url)) > 2048:
            raise OverflowError("Request-URI Too Long")
        if not all(name.isdigit() for name in names):
            raise ValueError("campaignId must be a number")
        start = read_moment(request.query_params.get("startDateTime", "2018-06-25"))
        # what is sent in this very second counts, though a clock may stand still
        now = f"{world.now() + timedelta(seconds=1):%Y-%m-%d %H:%M:%S}"
        end = read_moment(request.query_params.get("endDateTime", now))
        end += timedelta(seconds=1) if inclusive else timedelta()
        known = {each.id: each for each in world.objects.campaigns(int(world.now().timestamp()))}
        missing = [name for name in names if int(name) not in known]
        if missing:
            raise LookupError(missing[0])
        return [known[int(name)] for name in dict.fromkeys(names)], Window(start, end)

    def refused(wrong: Exception) -> Response:
        if isinstance(wrong, OverflowError):
            return PlainTextResponse(str(wrong), 414)
        if isinstance(wrong, ValueError):
            return bad_params(str(wrong))
        return not_found(f"Campaign not found: {wrong}")

    def campaign_metrics(request: Request) -> Response:
        try:
            campaigns, window = asked_for(request)
        except (ValueError, LookupError, OverflowError) as wrong:
            return refused(wrong)
        if not campaigns:
            return bad_params("campaignId is required")
        return PlainTextResponse(as_table([measured(counts, each, window) for each in campaigns]))

    def experiment_metrics(request: Request) -> Response:
        try:
            campaigns, window = asked_for(request, inclusive=True)  # unlike elsewhere
        except (ValueError, LookupError, OverflowError) as wrong:
            return refused(wrong)
        rows = []
        for campaign in campaigns:
            if campaign.experience_id and campaign.medium == "Email":
                figures = measured(counts, campaign, window)
                rows += [figures | variant for variant in variants(campaign)]
        return PlainTextResponse(as_table(rows) if rows else "", media_type="text/csv")

    def experiments(request: Request) -> Response:
        rows = experiments_of(world)
        limit, offset = int(request.query_params.get("limit", 20)), int(request.query_params.get("offset", 0))
        if not 1 <= limit <= 100:
            return bad_params("limit must be between 1 and 100")
        pages = {"limit": limit, "offset": offset, "total": len(rows)}
        return JSONResponse({"experiments": rows[offset : offset + limit], "pagination": pages})

    return [
        Route("/api/campaigns/metrics", campaign_metrics),
        Route("/api/experiments/metrics", experiment_metrics),
        Route("/api/experiments", experiments),
    ]
