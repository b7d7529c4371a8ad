"""One asset per destination of track calls."""

import time
from collections.abc import Sequence

import dagster as dg

from iterable_pipelines.automation import when_rows_arrived
from iterable_pipelines.failures import explained
from iterable_pipelines.settings import load_settings
from iterable_pipelines.track_calls.declaration import FOLDER, Destination
from iterable_pipelines.track_calls.send import send

_WEBHOOKS = dg.AssetKey(["streams", "webhooks"])


def track_call_assets(destinations: Sequence[Destination]) -> list[dg.AssetsDefinition]:
    """One unpartitioned asset per destination. It follows the streams that its events are in."""
    return [_track_call_asset(each) for each in destinations]


def _track_call_asset(destination: Destination) -> dg.AssetsDefinition:
    to = destination.to
    where = f"NDJSON files in `{to.folder}`" if to.folder else f"the address in `{to.url_env}`"
    names = ", ".join(each.name for each in destination.track_events)

    @dg.asset(
        key=[FOLDER, destination.name],
        group_name=FOLDER,
        kinds={"json" if to.folder else "segment"},
        owners=["team:data"],
        deps={_WEBHOOKS, *(dg.AssetKey(["streams", each.stream]) for each in destination.track_events)},
        automation_condition=None if destination.schedule else when_rows_arrived,
        description=destination.description or f"Track calls to {where}, each event once: {names}.",
    )
    def send_what_is_new(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        started = time.monotonic()
        with explained(context):
            done = send(load_settings(), destination, context.log.info)
        context.log.info(f"{destination.name}: {done}")
        oldest = done.level.oldest
        return dg.MaterializeResult(
            metadata={
                "sent": done.sent,
                "rejected": done.rejected,
                "waiting": done.level.waiting,
                "oldest_waiting": oldest.isoformat(timespec="seconds") if oldest else "none",
                "sent_ever": done.level.sent,
                "rejected_ever": done.level.rejected,
                "seconds": round(time.monotonic() - started, 2),
            }
        )

    return send_what_is_new
