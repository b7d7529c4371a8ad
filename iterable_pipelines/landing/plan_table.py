"""The plan of an import in words: what will be asked, and how long Iterable's limits make it last."""

from collections.abc import Sequence
from dataclasses import dataclass

from iterable_pipelines.api import LIMITS
from iterable_pipelines.landing.exports import SLOTS
from iterable_pipelines.landing.plan import Door, Plan
from iterable_pipelines.settings import Settings

# how long Iterable takes for a job is documented nowhere (api.md 3.5): a careful guess until jobs were seen
_MINUTES_PER_JOB = 5.0


@dataclass(frozen=True)
class Estimate:
    """What a plan takes. `minutes` is what the limits cost; rows and bytes are None when nothing was seen before."""

    requests: int
    jobs: int
    minutes: float
    rows: int | None
    bytes: int | None


def estimate(settings: Settings, plans: Sequence[Plan]) -> Estimate:
    """What some plans take together."""
    asks = [ask for each in plans for ask in each.asks]
    started = sum(len(each.jobs) for each in plans)
    requests = sum(each.door is Door.EXPORT for each in asks)
    jobs = sum(each.door is Door.JOB for each in asks) + started
    export = LIMITS["export"]
    waits = 0.0 if settings.requests_relaxed else requests / (export.calls * 60 / export.seconds)
    known = [each for each in asks if each.rows is not None]
    return Estimate(
        requests,
        jobs,
        waits + -(-jobs // SLOTS) * minutes_per_job(plans),
        sum(each.rows or 0 for each in known) if known else None,
        sum(each.bytes or 0 for each in known) if known else None,
    )


def minutes_per_job(plans: Sequence[Plan]) -> float:
    """What earlier jobs took on average, or a guess."""
    return next((each.minutes_per_job for each in plans if each.minutes_per_job is not None), _MINUTES_PER_JOB)


def plan_table(settings: Settings, plan: Plan, stream: str) -> str:
    """The plan of one stream as a few lines of text, for a run's log."""
    found = estimate(settings, [plan])
    lines = [
        f"plan for {stream}: {sum(plan.due.values()):,} hours of data types to fetch, "
        f"{sum(plan.kept.values()):,} kept; "
        f"{found.requests:,} requests and {found.jobs:,} export jobs, about {found.minutes:,.0f} minutes of waiting"
        + (f"; {found.rows:,} rows, {found.bytes:,} bytes expected" if found.rows is not None else "")
    ]
    lines += [f"  {ask.data_type} {ask.window} by {ask.door}" for ask in plan.asks[:20]]
    if len(plan.asks) > 20:
        lines.append(f"  and {len(plan.asks) - 20} more")
    lines += [f"  {job.data_type} {job.window} by export job {job.job_id or 'to come'}" for job in plan.jobs[:20]]
    return "\n".join(lines)
