"""One asset per sync: after what it reads in the lineage, and what its run sent in its metadata."""

import time
from collections.abc import Iterator, Sequence

import dagster as dg
import duckdb

from iterable_pipelines.activation.declaration import Sync
from iterable_pipelines.activation.errors import ActivationFailed, AlreadyRunning
from iterable_pipelines.activation.launchpad import RunOptions
from iterable_pipelines.activation.plan import plan_sync
from iterable_pipelines.activation.report_metadata import plan_metadata, report_metadata, summary
from iterable_pipelines.activation.run import run_sync
from iterable_pipelines.activation.source import tables_read
from iterable_pipelines.activation.standing import standing_of
from iterable_pipelines.automation import when_synced_data_is_published
from iterable_pipelines.failures import explained, failure_for_good
from iterable_pipelines.profiles.assets import PROFILES
from iterable_pipelines.published import without_values
from iterable_pipelines.settings import Settings, load_settings

GROUP = "activation"


def activation_assets(settings: Settings, syncs: Sequence[Sync]) -> list[dg.AssetsDefinition]:
    """One unpartitioned asset per sync. One that is switched off stays in the graph, and its runs send nothing (G9)."""
    return [_sync_asset(settings, each) for each in syncs]


def asset_key(sync: Sync) -> dg.AssetKey:
    """The key of a sync's asset."""
    return dg.AssetKey([GROUP, sync.name])


def described(sync: Sync) -> str:
    """What the asset's page says: what is sent from where, how, and when."""
    source = f"`{sync.source}`" if isinstance(sync.source, str) else "a query"
    where = f"the project of Iterable whose key is in `{sync.connection.key_env}`" if sync.connection else "Iterable"
    if not sync.enabled:
        when = "**Switched off**: its file says `enabled: false`; a run sends nothing."
    elif sync.schedule:
        when = f"Runs at `{sync.schedule}`, UTC."
    else:
        when = "Run by hand." if sync.frequency == "manual" else "Runs when its source is published anew."
    what = sync.description or (
        f"Rows of {source} to {where}, object `{sync.object}`, mode `{sync.mode}`, `{sync.on_leave}` when they leave."
    )
    return f"{what}\n\n{when}\n\n`syncs/{sync.name}.yml`"


def _sync_asset(settings: Settings, sync: Sync) -> dg.AssetsDefinition:
    follows = sync.enabled and sync.frequency != "manual" and not sync.schedule

    @dg.asset(
        key=asset_key(sync),
        group_name=GROUP,
        kinds={"iterable", sync.object},
        owners=["team:data"],
        # the copy for readers, which is what it reads, comes with the profiles
        deps={PROFILES, *(dg.AssetKey([schema, table]) for schema, table in tables_read(settings, sync))},
        automation_condition=when_synced_data_is_published if follows else None,
        # what sent nothing by intent has materialized nothing
        output_required=False,
        description=described(sync),
    )
    def send_what_changed(
        context: dg.AssetExecutionContext, config: RunOptions
    ) -> Iterator[dg.MaterializeResult[None]]:
        started = time.monotonic()
        with explained(context):
            project, options = load_settings(), config.options(context.run.run_id)
            if options.dry_run:
                plan = plan_sync(project, sync, options, context.log.info)
                context.log_event(dg.AssetObservation(asset_key(sync), metadata=plan_metadata(plan)))
                would = f"{plan.sends:,} records would go in {plan.costs.requests:,} requests"
                context.log.info(f"{sync.name}: a dry run: {would}; nothing was sent")
                return
            try:
                report = run_sync(project, sync, options, context.log.info)
            except AlreadyRunning as busy:
                # the other run does what this one came for, or the next one does (S1)
                context.log.info(str(busy))
                return
            except duckdb.Error as error:
                # Dagster keeps what an error says, and DuckDB quotes the values that it stumbled over
                raise ActivationFailed(
                    f"{sync.name}: DuckDB could not go on: {without_values(error)}\nWhat was acknowledged is safe.\n"
                    f"Next: iterable-pipelines sync plan {sync.name}"
                ) from None
            standing = standing_of(project, sync.name)
        context.log.info(f"{sync.name}: {summary(report)}")
        if report.status == "skipped":
            return
        metadata = report_metadata(sync.name, report, standing, time.monotonic() - started)
        if report.status == "failed":
            # what was sent is acknowledged: to send the rest again by itself would give the same answers
            raise failure_for_good(context, report.failure(sync.name), metadata)
        yield dg.MaterializeResult(metadata=metadata)

    return send_what_changed
