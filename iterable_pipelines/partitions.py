"""The hourly partitions that landing and streams share, and the span of hours one run of an asset is about."""

import dagster as dg

from iterable_pipelines.hours import HOUR_FORMAT, iterate_hours
from iterable_pipelines.settings import Settings

# a month in one run: what has landed is kept when it fails, and each run costs seconds to start
HOURS_PER_RUN = 744
RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


def hourly(settings: Settings) -> dg.HourlyPartitionsDefinition:
    """One partition per UTC hour since the project's start date, keyed like 2026-11-01T03."""
    return dg.HourlyPartitionsDefinition(start_date=settings.start_date, fmt=HOUR_FORMAT, timezone="UTC")


def hours_of_run(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext) -> list:  # type: ignore[type-arg]
    """Every hour of this run, one or many: a ranged run has no single partition key."""
    window = context.partition_time_window
    return list(iterate_hours(window.start, window.end))
