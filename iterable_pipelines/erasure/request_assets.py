"""The queue of forgetting as an asset: sent by the hour, with what is left and by when it will have gone."""

import dagster as dg

from iterable_pipelines.activation.promise import told
from iterable_pipelines.erasure.send_requests import Sent, send_requests
from iterable_pipelines.failures import explained
from iterable_pipelines.resources import IterableResource
from iterable_pipelines.settings import load_settings

KEY = dg.AssetKey(["erasure", "forget_requests"])


def request_assets() -> list[dg.AssetsDefinition]:
    """One asset, unpartitioned."""

    @dg.asset(
        key=KEY,
        group_name="erasure",
        kinds={"iterable", "sqlite"},
        owners=["team:data"],
        description=(
            "Whom Iterable is to forget, or to forget no longer, as `iterable-pipelines erase request` has queued: at "
            "most 3 a second and 1,000 a day, with a promised date for what is left. Whoever is forgotten there gets a "
            "tombstone at once, and leaves every file here with the next erasure."
        ),
    )
    def send_what_is_asked_for(
        context: dg.AssetExecutionContext, iterable: IterableResource
    ) -> dg.MaterializeResult[None]:
        with explained(context):
            sent = send_requests(load_settings(), iterable.client(context.log.info), context.log.info)
        context.log.info(str(sent))
        return dg.MaterializeResult(metadata=_metadata(sent))

    return [send_what_is_asked_for]


def _metadata(sent: Sent) -> dict[str, str | int]:
    level = sent.level
    return {
        "forgotten": sent.forgotten,
        "unforgotten": sent.unforgotten,
        "refused": sent.refused,
        "waiting": sum(level.waiting.values()) if level else 0,
        "in_doubt": level.in_doubt if level else 0,
        "refused_in_all": sum(level.refused.values()) if level else 0,
        "promised": told(sent.days) or "nothing waits",
        "done_in_24_hours": level.done_today if level else 0,
        **({"stopped": sent.stopped} if sent.stopped else {}),
    }
