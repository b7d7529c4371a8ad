"""A gated campaign in Dagster: a node behind its sync in the lineage, and its gate as a check that sends nothing.

The node is never materialized, as a send is no asset: each decision stands on its page as an observation.
"""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from iterable_pipelines.activation.assets import GROUP as SYNCS
from iterable_pipelines.campaigns.declaration import FOLDER, GatedCampaign
from iterable_pipelines.campaigns.gated import trigger_gated
from iterable_pipelines.campaigns.gates import Check
from iterable_pipelines.campaigns.summary import gate_table
from iterable_pipelines.failures import explained
from iterable_pipelines.settings import load_settings

GROUP = "campaigns"


def asset_key(name: str) -> dg.AssetKey:
    """The key of a gated campaign."""
    return dg.AssetKey([GROUP, name])


def campaign_assets(campaigns: Sequence[GatedCampaign]) -> list[dg.AssetSpec]:
    """One external asset per file."""
    return [
        dg.AssetSpec(
            asset_key(each.name),
            deps=[dg.AssetKey([SYNCS, each.audience])] if each.audience else [],
            group_name=GROUP,
            kinds={"iterable", "campaign"},
            owners=["team:data"],
            description=_described(each),
        )
        for each in campaigns
    ]


def campaign_checks(campaigns: Sequence[GatedCampaign]) -> list[dg.AssetChecksDefinition]:
    """The gate of each, as a check: may it be sent now?"""
    return [_gate_check(each) for each in campaigns]


def gate_metadata(checks: list[Check]) -> dict[str, Any]:
    """What the checks found: a table, and how many have passed."""
    return {
        "gate": dg.MetadataValue.md(gate_table(checks)),
        "passed": sum(each.passed is True for each in checks),
        "closed_by": ", ".join(each.name for each in checks if not each.lets_pass) or "nothing",
        "overridden": ", ".join(each.name for each in checks if each.overridden) or "nothing",
    }


def _gate_check(campaign: GatedCampaign) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=asset_key(campaign.name),
        name="gate",
        description="Whether every check of its gate would let it be sent now. Nothing is sent.",
    )
    def gate(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        with explained(context):
            who = f"Dagster run {context.run.run_id[:8]}"
            gated = trigger_gated(
                load_settings(), campaign, who, dagster_run_id=context.run.run_id, log=context.log.info
            )
        return dg.AssetCheckResult(
            passed=not gated.closed,
            severity=dg.AssetCheckSeverity.WARN,
            description="; ".join(f"{each.name}: {each.text}" for each in gated.closed) or "It may be sent now.",
            metadata=gate_metadata(gated.checks),
        )

    return gate


def _described(campaign: GatedCampaign) -> str:
    to = f"the list of `{campaign.audience}`" if campaign.audience else f"the lists {list(campaign.list_ids)}"
    what = campaign.description or f"Campaign {campaign.campaign_id} to {to}, if its gate lets it pass."
    if campaign.schedule:
        does = "**sends it** if every check passes" if campaign.approve else "looks whether it might be sent"
        when = f"At `{campaign.schedule}`, UTC, the job `trigger_gated_campaign` {does}."
    else:
        when = f"Sent by hand: `iterable-pipelines campaign trigger {campaign.name} --approve`."
    checks = ", ".join(f"`{each}`" for each in campaign.checks)
    return f"{what}\n\nChecks: {checks}.\n\n{when}\n\n`{FOLDER}/{campaign.name}.yml`"
