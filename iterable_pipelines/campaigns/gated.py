"""Sending a campaign through its gate: every check is looked at, all must pass, and every decision is written down."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from secrets import token_hex

from iterable_pipelines.activation.objects import load_syncs
from iterable_pipelines.api import Iterable
from iterable_pipelines.campaigns.calls import Log, Prepared, Report, call
from iterable_pipelines.campaigns.declaration import FOLDER, GatedCampaign
from iterable_pipelines.campaigns.errors import CallRefused, GateClosed
from iterable_pipelines.campaigns.gates import Check, Facts, evaluate
from iterable_pipelines.campaigns.ledger import Call, CallLedger, Decision
from iterable_pipelines.campaigns.procedures import TriggerCampaign
from iterable_pipelines.campaigns.publish import publish
from iterable_pipelines.campaigns.sync_facts import SyncFacts, sync_facts
from iterable_pipelines.hours import now
from iterable_pipelines.settings import Settings

# what Iterable itself would refuse is no matter of courage
_NEVER_OVERRIDDEN = ("campaign", "audience")


@dataclass(frozen=True)
class Override:
    """Checks that somebody sets aside, and why."""

    checks: tuple[str, ...] = ()
    because: str = ""


@dataclass(frozen=True)
class Gated:
    """What the checks found, and the call: a dry run unless approved, None where the list is not known."""

    checks: list[Check]
    report: Report | None

    @property
    def closed(self) -> list[Check]:
        """The checks that stand in the way."""
        return [each for each in self.checks if not each.lets_pass]


def trigger_gated(
    settings: Settings,
    campaign: GatedCampaign,
    who: str,
    *,
    approve: bool = False,
    override: Override | None = None,
    dagster_run_id: str | None = None,
    client: Iterable | None = None,
    log: Log = print,
    clock: Callable[[], datetime] = now,
    decided: Callable[[list[Check]], None] = lambda checks: None,
) -> Gated:
    """Evaluate the gate, and with `approve` trigger the campaign if it passes. `decided` hears what the checks found.

    Raises GateClosed if it does not pass and was approved, and whatever `call` does.
    """
    override = override or Override()
    _check_override(campaign, override)
    facts, found = _facts(settings, campaign), list[Check]()

    def gate(prepared: Prepared | None, planned: Call | None) -> None:
        ledger = CallLedger(settings)
        found.extend(evaluate(Facts(settings, campaign, prepared, ledger, clock(), facts), override.checks))
        closed = [each for each in found if not each.lets_pass]
        ledger.decide(
            Decision(
                id=token_hex(6),
                gate=campaign.name,
                campaign_id=campaign.campaign_id,
                decided_at=clock(),
                who=who,
                outcome="refused" if closed else "passed",
                approved=approve,
                evidence=[each.as_json() for each in found],
                overridden=[each.name for each in found if each.overridden],
                because=override.because,
                call_id=planned.id if planned else None,
                dagster_run_id=dagster_run_id,
            )
        )
        decided(found)
        if closed and approve:
            raise GateClosed(_closed_text(campaign, closed))

    procedure = _procedure(campaign, facts)
    if procedure is None:
        gate(None, None)
        publish(settings, CallLedger(settings), log)
        return Gated(found, None)
    report = call(
        settings,
        procedure,
        who,
        approve=approve,
        gate=gate,
        gate_name=campaign.name,
        dagster_run_id=dagster_run_id,
        client=client,
        log=log,
        clock=clock,
    )
    return Gated(found, report)


def _procedure(campaign: GatedCampaign, facts: SyncFacts | None) -> TriggerCampaign | None:
    """The call that the file asks for; None while nobody knows which list its audience is on."""
    lists = list(campaign.list_ids) or ([facts.list_id] if facts and facts.list_id else [])
    if not lists:
        return None
    return TriggerCampaign(
        campaign_id=campaign.campaign_id,
        list_ids=lists,
        suppression_list_ids=list(campaign.suppression_list_ids),
        data_fields=campaign.data_fields,
        allow_repeat_marketing_sends=campaign.allow_repeat_marketing_sends,
    )


def _closed_text(campaign: GatedCampaign, closed: Sequence[Check]) -> str:
    told = "\n".join(f"  {each.name}: {each.word}: {each.text}" for each in closed)
    then = f"Next: mend that, then iterable-pipelines campaign gate {campaign.name}"
    if all(each.name not in _NEVER_OVERRIDDEN for each in closed):
        override = " ".join(f"--override {each.name}" for each in closed)
        then += (
            f"; or, if it is meant, iterable-pipelines campaign trigger {campaign.name} --approve {override} "
            '--because "…"'
        )
    return f"{campaign.name}: the gate is closed. Nothing was sent.\n{told}\n{then}"


def _facts(settings: Settings, campaign: GatedCampaign) -> SyncFacts | None:
    if campaign.audience is None:
        return None
    (sync,) = [each for each in load_syncs(settings) if each.name == campaign.audience]
    return sync_facts(settings, sync)


def _check_override(campaign: GatedCampaign, override: Override) -> None:
    """Raise CallRefused for checks that are none, or cannot be set aside, or are without a reason."""
    may_be = [each for each in campaign.checks if each not in _NEVER_OVERRIDDEN]
    unknown: Sequence[str] = [each for each in override.checks if each not in may_be]
    if unknown:
        raise CallRefused(
            f"{campaign.name}: {', '.join(unknown)} is no check that can be overridden; there are "
            f"{', '.join(may_be)} ({FOLDER}/{campaign.name}.yml). Nothing was sent.\n"
            f"Next: iterable-pipelines campaign gate {campaign.name}"
        )
    if override.checks and not override.because.strip():
        raise CallRefused(
            f"{campaign.name}: an override needs its reason. Nothing was sent.\n"
            f'Next: the same command with --because "…"'
        )
