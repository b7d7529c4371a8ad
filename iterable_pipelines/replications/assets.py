"""One asset per replication."""

import time
from collections.abc import Sequence

import dagster as dg

from iterable_pipelines.automation import when_published
from iterable_pipelines.failures import explained
from iterable_pipelines.profiles.assets import PROFILES
from iterable_pipelines.replications.declaration import Replication
from iterable_pipelines.replications.replicate import replicate
from iterable_pipelines.settings import load_settings


class Options(dg.Config):
    """What can be set in the launchpad."""

    allow_deletes: bool = False


def replication_assets(replications: Sequence[Replication]) -> list[dg.AssetsDefinition]:
    """One unpartitioned asset per replication. It reads the copy for readers, which comes with the profiles."""
    return [_replication_asset(each) for each in replications]


def _replication_asset(replication: Replication) -> dg.AssetsDefinition:
    where = f"the file `{replication.file}`" if replication.file else f"PostgreSQL (`{'.'.join(replication.target)}`)"
    what = f"`{replication.table}`" if replication.table else "a query"

    @dg.asset(
        key=["replications", replication.name],
        group_name="replications",
        kinds={replication.file.suffix.lstrip(".").lower() if replication.file else "postgres"},
        owners=["team:data"],
        deps={PROFILES, *(dg.AssetKey([schema, table]) for schema, table in replication.reads)},
        automation_condition=None if replication.schedule else when_published,
        description=replication.description or f"{what} in {where}.",
    )
    def bring_up_to_date(context: dg.AssetExecutionContext, config: Options) -> dg.MaterializeResult[None]:
        started = time.monotonic()
        with explained(context):
            done = replicate(load_settings(), replication, allow_deletes=config.allow_deletes)
        context.log.info(f"{replication.name}: {done}")
        return dg.MaterializeResult(
            metadata={
                "inserted": done.inserted,
                "updated": done.updated,
                "deleted": done.deleted,
                "unchanged": done.unchanged,
                "bytes": done.bytes,
                "mended": done.mended,
                "seconds": round(time.monotonic() - started, 2),
                "dagster/row_count": done.inserted + done.updated + done.unchanged,
                **({"notes": "; ".join(done.notes)} if done.notes else {}),
            }
        )

    return bring_up_to_date
