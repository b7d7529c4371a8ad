"""One job for each procedure, and one that sends a campaign through its gate. All of them only look unless approved."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import dagster as dg
from pydantic import Field, create_model

from iterable_pipelines.automation import schedule_status_of
from iterable_pipelines.campaigns.assets import asset_key, campaign_assets, campaign_checks, gate_metadata
from iterable_pipelines.campaigns.calls import Report, call
from iterable_pipelines.campaigns.declaration import FOLDER, GatedCampaign, load_campaigns
from iterable_pipelines.campaigns.errors import CallRefused
from iterable_pipelines.campaigns.gated import Override, trigger_gated
from iterable_pipelines.campaigns.gates import Check
from iterable_pipelines.campaigns.procedures import PROCEDURES, Procedure, procedure_of
from iterable_pipelines.campaigns.summary import summary
from iterable_pipelines.failures import explained
from iterable_pipelines.hours import now
from iterable_pipelines.settings import Settings, load_settings
from iterable_pipelines.settings_values import did_you_mean

GATED = "trigger_gated_campaign"
# whoever asks for one of these again decides that anew: nothing of it is retried by itself (R12)
_TAGS = {"dagster/max_retries": "0", "dagster/max_runtime": str(3600)}
# a tick that is made good later than this is not: people were to get it in the morning
_LATE = timedelta(hours=1)
_APPROVE = "Do it. Left off, the run's log says what would be done."


def op_name(job: str) -> str:
    """The one op of a job, which may not be called like it."""
    return f"call_{job}"


class GatedConfig(dg.Config):
    """Which campaign, and whether it is to be sent if its gate lets it pass."""

    name: str = Field(description=f"A file in {FOLDER}/, without .yml.")
    approve: bool = Field(False, description=_APPROVE)
    override: list[str] = Field([], description="Checks to set aside; `because` must say why.")
    because: str = Field("", description="Why they are set aside; it is kept.")


def campaign_definitions(settings: Settings) -> dg.Definitions:
    """Everything Dagster shows of campaigns. Raises SettingsError for a file that is wrong."""
    campaigns = load_campaigns(settings)
    return dg.Definitions(
        assets=campaign_assets(campaigns),
        asset_checks=campaign_checks(campaigns),
        jobs=[*(_job(each) for each in PROCEDURES.values()), trigger_gated_campaign],
        schedules=_schedules(campaigns, settings),
    )


def _job(kind: type[Procedure]) -> dg.JobDefinition:
    """The job of a procedure, which takes its arguments; no person can be named, as Dagster keeps what it is given."""
    fields: dict[str, Any] = {
        name: (each.annotation if name != "send_at" else str, Field(each.default, description=each.description))
        for name, each in kind.model_fields.items()
        if name not in kind.persons
    }
    config = create_model(
        f"{kind.__name__}Config", __base__=dg.Config, **fields, approve=(bool, Field(False, description=_APPROVE))
    )

    def run(context: dg.OpExecutionContext, config: dg.Config) -> None:
        given = config.model_dump()
        approve = given.pop("approve")
        with explained(context):
            procedure = procedure_of(kind, given)
            report = call(
                load_settings(),
                procedure,
                f"Dagster run {context.run.run_id[:8]}",
                approve=approve,
                dagster_run_id=context.run.run_id,
                log=context.log.info,
            )
        _tell(context, report)

    # Dagster reads the type of the configuration off the function
    run.__annotations__["config"] = config
    op = dg.op(name=op_name(kind.name), description=kind.description)(run)

    @dg.job(name=kind.name, description=f"{kind.description} Only looks unless approved.", tags=_TAGS)
    def job() -> None:
        op()

    return job


@dg.op(name=op_name(GATED))
def _trigger_gated(context: dg.OpExecutionContext, config: GatedConfig) -> None:
    with explained(context):
        settings = load_settings()
        known = {each.name: each for each in load_campaigns(settings)}
        if config.name not in known:
            near = did_you_mean(config.name, known) or f"; there are {', '.join(known) or 'none'}"
            raise CallRefused(
                f"{config.name!r} is no campaign of {FOLDER}/{near}. Nothing was sent.\n"
                "Next: iterable-pipelines campaign gates"
            )

        def decided(checks: list[Check]) -> None:
            metadata = gate_metadata(checks) | {"approved": config.approve, "because": config.because or "nothing"}
            context.log_event(dg.AssetObservation(asset_key(config.name), metadata=metadata))

        gated = trigger_gated(
            settings,
            known[config.name],
            f"Dagster run {context.run.run_id[:8]}",
            approve=config.approve,
            override=Override(tuple(config.override), config.because),
            dagster_run_id=context.run.run_id,
            log=context.log.info,
            decided=decided,
        )
    for each in gated.checks:
        context.log.info(f"{each.name}: {each.word}: {each.text}")
    if gated.report:
        _tell(context, gated.report)


@dg.job(
    name=GATED,
    description="Send a campaign of campaigns/*.yml if its gate lets it pass. Only looks unless approved.",
    tags=_TAGS,
)
def trigger_gated_campaign() -> None:
    """One op: the checks, and then the call."""
    _trigger_gated()


def _tell(context: dg.OpExecutionContext, report: Report) -> None:
    lines = summary(report)
    for each in lines:
        context.log.info(each)
    context.add_output_metadata({"state": report.call.state, "call": report.call.id, "told": "\n".join(lines)})


def _schedules(campaigns: Sequence[GatedCampaign], settings: Settings) -> list[dg.ScheduleDefinition]:
    return [_schedule(each, settings) for each in campaigns if each.schedule]


def _schedule(campaign: GatedCampaign, settings: Settings) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=f"campaign_{campaign.name}",
        job=trigger_gated_campaign,
        cron_schedule=str(campaign.schedule),
        default_status=schedule_status_of(settings),
        description=f"As {FOLDER}/{campaign.name}.yml says.",
    )
    def at_its_time(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        """Look at the file again, which may say otherwise by now, and let a tick go that is long over."""
        late = now() - context.scheduled_execution_time
        if late > _LATE:
            return dg.SkipReason(f"this was due {late} ago: what was to go out then does not go out now")
        present = {each.name: each for each in load_campaigns(load_settings())}.get(campaign.name)
        if present is None:
            return dg.SkipReason(f"{FOLDER}/{campaign.name}.yml is gone")
        config = {"name": campaign.name, "approve": present.approve}
        return dg.RunRequest(
            run_key=f"{campaign.name} {context.scheduled_execution_time:%Y-%m-%dT%H:%M}",
            run_config={"ops": {op_name(GATED): {"config": config}}},
            tags={"iterable/campaign": campaign.name},
        )

    return at_its_time
