"""The check `matches_campaign_metrics`: what the table counts, held against what Iterable counts."""

import dagster as dg

from iterable_pipelines.api import Priority
from iterable_pipelines.hours import hour_key, now
from iterable_pipelines.resources import IterableResource, open_project
from iterable_pipelines.streams.campaigns import (
    COMPARED,
    STREAM_NAME,
    TOLERANCE_EVENTS,
    TOLERANCE_SHARE,
    as_table,
    can_compare,
    compare_campaigns,
    count_campaigns,
)
from iterable_pipelines.streams.completeness import refresh

_ASKED = f"within {TOLERANCE_SHARE:.0%} or {TOLERANCE_EVENTS} events, whichever is more"


def campaign_checks() -> list[dg.AssetChecksDefinition]:
    """One unpartitioned check on the email stream; where no email is imported it has nothing to say."""

    @dg.asset_check(
        asset=["streams", STREAM_NAME],
        name="matches_campaign_metrics",
        description=(
            "Sends, opens and clicks of the newest 40 email campaigns that ended in the last 30 days, all of whose "
            f"hours are settled, are what `/api/campaigns/metrics` counts, {_ASKED}: metrics go on changing for 15 "
            "days, and Iterable leaves some opens of robots out of them."
        ),
    )
    def matches_campaign_metrics(
        context: dg.AssetCheckExecutionContext, iterable: IterableResource
    ) -> dg.AssetCheckResult:
        project, manifest, warehouse = open_project(context.log.info)
        if not can_compare(project):
            return dg.AssetCheckResult(passed=True, description=f"{', '.join(COMPARED)} are not all imported")
        warehouse.prepare()
        with warehouse.transaction() as con:
            refresh(con, project, manifest, now(), [STREAM_NAME])
            counted = count_campaigns(con, now())
        if counted is None:
            return dg.AssetCheckResult(passed=True, description="no campaign has ended in settled hours yet")
        # the warehouse is closed while Iterable is asked
        compared = compare_campaigns(iterable.client(context.log.info, Priority.AUDIT), counted)
        apart = [each for each in compared if not each.close]
        # sends are facts, of opens and clicks Iterable has its own view
        sends_lack = any("Sends" in each.figure for each in apart)
        since, until = hour_key(counted.since), hour_key(counted.until)
        text = f"{len(compared)} figures of {len(counted.figures)} campaigns agree {_ASKED}"
        if apart:
            text = (
                f"{len(apart)} of {len(compared)} figures differ by more than the tolerance, the first: campaign "
                f"{apart[0].campaign_id}, {apart[0].figure}: {apart[0].here:,} here, {apart[0].there:,.0f} there. "
                f"Next: iterable-pipelines backfill --from {since} --to {until} --stream {STREAM_NAME} --refetch"
            )
        return dg.AssetCheckResult(
            passed=not apart,
            severity=dg.AssetCheckSeverity.ERROR if sends_lack else dg.AssetCheckSeverity.WARN,
            description=text,
            metadata={
                "campaigns": len(counted.figures),
                "figures": len(compared),
                "apart": len(apart),
                "from": since,
                "up_to": until,
                "comparison": dg.MetadataValue.md(as_table(compared)),
            },
        )

    return [matches_campaign_metrics]
