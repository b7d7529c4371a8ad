"""One Dagster asset, job and schedule per file of the folder `imports`."""

from datetime import timedelta

import dagster as dg

from iterable_pipelines.failures import explained
from iterable_pipelines.imports.document import ImportFileError
from iterable_pipelines.imports.file import TIME, UNTYPED, Import
from iterable_pipelines.imports.reading import ENDING, FOLDER, all_imports, imports_folder, job_name, read_import
from iterable_pipelines.imports.run import Stored, run_import
from iterable_pipelines.objects.list_members.read import PATIENCE
from iterable_pipelines.settings import Settings, load_settings
from iterable_pipelines.waiting import wait_until

# an export of everything, by a job of Iterable's, may take hours, and so may one list
_MOST_SECONDS = int(PATIENCE.deadline) + 3600


def import_definitions(settings: Settings) -> dg.Definitions:
    """Everything of the folder `imports`. Raises ImportFileError, naming file and line, where one is wrong."""
    return definitions_of(all_imports(settings), settings)


def definitions_of(imports: list[Import], settings: Settings) -> dg.Definitions:
    """Asset, job and schedule of each of these imports."""
    return dg.Definitions(
        assets=[_asset(each) for each in imports],
        jobs=[
            dg.define_asset_job(
                job_name(each.name),
                selection=dg.AssetSelection.assets([FOLDER, each.name]),
                tags={"dagster/max_runtime": _MOST_SECONDS},
                description=f"The import that {FOLDER}/{each.name}{ENDING} describes.",
            )
            for each in imports
        ],
        schedules=[_schedule(each, settings) for each in imports if each.schedule],
    )


def _asset(made: Import) -> dg.AssetsDefinition:
    source, target = made.source, made.target
    columns = [dg.TableColumn(each.name, each.sql_type) for each in source.columns]

    @dg.asset(
        key=[FOLDER, made.name],
        group_name=FOLDER,
        kinds={"iterable", "postgres" if target.is_postgres else "duckdb"},
        owners=["team:data"],
        metadata={"dagster/column_schema": dg.TableSchema(columns)} if columns else None,
        description=(
            f"{source.what[:1].upper()}{source.what[1:]} into the table {target.table}, mode {target.mode}, as "
            f"`{FOLDER}/{made.name}{ENDING}` describes it. `{TIME}` and `{UNTYPED}` are added to its columns."
        ),
    )
    def load(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        with explained(context):
            stored = run_import(made, load_settings(), _first_try(context).run_id, context.log.info)
        return dg.MaterializeResult(metadata=_metadata(made, stored))

    return load


def _first_try(context: dg.AssetExecutionContext) -> dg.DagsterRun:
    """The run that this one is a retry of, or the run itself; to do one again that had succeeded is no retry."""
    run = context.run
    while parent := context.instance.get_run_by_id(run.tags.get("dagster/parent_run_id", "")):
        if parent.status == dg.DagsterRunStatus.SUCCESS:
            break
        run = parent
    return run


def _metadata(made: Import, stored: Stored) -> dict[str, str | int]:
    said: dict[str, str | int] = {
        "rows": stored.rows,
        "database": stored.database,
        "table": str(made.target.table),
        "span": str(stored.window or "none"),
        "untyped_values": sum(stored.untyped.values()),
        **stored.notes,
    }
    return said


def _schedule(made: Import, settings: Settings) -> dg.ScheduleDefinition:
    schedule = made.schedule
    assert schedule is not None
    on = schedule.enabled and settings.keep_updated

    @dg.schedule(
        name=job_name(made.name),
        job_name=job_name(made.name),
        cron_schedule=schedule.cron,
        execution_timezone=schedule.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING if on else dg.DefaultScheduleStatus.STOPPED,
        description=f"As {FOLDER}/{made.name}{ENDING} says; `enabled` there turns it off.",
    )
    def due(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        """Look at the file again: it may have been changed, turned off or deleted since the definitions were loaded."""
        project = load_settings()
        try:
            present = read_import(imports_folder(project) / f"{made.name}{ENDING}", project).schedule
        except ImportFileError as error:
            return dg.SkipReason(f"the import is gone, or its file is wrong: {error}")
        if present is None or not present.enabled:
            return dg.SkipReason(f"{FOLDER}/{made.name}{ENDING} has it turned off")
        moment = context.scheduled_execution_time + timedelta(seconds=present.delay)
        return dg.RunRequest(tags=wait_until(moment) if present.delay else {})

    return due
