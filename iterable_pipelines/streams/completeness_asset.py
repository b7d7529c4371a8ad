"""The asset `streams/completeness`: the table, its page, and a word to the UI for every hour whose colour changed."""

import dagster as dg

from iterable_pipelines.automation import when_something_arrived
from iterable_pipelines.data_types import STREAMS
from iterable_pipelines.failures import explained
from iterable_pipelines.hours import hour_key, now
from iterable_pipelines.resources import open_project
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams.assets import severity_of
from iterable_pipelines.streams.completeness import refresh
from iterable_pipelines.streams.completeness_page import page_of, spelled_stretch, write_page
from iterable_pipelines.streams.verdicts import note_told, untold


class CompletenessConfig(dg.Config):
    """What the launchpad offers."""

    # look at every hour since the start: the newest eight days are looked at each time
    everything: bool = False


def completeness_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """One unpartitioned asset after all streams."""
    streams = [each.name for each in STREAMS if settings.enabled_data_types(each.name)]

    @dg.asset(
        key=["streams", "completeness"],
        deps=[["streams", name] for name in streams],
        group_name="streams",
        kinds={"duckdb", "table"},
        owners=["team:data"],
        pool="warehouse",
        automation_condition=when_something_arrived,
        metadata={"dagster/table_name": "iterable.streams.completeness"},
        description=(
            "A row per data type and hour since the start: missing, fresh, settled, audited or quarantined; rows "
            "exported, landed and loaded; what is lacking. Hours that turned red, or are mended, since the last time "
            "are reported as checks of their streams. The page is written to `completeness.md` in the data folder, too."
        ),
    )
    def tell(context: dg.AssetExecutionContext, config: CompletenessConfig) -> dg.MaterializeResult[None]:
        moment = now()
        with explained(context):
            project, manifest, warehouse = open_project(context.log.info)
            warehouse.prepare()
            with warehouse.transaction() as con:
                begin = refresh(con, project, manifest, moment, since=project.start_date if config.everything else None)
                page, changed = page_of(con, moment), untold(con, moment)
                (rows,) = con.execute("select count(*) from streams.completeness").fetchone() or (0,)
            write_page(project, page, moment)
            for stream, outcomes in changed.items():
                for each in outcomes:
                    context.instance.report_runless_asset_event(
                        dg.AssetCheckEvaluation(
                            asset_key=dg.AssetKey(["streams", stream]),
                            check_name=each.check.name,
                            passed=each.passed,
                            metadata=each.numbers,
                            severity=severity_of([each]),
                            description=each.text,
                            blocking=each.check.blocking,
                            partition=hour_key(each.hour),
                        )
                    )
            with warehouse.transaction() as con:
                for stream, outcomes in changed.items():
                    note_told(con, stream, outcomes)
        return dg.MaterializeResult(
            metadata={
                "page": dg.MetadataValue.md(page.markdown),
                "hours_lacking": sum(each.lacking for each in page.streams),
                "verdicts_changed": sum(len(outcomes) for outcomes in changed.values()),
                "counted_from": hour_key(begin),
                "dagster/row_count": rows,
                **{f"complete_up_to/{each.stream}": spelled_stretch(each)[1] or "nothing" for each in page.streams},
            }
        )

    return [tell]
