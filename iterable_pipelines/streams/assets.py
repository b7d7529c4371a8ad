"""One asset per stream: its DuckDB table, loaded from landing, with the checks that tell whether it can be trusted."""

from datetime import timedelta

import dagster as dg

from iterable_pipelines.data_types import STREAMS, USERS, Stream
from iterable_pipelines.failures import explained, failure_for_good
from iterable_pipelines.hours import hour_key, now
from iterable_pipelines.partitions import HOURS_PER_RUN, hourly, hours_of_run
from iterable_pipelines.resources import open_project
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams.checks import check_hours, checks_of
from iterable_pipelines.streams.completeness import progress, refresh
from iterable_pipelines.streams.load import load_hours
from iterable_pipelines.streams.outcomes import Outcome
from iterable_pipelines.streams.tables import columns_of
from iterable_pipelines.streams.unmapped import unmapped_fields


def stream_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """One asset per enabled stream."""
    return [_stream_asset(stream, settings) for stream in STREAMS if settings.enabled_data_types(stream.name)]


def stream_checks(settings: Settings) -> list[dg.AssetChecksDefinition]:
    """One step of partitioned checks per enabled stream."""
    return [_stream_check(stream, settings) for stream in STREAMS if settings.enabled_data_types(stream.name)]


def _stream_asset(stream: Stream, settings: Settings) -> dg.AssetsDefinition:
    how = "merged by identity, the newest version of each" if stream.name == USERS else "each hour replaced as a whole"

    @dg.asset(
        key=["streams", stream.name],
        deps=[["landing", stream.name]],
        partitions_def=hourly(settings),
        backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=HOURS_PER_RUN),
        group_name="streams",
        kinds={"duckdb", "table"},
        owners=["team:data"],
        pool="warehouse",
        freshness_policy=dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=6), warn_window=timedelta(hours=3)),
        metadata={
            "dagster/column_schema": _column_schema(stream),
            "dagster/table_name": f"iterable.streams.{stream.name}",
        },
        description=(
            f"{stream.title}: the table `streams.{stream.name}`, {how}, one transaction per window. Rebuilt from "
            "landing without the network whenever you like."
        ),
    )
    def load(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        hours = hours_of_run(context)
        with explained(context):
            project, manifest, warehouse = open_project(context.log.info)
            warehouse.prepare()
            loaded = load_hours(
                warehouse, manifest, project, stream.name, hours, context.run.run_id, log=context.log.info
            )
            fields = unmapped_fields(warehouse, stream, min(hours), max(hours)) if loaded.rows else []
            with warehouse.transaction() as con:
                refresh(con, project, manifest, now(), [stream.name], min(hours))
                (stretch,) = [each.stretch for each in progress(con) if each.stream == stream.name]
            total = warehouse.read(f"select count(*) from streams.{stream.name}")[0][0]
        types = project.enabled_data_types(stream.name)
        held = [each for each in manifest.quarantined() if each.data_type in types and each.hour in hours]
        missing = loaded.not_landed
        red = [f"{len(missing)} parts are not landed, the first is {missing[0]}. "] if missing else []
        # where a refetch is in quarantine, what was landed before it is there still
        red += [f"In quarantine: {each}. " for each in held]
        if red:
            raise failure_for_good(
                context,
                f"streams/{stream.name}: {''.join(red)}What is landed is loaded and safe. "
                f"Next: {'accept what is lost, or ' if held else ''}materialize landing/{stream.name} for these hours",
            )
        return dg.MaterializeResult(
            metadata={
                "rows": loaded.rows,
                "late_rows": loaded.late_rows,
                "hours_changed": len(loaded.hours),
                "parts_unchanged": loaded.unchanged,
                "fields_without_a_column": dg.MetadataValue.json(fields),
                "complete_up_to": hour_key(stretch.end) if stretch else "nothing yet",
                "dagster/row_count": total,
            }
        )

    return load


def _column_schema(stream: Stream) -> dg.TableSchema:
    columns = [dg.TableColumn(column.name, column.type) for column in columns_of(stream)]
    own = [
        dg.TableColumn("record", "JSON", description="the whole record, as it was received"),
        dg.TableColumn("_hour", "TIMESTAMP", description="the partition the record came in, UTC"),
        dg.TableColumn("_source", "VARCHAR", description="export or webhook"),
        dg.TableColumn("_loaded_at", "TIMESTAMP", description="when it was written here, UTC"),
        dg.TableColumn("_load_id", "BIGINT", description="grows with every load"),
    ]
    key = dg.TableColumn("user_key", "VARCHAR", description="lower-cased email, else the user's id")
    if stream.name == USERS:
        return dg.TableSchema([key, *columns, *own])
    ids = [
        dg.TableColumn("data_type", "VARCHAR", description="Iterable's name of the event"),
        dg.TableColumn("event_id", "VARCHAR", description="hash of what the event says; twins have an ordinal in it"),
    ]
    told = [
        dg.TableColumn("webhook", "JSON", description="the body of the event's webhook, as it was received"),
        dg.TableColumn("_webhook_id", "VARCHAR", description="the digest that the webhook goes by"),
    ]
    return dg.TableSchema([*ids, key, *columns, *own, *told])


def _stream_check(stream: Stream, settings: Settings) -> dg.AssetChecksDefinition:
    specs = [
        dg.AssetCheckSpec(
            check.name,
            asset=["streams", stream.name],
            description=check.description,
            blocking=check.blocking,
            partitions_def=hourly(settings),
        )
        for check in checks_of(stream)
    ]

    @dg.multi_asset_check(name=f"check_{stream.name}", specs=specs, pool="warehouse")
    def check(context: dg.AssetCheckExecutionContext):  # type: ignore[no-untyped-def]
        project, manifest, warehouse = open_project(context.log.info)
        found = check_hours(warehouse, manifest, project, stream, hours_of_run(context))
        # a blocking check that fails ends the step, so the ones that hold speak first
        for asked, outcomes in sorted(found.items(), key=lambda each: any(not one.passed for one in each[1])):
            failed = [outcome for outcome in outcomes if not outcome.passed]
            if failed and asked.blocking:
                # asking once more gives the same answer: the hour has to be loaded again
                context.instance.add_run_tags(context.run.run_id, {"dagster/max_retries": "0"})
            if len(outcomes) > 1:
                # the result below speaks for the whole run; without these the UI would call each hour skipped
                for outcome in outcomes:
                    yield dg.AssetCheckEvaluation(
                        asset_key=dg.AssetKey(["streams", stream.name]),
                        check_name=asked.name,
                        passed=outcome.passed,
                        metadata=outcome.numbers,
                        severity=severity_of([outcome]),
                        description=outcome.text,
                        blocking=asked.blocking,
                        partition=hour_key(outcome.hour),
                    )
            yield dg.AssetCheckResult(
                passed=not failed,
                check_name=asked.name,
                asset_key=["streams", stream.name],
                severity=severity_of(failed or outcomes),
                metadata=_summed(outcomes),
                description=(failed or outcomes)[0].text,
            )

    return check


def severity_of(outcomes: list[Outcome]) -> dg.AssetCheckSeverity:
    """An error if any of them is one."""
    return dg.AssetCheckSeverity.ERROR if any(each.severe for each in outcomes) else dg.AssetCheckSeverity.WARN


def _summed(outcomes: list[Outcome]) -> dict[str, int]:
    return {name: sum(outcome.numbers[name] for outcome in outcomes) for name in outcomes[0].numbers}
