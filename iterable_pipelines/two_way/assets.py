"""One asset per two-way synchronization, and its checks: is everything alike, does a conflict wait for somebody?"""

import time
from collections.abc import Iterator, Sequence
from typing import Any, get_args

import dagster as dg
from pydantic import Field

from iterable_pipelines.activation.errors import AlreadyRunning
from iterable_pipelines.declared_schedules import declared_schedules
from iterable_pipelines.failures import explained, failure_for_good
from iterable_pipelines.settings import Settings, SettingsError, load_settings
from iterable_pipelines.settings_values import did_you_mean
from iterable_pipelines.two_way.by_hand import standing_of
from iterable_pipelines.two_way.declaration import Approval, CatalogTwoWay, TwoWay, load_two_way
from iterable_pipelines.two_way.report import Report, table_of_counts
from iterable_pipelines.two_way.run import plan_two_way, run_two_way

GROUP = "two_way"
APPROVALS: tuple[str, ...] = get_args(Approval)
_CHECKS = {
    "in_agreement": "Both sides are alike, but for what was just sent, and for what was deleted on one side and kept.",
    "no_conflicts": "No record waits for somebody to say which side wins.",
}


class RunOptions(dg.Config):
    """What can be set in the launchpad."""

    dry_run: bool = Field(False, description="Say what would be done, in the run's log; change nothing on either side.")
    approve: list[str] = Field([], description=f"Guards that may let this run pass: {', '.join(APPROVALS)}.")


def two_way_definitions(settings: Settings) -> dg.Definitions:
    """Assets, checks and schedules of two_way/*.yml. Raises SettingsError for what is wrong in them."""
    declared = load_two_way(settings)
    return dg.Definitions(
        assets=[_asset(each) for each in declared],
        asset_checks=[_checks(each) for each in declared],
        schedules=declared_schedules(GROUP, [each for each in declared if each.enabled], settings),
    )


def checked_approvals(given: Sequence[str]) -> tuple[str, ...]:
    """Approvals as a person wrote them. Raises SettingsError, with what is allowed."""
    for each in given:
        if each not in APPROVALS:
            near = did_you_mean(each, APPROVALS)
            raise SettingsError(
                f"approve: {each!r} is no guard{near or ''}; there are {', '.join(APPROVALS)}. Nothing was changed."
            )
    return tuple(given)


def _key(two_way: TwoWay) -> dg.AssetKey:
    return dg.AssetKey([GROUP, two_way.name])


def _asset(two_way: TwoWay) -> dg.AssetsDefinition:
    is_catalog = isinstance(two_way, CatalogTwoWay)
    what = f"items of the catalog `{two_way.catalog}`" if isinstance(two_way, CatalogTwoWay) else "templates"
    when = f"Runs at `{two_way.schedule}`, UTC." if two_way.schedule else "Run by hand."
    if not two_way.enabled:
        when = "**Switched off**: its file says `enabled: false`."
    told = two_way.description or f"The table `{two_way.table}` and Iterable's {what}, kept alike both ways."

    @dg.asset(
        key=_key(two_way),
        group_name=GROUP,
        kinds={"iterable", "duckdb"},
        owners=["team:data"],
        deps=[["objects", "catalogs" if is_catalog else "templates"]],
        # what changed nothing by intent has materialized nothing
        output_required=False,
        metadata={"dagster/table_name": f"iterable.{two_way.table}"},
        description=f"{told}\n\n{when}\n\n`two_way/{two_way.name}.yml`",
    )
    def keep_alike(context: dg.AssetExecutionContext, config: RunOptions) -> Iterator[dg.MaterializeResult[None]]:
        started = time.monotonic()
        with explained(context):
            approve, settings = checked_approvals(config.approve), load_settings()
            if config.dry_run:
                plan = plan_two_way(settings, two_way, context.log.info)
                context.log.info(f"{two_way.name}: a dry run: {plan}")
                context.log_event(dg.AssetObservation(_key(two_way), metadata={"would": str(plan)}))
                return
            try:
                report = run_two_way(settings, two_way, approve, context.log.info)
            except AlreadyRunning as busy:
                # the other run does what this one came for, or the next one does
                context.log.info(str(busy))
                return
        context.log.info(f"{two_way.name}: {report}")
        if report.status == "skipped":
            return
        metadata = _metadata(report, time.monotonic() - started)
        if report.status == "failed":
            raise failure_for_good(context, report.failure(two_way.name), metadata)
        yield dg.MaterializeResult(metadata=metadata)

    return keep_alike


def _metadata(report: Report, seconds: float) -> dict[str, Any]:
    return {
        "status": report.status,
        "changes": dg.MetadataValue.md(table_of_counts(report.counts)),
        **{each: report.count(each) for each in ("to_remote", "to_local", "delete_remote", "delete_local", "keep")},
        "not_alike": sum(report.problems.values()),
        "problems": ", ".join(f"{code}: {number:,}" for code, number in report.problems.items()) or "none",
        "requests": report.requests,
        "seconds": round(seconds, 2),
        "row_log": dg.MetadataValue.md(f"`select * from two_way.changes where run_id = '{report.run_id}'`"),
        **({"note": report.note} if report.note else {}),
    }


def _checks(two_way: TwoWay) -> dg.AssetChecksDefinition:
    key = _key(two_way)

    @dg.multi_asset_check(
        name=f"checks_of_two_way_{two_way.name}",
        specs=[dg.AssetCheckSpec(name, asset=key, description=text) for name, text in _CHECKS.items()],
        # without a result while a run is at work
        can_subset=True,
    )
    def look(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        with explained(context):
            try:
                found = standing_of(load_settings(), two_way, context.log.info)
            except AlreadyRunning as busy:
                context.log.info(str(busy))
                return
        conflicts = found.problems.get("conflict", 0)
        others = sum(found.problems.values()) - conflicts
        passed = {"in_agreement": not others and found.status != "failed", "no_conflicts": not conflicts}
        figures = {"alike": found.alike, "kept": found.kept, "awaited": found.awaited, **found.problems}
        then = f"Next: iterable-pipelines two-way conflicts {two_way.name}"
        texts = {
            "in_agreement": f"{found.alike:,} are alike, {others:,} cannot be made so",
            "no_conflicts": f"{conflicts:,} conflicts wait",
        }
        for each in context.selected_asset_check_keys:
            good = passed[each.name]
            yield dg.AssetCheckResult(
                asset_key=key,
                check_name=each.name,
                passed=good,
                severity=dg.AssetCheckSeverity.WARN,
                description=texts[each.name] + ("" if good else f". {then}"),
                metadata=figures,
            )

    return look
